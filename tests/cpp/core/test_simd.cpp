#include "check.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

using namespace mlcore::simd;

namespace {

constexpr std::size_t wide = lanes_of<double>;

/// Values whose sums and products are exact; one entry more in front, so that nothing is aligned.
template <class T>
std::vector<T> numbers(std::size_t n) {
    std::vector<T> v(n + 1);
    for (std::size_t i = 0; i <= n; ++i) v[i] = static_cast<T>(static_cast<double>(i * i % 97) - 40);
    return v;
}

} // namespace

TEST(loads_and_stores_any_place) {
    const auto x = numbers<float>(lanes);
    const auto y = numbers<double>(wide);
    const Floats v = load(&x[1]);
    const Doubles w = load(&y[1]), same = load_widened(&y[1]), widened = load_widened(&x[1]);
    for (std::size_t l = 0; l < lanes; ++l) CHECK_EQUAL(v[l], x[1 + l]);
    for (std::size_t l = 0; l < wide; ++l) {
        CHECK_EQUAL(w[l], y[1 + l]);
        CHECK_EQUAL(same[l], y[1 + l]);
        CHECK_EQUAL(widened[l], static_cast<double>(x[1 + l]));
    }
    std::vector<float> to(lanes + 1);
    store(&to[1], v);
    CHECK(std::equal(to.begin() + 1, to.end(), x.begin() + 1));
    const Floats fours = load_fours(&x[1]);
    for (std::size_t l = 0; l < lanes; ++l) CHECK_EQUAL(fours[l], x[1 + l]);
}

TEST(the_first_entries_alone_are_read_and_written) {
    for (std::size_t n = 0; n < lanes; ++n) {
        const auto x = numbers<float>(n); // a sanitizer sees what is read beyond
        const Floats v = load_first(x.data() + 1, n);
        std::vector<float> to(lanes, 7.0f);
        store_first(to.data(), v + 1, n);
        const Floats mixed = first_lanes(n, broadcast(1.0f), broadcast(2.0f));
        for (std::size_t l = 0; l < lanes; ++l) {
            CHECK_EQUAL(v[l], l < n ? x[1 + l] : 0.0f);
            CHECK_EQUAL(to[l], l < n ? x[1 + l] + 1 : 7.0f);
            CHECK_EQUAL(mixed[l], l < n ? 1.0f : 2.0f);
        }
    }
    for (std::size_t n = 0; n < wide; ++n) {
        const auto x = numbers<float>(n);
        const auto y = numbers<double>(n);
        const Doubles v = load_widened_first(x.data() + 1, n), w = load_widened_first(y.data() + 1, n);
        for (std::size_t l = 0; l < wide; ++l) {
            CHECK_EQUAL(v[l], l < n ? static_cast<double>(x[1 + l]) : 0.0);
            CHECK_EQUAL(w[l], l < n ? y[1 + l] : 0.0);
        }
    }
}

TEST(sums_of_lanes) {
    std::array<Doubles, wide> rows;
    std::array<Floats, 4> floats;
    const auto y = numbers<double>(wide * wide);
    const auto x = numbers<float>(4 * lanes);
    for (std::size_t r = 0; r < wide; ++r) rows[r] = load(&y[r * wide]);
    for (std::size_t r = 0; r < 4; ++r) floats[r] = load(&x[r * lanes]);
    const Doubles of_rows = sums(rows);
    const Floats4 of_floats = sums(floats[0], floats[1], floats[2], floats[3]);
    for (std::size_t r = 0; r < wide; ++r) {
        double expected = 0;
        for (std::size_t l = 0; l < wide; ++l) expected += y[r * wide + l];
        CHECK_EQUAL(of_rows[r], expected);
        CHECK_EQUAL(sum(rows[r]), expected);
    }
    for (std::size_t r = 0; r < 4; ++r) {
        float expected = 0;
        for (std::size_t l = 0; l < lanes; ++l) expected += x[r * lanes + l];
        CHECK_EQUAL(of_floats[r], expected);
    }
}

TEST(multiply_and_add) {
    const auto x = numbers<float>(3 * lanes);
    const auto y = numbers<double>(3 * wide);
    const Floats v = fma(load(&x[0]), load(&x[lanes]), load(&x[2 * lanes]));
    const Doubles w = fma(load(&y[0]), load(&y[wide]), load(&y[2 * wide]));
    for (std::size_t l = 0; l < lanes; ++l) CHECK_EQUAL(v[l], x[l] * x[lanes + l] + x[2 * lanes + l]);
    for (std::size_t l = 0; l < wide; ++l) {
        CHECK_EQUAL(w[l], y[l] * y[wide + l] + y[2 * wide + l]);
        CHECK_EQUAL(mlcore::simd::fma(y[l], y[wide + l], y[2 * wide + l]), w[l]);
    }
}

TEST(exponential_of_negative_numbers) {
    for (const double x : {0.0, -1e-8, -0.3, -1.0, -20.5, -86.9, -87.5, -1e30}) {
        const double expected = x < -87 ? 0 : std::exp(static_cast<double>(static_cast<float>(x)));
        CHECK_CLOSE(static_cast<double>(exp_negative(broadcast(static_cast<float>(x)))[0]), expected,
                    2.5e-7 * expected);
    }
}

TEST(multiples) {
    CHECK_EQUAL(round_up(0, 8), std::size_t{0});
    CHECK_EQUAL(round_up(1, 8), std::size_t{8});
    CHECK_EQUAL(round_up(16, 8), std::size_t{16});
}
