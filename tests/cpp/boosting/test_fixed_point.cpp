#include "check.hpp"

#include "boosting/twin.hpp"

#include <cfloat>

using namespace twin;

namespace {

__extension__ using Wide = unsigned __int128;
__extension__ using WideSigned = __int128;

constexpr std::uint64_t row_counts[] = {1, 2, 3, 255, 256, 1'000'000, (1ull << 30) - 1, 1ull << 30, (1ull << 31) - 1};
constexpr float magnitudes[] = {FLT_TRUE_MIN, FLT_MIN, 1e-20f, 0.75f, 1.0f, 3.0f, 65536.0f, 1e20f, FLT_MAX};

} // namespace

TEST(gradients_of_all_rows_fit_whatever_their_size) {
    for (const std::uint64_t n : row_counts)
        for (const float top : magnitudes) {
            const FixedPoint scale(n, n, top, 1.0);
            for (const float g : {top, -top}) {
                const PackedPair one = scale.encode(g, 0.0f, 1);
                const WideSigned sum = static_cast<WideSigned>(one.gradient) * static_cast<WideSigned>(n);
                CHECK(sum < (WideSigned{1} << 63) && -sum < (WideSigned{1} << 63));
                const Sums s = scale.decode({static_cast<std::int64_t>(sum), n});
                const double expected = static_cast<double>(g) * static_cast<double>(n);
                CHECK_CLOSE(s.g, expected, 1e-9 * std::abs(expected));
                CHECK_EQUAL(s.n, static_cast<double>(n));
            }
        }
}

TEST(hessians_of_all_rows_fit_beside_the_count) {
    for (const std::uint64_t total : row_counts)
        for (const std::uint64_t n : {std::uint64_t{1}, total / 2 + 1, total}) // rows may repeat
            for (const float h : magnitudes) {
                const double sum_hessian = static_cast<double>(h) * static_cast<double>(n);
                const FixedPoint scale(n, total, 1.0, sum_hessian);
                const PackedPair one = scale.encode(0.0f, h, 0);
                const Wide sum = static_cast<Wide>(one.hessian_count) * n + total;
                CHECK(sum < (Wide{1} << 64));
                const Sums s = scale.decode({0, static_cast<std::uint64_t>(sum)});
                CHECK_EQUAL(s.n, static_cast<double>(total));
                // Each row is rounded to the unit, of which the sum holds 2^(62 - bits of the count) or more.
                const double unit = std::ldexp(sum_hessian, std::bit_width(total) - 62);
                CHECK_CLOSE(s.h, sum_hessian, unit * static_cast<double>(n));
            }
}

TEST(hessians_that_all_round_up_do_not_reach_the_next_field) {
    // Worst case of rounding: as many rows as can be, each half a unit above a whole one.
    for (const std::uint64_t n : row_counts) {
        const int bits = std::bit_width(n);
        const double unit = std::ldexp(1.0, bits - 63); // of a sum just below 1
        const auto h = static_cast<float>(std::nextafter(1.0f, 0.0f) / static_cast<double>(n));
        const FixedPoint scale(n, n, 1.0, static_cast<double>(h) * static_cast<double>(n));
        const PackedPair one = scale.encode(0.0f, h, 1);
        const Wide sum = static_cast<Wide>(one.hessian_count) * n;
        CHECK(sum < (Wide{1} << 64));
        const Sums s = scale.decode({0, static_cast<std::uint64_t>(sum)});
        CHECK_EQUAL(s.n, static_cast<double>(n));
        CHECK_CLOSE(s.h, static_cast<double>(h) * static_cast<double>(n), unit * static_cast<double>(n));
    }
}

TEST(float_gradients_are_exact_unless_far_below_the_largest) {
    Random random(1);
    constexpr std::size_t n = 1000;
    std::vector<float> g(n), h(n);
    double sum_h = 0;
    float top = 0;
    for (std::size_t i = 0; i < n; ++i) {
        g[i] = static_cast<float>(std::ldexp(random.uniform(-1, 1), random.integer(-18, 0)));
        h[i] = static_cast<float>(std::ldexp(random.uniform(0.5, 1), random.integer(-12, 0)));
        sum_h += h[i];
        top = std::max(top, std::abs(g[i]));
    }
    const FixedPoint scale(n, n, top, sum_h);
    for (std::size_t i = 0; i < n; ++i) {
        const Sums s = scale.decode(scale.encode(g[i], h[i], 1));
        CHECK_EQUAL(s.g, static_cast<double>(g[i]));
        CHECK_EQUAL(s.h, static_cast<double>(h[i]));
        CHECK_EQUAL(s.n, 1.0);
    }
}

TEST(nothing_at_all_is_zero) {
    const FixedPoint scale(7, 7, 0.0, 0.0);
    const PackedPair p = scale.encode(0.0f, 0.0f, 1);
    const Sums s = scale.decode(p + p + p);
    CHECK(s.g == 0 && s.h == 0 && s.n == 3);
    CHECK_EQUAL(FixedPoint(1, 1, 0.0, 0.0).decode(PackedPair{}).n, 0.0);
}

TEST(sums_do_not_depend_on_order_and_subtract_exactly) {
    Random random(2);
    constexpr std::size_t n = 5000;
    std::vector<PackedPair> pairs(n);
    std::vector<float> h(n);
    double sum_h = 0;
    for (float& v : h) sum_h += v = static_cast<float>(random.uniform());
    const FixedPoint scale(n, 3 * n, 8.0, sum_h);
    for (std::size_t i = 0; i < n; ++i)
        pairs[i] = scale.encode(static_cast<float>(random.normal()), h[i], static_cast<std::uint32_t>(i % 4));
    const auto sum = [](auto begin, auto end) { return std::accumulate(begin, end, PackedPair{}); };
    const PackedPair all = sum(pairs.begin(), pairs.end());
    for (int round = 0; round < 20; ++round) {
        random.shuffle(pairs);
        CHECK(sum(pairs.begin(), pairs.end()) == all);
        const auto cut = pairs.begin() + random.integer(0, n);
        CHECK(all - sum(pairs.begin(), cut) == sum(cut, pairs.end()));
    }
}
