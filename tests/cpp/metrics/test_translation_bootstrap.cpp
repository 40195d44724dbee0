#include "check.hpp"

#include "core/random.hpp"
#include "metrics/translation/bootstrap.hpp"

#include <bit>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

__extension__ using Wide = unsigned __int128;

/// numpy.random.PCG64(12345).state
constexpr PcgState seed{0x1905E0335AAE9634, 0x9199B0D09775ADD5, 0xC9C7353E6E2B1F28, 0x7D761F2D4027FAE7};

/// One draw after the other, as NumPy makes them.
class Twin {
  public:
    explicit Twin(std::uint32_t n) : n_(n) {}

    std::size_t segment() {
        while (true) {
            const std::uint64_t product = std::uint64_t{draw()} * n_;
            if (static_cast<std::uint32_t>(product) >= (std::uint64_t{1} << 32) % n_) return product >> 32;
            ++n_left_out;
        }
    }

    std::size_t n_left_out = 0;

  private:
    std::uint32_t draw() {
        if ((drawn_++) % 2 == 1) return static_cast<std::uint32_t>(bits_ >> 32);
        state_ = state_ * (Wide{2549297995355413924} << 64 | 4865540595714422341) + increment_;
        bits_ = std::rotr(static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_),
                          static_cast<int>(state_ >> 122));
        return static_cast<std::uint32_t>(bits_);
    }

    const std::uint32_t n_;
    Wide state_ = Wide{seed.state_high} << 64 | seed.state_low;
    const Wide increment_ = Wide{seed.increment_high} << 64 | seed.increment_low;
    std::uint64_t drawn_ = 0, bits_ = 0;
};

std::vector<std::int64_t> naive_sums(std::span<const std::int64_t> statistics, std::size_t columns,
                                     std::size_t n_resamples, Twin& twin) {
    const std::size_t n = statistics.size() / columns;
    std::vector<std::int64_t> sums(n_resamples * columns);
    for (std::size_t r = 0; r < n_resamples; ++r)
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t segment = twin.segment();
            for (std::size_t c = 0; c < columns; ++c) sums[r * columns + c] += statistics[segment * columns + c];
        }
    return sums;
}

std::vector<std::int64_t> values(std::size_t size, std::uint64_t below) {
    const Philox random(3, 0);
    std::vector<std::int64_t> all(size);
    for (std::size_t i = 0; i < size; ++i) all[i] = static_cast<std::int64_t>(random.below(i, below));
    return all;
}

void check_sums(std::size_t n, std::size_t columns, std::uint64_t below, std::size_t n_resamples) {
    const std::vector<std::int64_t> statistics = values(n * columns, below);
    Twin twin(static_cast<std::uint32_t>(n));
    const auto expected = naive_sums(statistics, columns, n_resamples, twin);
    for (const int n_threads : {1, 2, 3, 8}) {
        StandaloneRun run(n_threads);
        CHECK(bootstrap_sums(run.context, statistics, columns, n_resamples, seed) == expected);
    }
}

} // namespace

TEST(segments_are_those_of_numpy) {
    // numpy.random.default_rng(12345).integers(0, 10, 12)
    Twin twin(10);
    for (const std::size_t segment : {6, 2, 7, 3, 2, 7, 6, 6, 9, 3, 8, 3}) CHECK_EQUAL(twin.segment(), segment);
}

TEST(sums_are_those_of_the_twin) {
    for (const std::size_t n : {2, 3, 31, 64, 1000})
        for (const std::size_t columns : {1, 10, 41}) check_sums(n, columns, 200, 30);
}

TEST(large_values_and_many_segments_take_wider_sums) {
    check_sums(100, 2, std::uint64_t{1} << 31, 20);
    check_sums(70'000, 2, 1000, 5);
}

TEST(draws_that_are_left_out_move_all_that_follow) {
    const std::size_t n = 2'500'001; // 2^32 modulo n is nearly n, so that one draw in 1,800 is left out
    const std::vector<std::int64_t> statistics = values(n, 100);
    Twin twin(n);
    const auto expected = naive_sums(statistics, 1, 3, twin);
    CHECK(twin.n_left_out > 1000);
    StandaloneRun run(2);
    CHECK(bootstrap_sums(run.context, statistics, 1, 3, seed) == expected);
}

TEST(one_segment_is_drawn_again_and_again) {
    StandaloneRun run(2);
    const std::vector<std::int64_t> row{3, 1, 4};
    CHECK(bootstrap_sums(run.context, row, 3, 2, seed) == (std::vector<std::int64_t>{3, 1, 4, 3, 1, 4}));
    CHECK(bootstrap_sums(run.context, row, 3, 0, seed).empty());
}
