#include "check.hpp"

#include "core/random.hpp"

#include <vector>

using namespace mlcore;

namespace {

/// Sum of (observed - expected)^2 / expected over equally likely cells; about normal with mean k-1, variance 2(k-1).
double chi_square(const std::vector<double>& counts) {
    double total = 0, sum = 0;
    for (double c : counts) total += c;
    const double expected = total / static_cast<double>(counts.size());
    for (double c : counts) sum += (c - expected) * (c - expected) / expected;
    return sum;
}

void check_uniform(const std::vector<double>& counts) {
    const double dof = static_cast<double>(counts.size()) - 1;
    CHECK_CLOSE(chi_square(counts), dof, 4 * std::sqrt(2 * dof));
}

} // namespace

TEST(philox_known_answers) { // from the kat_vectors file of Random123
    using Block = Philox::Block;
    constexpr std::uint32_t ones = 0xffffffff;
    CHECK((Philox::rounds({0, 0, 0, 0}, 0, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK((Philox::rounds({ones, ones, ones, ones}, ones, ones) ==
           Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK((Philox::rounds({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
           Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(philox_layout_of_seed_stream_counter) {
    const Philox random(0x299f31d0a4093822, 0x0370734413198a2e);
    const std::uint64_t counter = 0x85a308d3243f6a88;
    CHECK_EQUAL(random.u32(counter), 0xd16cfe09u);
    CHECK_EQUAL(random.u64(counter), 0x94fdccebd16cfe09u);
    CHECK_EQUAL(random.uniform(counter), static_cast<double>(0x94fdccebd16cfe09 >> 11) / 9007199254740992.0);
}

TEST(philox_is_constexpr) {
    static_assert(Philox(0, 0).u32(0) == 0x6627e8d5);
    static_assert(Philox(1, 2).below(3, 10) < 10);
}

TEST(uniform_fills_the_unit_interval) {
    const Philox random(1, 2);
    std::vector<double> counts(256, 0);
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
        const double u = random.uniform(i);
        CHECK(u >= 0 && u < 1);
        ++counts[static_cast<std::size_t>(u * 256)];
    }
    check_uniform(counts);
}

TEST(neighbouring_seeds_streams_and_counters_are_independent) {
    // Cells of pairs (a draw, its neighbour): uniform over the square if the two are independent.
    const auto check_pairs = [](auto first, auto second) {
        std::vector<double> counts(16 * 16, 0);
        for (std::uint64_t i = 0; i < 200'000; ++i) ++counts[(first(i) >> 28) * 16 + (second(i) >> 28)];
        check_uniform(counts);
    };
    check_pairs([](auto i) { return Philox(5, 0).u32(i); }, [](auto i) { return Philox(6, 0).u32(i); });
    check_pairs([](auto i) { return Philox(5, 0).u32(i); }, [](auto i) { return Philox(5, 1).u32(i); });
    check_pairs([](auto i) { return Philox(5, 0).u32(i); }, [](auto i) { return Philox(5, 0).u32(i + 1); });
    check_pairs([](auto i) { return Philox(i, 0).u32(0); }, [](auto i) { return Philox(i + 1, 0).u32(0); });
}

TEST(below_is_even_and_in_range) {
    const Philox random(3, 4);
    for (std::uint64_t n : {2, 3, 7, 100}) {
        std::vector<double> counts(n, 0);
        for (std::uint64_t i = 0; i < 100'000; ++i) {
            const std::uint64_t draw = random.below(i, n);
            CHECK(draw < n);
            if (draw < n) ++counts[draw];
        }
        check_uniform(counts);
    }
    CHECK_EQUAL(random.below(0, 0), 0u);
    CHECK_EQUAL(random.below(9, 1), 0u);
}

TEST(normal_has_the_shape_of_a_normal) {
    const Philox random(7, 8);
    constexpr int n = 500'000;
    std::vector<double> counts(64, 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
        const double x = random.normal(static_cast<std::uint64_t>(i));
        CHECK(std::isfinite(x));
        sum += x;
        squares += x * x;
        const double quantile = 0.5 * std::erfc(-x / std::sqrt(2.0));
        ++counts[std::min<std::size_t>(63, static_cast<std::size_t>(quantile * 64))];
    }
    CHECK_CLOSE(sum / n, 0, 4 / std::sqrt(n));
    CHECK_CLOSE(squares / n, 1, 4 * std::sqrt(2.0 / n));
    check_uniform(counts);
}
