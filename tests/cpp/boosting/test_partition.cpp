#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/partition.hpp"
#include "core/parallel.hpp"

#include <algorithm>

using namespace twin;

namespace {

constexpr std::size_t piece = Partition::piece_rows;

/// Which bins go left: none, all, or some.
struct Sides {
    std::uint8_t goes_left[256];
    Sides(Random& random, double share) {
        for (std::uint8_t& side : goes_left) side = random.chance(share);
    }
};

std::vector<std::uint8_t> random_column(Random& random, std::size_t n) {
    std::vector<std::uint8_t> column(n);
    for (std::uint8_t& bin : column) bin = static_cast<std::uint8_t>(random.below(256));
    return column;
}

/// Both stages, the second one in any order.
std::size_t split(const RunContext& ctx, Partition& partition, std::size_t begin, std::size_t end,
                  const std::vector<std::uint8_t>& column, const Sides& sides) {
    const std::vector<std::uint32_t> before(partition.rows() + begin, partition.rows() + end);
    const std::size_t n_pieces = partition.start_split(begin, end);
    CHECK(n_pieces >= 1 && (n_pieces == 1 || (end - begin) / n_pieces >= piece));
    std::vector<std::size_t> n_left(n_pieces), n_right(n_pieces);
    parallel_tasks(ctx, n_pieces, 1e6, [&](std::size_t p, int) {
        const Partition::Piece rows = partition.divide(p, column.data(), sides.goes_left);
        for (const std::uint32_t row : rows.left) CHECK(sides.goes_left[column[row]]);
        for (const std::uint32_t row : rows.right) CHECK(!sides.goes_left[column[row]]);
        n_left[p] = rows.left.size();
        n_right[p] = rows.right.size();
    });
    const std::size_t left = partition.count_left();
    CHECK_EQUAL(left, std::accumulate(n_left.begin(), n_left.end(), std::size_t{0}));
    CHECK_EQUAL(end - begin - left, std::accumulate(n_right.begin(), n_right.end(), std::size_t{0}));
    parallel_tasks(ctx, n_pieces, 1e6, [&](std::size_t p, int) { partition.copy_back(n_pieces - 1 - p); });

    std::vector<std::uint32_t> expected = before;
    std::stable_partition(expected.begin(), expected.end(),
                          [&](std::uint32_t row) { return sides.goes_left[column[row]] != 0; });
    CHECK(std::equal(expected.begin(), expected.end(), partition.rows() + begin));
    return begin + left;
}

} // namespace

TEST(a_split_is_a_stable_partition_at_every_size) {
    Random random(1);
    std::vector<std::size_t> sizes{1, 2, 3, 31, 32, 33, 100, 1000};
    for (const std::size_t n_pieces : {1, 2, 3, 5})
        for (const std::size_t off : {0, 1, 2}) {
            sizes.push_back(n_pieces * piece + off);
            if (off) sizes.push_back(n_pieces * piece - off);
        }
    for (const std::size_t n : sizes)
        for (const int n_threads : {1, 2, 3, 8})
            for (const double share : {0.0, 0.01, 0.5, 0.99, 1.0}) {
                StandaloneRun run(n_threads);
                Partition partition(n);
                partition.reset(run.context);
                CHECK_EQUAL(partition.size(), n);
                split(run.context, partition, 0, n, random_column(random, n), Sides(random, share));
            }
}

TEST(segments_split_without_touching_their_neighbours) {
    Random random(2);
    StandaloneRun run(3);
    constexpr std::size_t n = 10 * piece;
    Partition partition(n);
    partition.reset(run.context);
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    CHECK(std::equal(order.begin(), order.end(), partition.rows()));
    for (int round = 0; round < 60; ++round) {
        const std::size_t begin = random.below(n), end = begin + 1 + random.below(n - begin);
        std::copy_n(partition.rows(), n, order.begin());
        split(run.context, partition, begin, end, random_column(random, n), Sides(random, 0.5));
        CHECK(std::equal(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(begin), partition.rows()));
        CHECK(std::equal(order.begin() + static_cast<std::ptrdiff_t>(end), order.end(), partition.rows() + end));
    }
    std::copy_n(partition.rows(), n, order.begin());
    std::sort(order.begin(), order.end()); // every row is still there, once
    for (std::uint32_t i = 0; i < n; ++i)
        if (order[i] != i) return check::fail("rows", static_cast<int>(i), "lost or doubled");
}

TEST(drawn_rows_are_kept_in_order) {
    Random random(3);
    StandaloneRun run(2);
    constexpr std::size_t n = 50'000;
    Partition partition(n);
    for (const double share : {0.9, 0.1, 0.5}) { // a smaller sample after a larger one, and the other way round
        std::vector<std::uint32_t> drawn;
        for (std::uint32_t i = 0; i < n; ++i)
            if (random.chance(share)) drawn.push_back(i);
        partition.reset(drawn);
        CHECK_EQUAL(partition.size(), drawn.size());
        CHECK(std::equal(drawn.begin(), drawn.end(), partition.rows()));
        const std::size_t middle =
            split(run.context, partition, 0, drawn.size(), random_column(random, n), Sides(random, 0.4));
        CHECK(std::is_sorted(partition.rows(), partition.rows() + middle));
        CHECK(std::is_sorted(partition.rows() + middle, partition.rows() + drawn.size()));
    }
    partition.reset(run.context);
    CHECK_EQUAL(partition.size(), n);
}
