#include "check.hpp"
#include "embedding/sampling.hpp"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

DrawStream draws(std::uint64_t seed) { return {seed, DrawStream::Purpose::negatives, 0, 0}; }

/// Counts as in a text: the word of rank r occurs about 1e6 / r times.
std::vector<std::int64_t> zipf(std::size_t n) {
    std::vector<std::int64_t> counts;
    for (std::size_t r = 1; r <= n; ++r) counts.push_back(static_cast<std::int64_t>(1e6 / static_cast<double>(r)));
    return counts;
}

/// Standard normal score of a chi-squared statistic (Wilson and Hilferty): above 4 once in 30,000 tables.
double chi_squared_score(const std::vector<std::int64_t>& seen, const std::vector<double>& expected) {
    double chi = 0;
    for (std::size_t i = 0; i < seen.size(); ++i)
        chi += std::pow(static_cast<double>(seen[i]) - expected[i], 2) / expected[i];
    const double freedom = static_cast<double>(seen.size() - 1);
    return (std::cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
}

} // namespace

TEST(known_answers_of_splitmix) {
    // The reference program of Steele, Lea and Flood, started at 0, gives these; our start is Philox's.
    const std::uint64_t start = Philox(7, 2 * 3 + 1).u64(5);
    DrawStream stream(7, DrawStream::Purpose::negatives, 3, 5);
    std::uint64_t z = start + 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    CHECK_EQUAL(stream.next(), z ^ (z >> 31));
}

TEST(streams_differ_by_seed_purpose_epoch_and_piece) {
    using Purpose = DrawStream::Purpose;
    std::vector<std::uint64_t> first{
        DrawStream(1, Purpose::positions, 0, 0).next(), DrawStream(2, Purpose::positions, 0, 0).next(),
        DrawStream(1, Purpose::negatives, 0, 0).next(), DrawStream(1, Purpose::positions, 1, 0).next(),
        DrawStream(1, Purpose::negatives, 1, 0).next(), DrawStream(1, Purpose::positions, 0, 1).next()};
    for (std::size_t i = 0; i < first.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) CHECK(first[i] != first[j]);
}

TEST(below_is_uniform) {
    DrawStream stream = draws(1);
    const std::size_t n = 7;
    std::vector<std::int64_t> seen(n, 0);
    for (int i = 0; i < 700000; ++i) ++seen[stream.below(n)];
    CHECK(chi_squared_score(seen, std::vector<double>(n, 100000)) < 4);
}

TEST(alias_table_has_the_probabilities_asked_for) {
    for (const double exponent : {0.75, 1.0, 0.0, -0.5}) {
        const std::vector<std::int64_t> counts = zipf(5000);
        const std::vector<double> p = AliasTable(counts, exponent).probabilities();
        double total = 0, sum = 0;
        for (const std::int64_t count : counts) total += std::pow(static_cast<double>(count), exponent);
        for (std::size_t i = 0; i < counts.size(); ++i) {
            CHECK_CLOSE(p[i], std::pow(static_cast<double>(counts[i]), exponent) / total, 1e-9);
            sum += p[i];
        }
        CHECK_CLOSE(sum, 1.0, 1e-9);
    }
}

TEST(alias_table_draws_by_its_probabilities) {
    const std::size_t n_draws = 4000000;
    for (const std::size_t n : {std::size_t{2}, std::size_t{300}, std::size_t{2000}}) {
        const std::vector<std::int64_t> counts = zipf(n);
        const AliasTable table(counts, 0.75);
        double total = 0;
        for (const std::int64_t count : counts) total += std::pow(static_cast<double>(count), 0.75);
        std::vector<double> expected;
        for (const std::int64_t count : counts)
            expected.push_back(std::pow(static_cast<double>(count), 0.75) / total * static_cast<double>(n_draws));
        std::vector<std::int64_t> seen(n, 0);
        NegativeStream stream(table, draws(n));
        for (std::size_t i = 0; i < n_draws; ++i) ++seen[static_cast<std::size_t>(stream.next())];
        CHECK(chi_squared_score(seen, expected) < 4);
    }
}

TEST(negative_stream_is_the_table_draw_by_draw) {
    const AliasTable table(zipf(100), 0.75);
    NegativeStream stream(table, draws(3));
    DrawStream same = draws(3);
    for (int i = 0; i < 1000; ++i) CHECK_EQUAL(stream.next(), table.pick(same.next()));
}

TEST(one_word_is_always_drawn) {
    const AliasTable table(std::vector<std::int64_t>{3}, 0.75);
    DrawStream stream = draws(4);
    for (int i = 0; i < 100; ++i) CHECK_EQUAL(table.pick(stream.next()), 0);
}

TEST(subsampler_keeps_by_frequency) {
    const std::vector<std::int64_t> counts{900000, 90000, 9000, 900, 100};
    const double sample = 1e-3, total = 1000000;
    const Subsampler subsampler(counts, sample);
    const int n_draws = 1000000;
    double chi = 0;
    for (std::size_t w = 0; w < counts.size(); ++w) {
        const double ratio = sample * total / static_cast<double>(counts[w]);
        const double p = std::min(1.0, std::sqrt(ratio) + ratio);
        CHECK_CLOSE(subsampler.probability(static_cast<std::int32_t>(w)), p, 1e-9);
        DrawStream stream = draws(10 + w);
        int kept = 0;
        for (int i = 0; i < n_draws; ++i) kept += subsampler.keep(static_cast<std::int32_t>(w), stream.next());
        if (p == 1)
            CHECK_EQUAL(kept, n_draws);
        else
            chi += std::pow(kept - p * n_draws, 2) / (p * (1 - p) * n_draws);
    }
    CHECK(chi < 25); // three words are thinned out: above 25 once in 60,000
}

TEST(no_sampling_makes_no_draws) {
    CHECK(!Subsampler(zipf(10), 0).active());
    CHECK_EQUAL(Subsampler(zipf(10), 0).probability(0), 1.0);
}
