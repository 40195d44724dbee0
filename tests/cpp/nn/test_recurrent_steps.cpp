// The order of the steps of a recurrent layer, and the product inside a step, against plain loops.
#include "check.hpp"

#include "core/context.hpp"
#include "nn/recurrent/product.hpp"
#include "nn/recurrent/sequence_layout.hpp"
#include "nn/recurrent/steps.hpp"
#include "nn/twin.hpp"

#include <atomic>
#include <cmath>

using namespace mlcore;
using namespace mlcore::nn;

TEST(steps_go_forth_or_back_in_time) {
    const std::vector<std::int64_t> lengths{2, 4, 1, 4};
    const SequenceLayout layout(4, 4, lengths);
    const std::size_t rows[] = {4, 3, 2, 2}; // of each time
    const RecurrentSteps forth(layout, false), back(layout, true);
    CHECK_EQUAL(forth.count(), std::size_t{4});
    std::size_t first = 0;
    for (std::size_t t = 0; t < 4; ++t) {
        CHECK_EQUAL(forth.time(t), t);
        CHECK_EQUAL(back.time(3 - t), t);
        CHECK_EQUAL(forth.rows(t), rows[t]);
        CHECK_EQUAL(back.rows(3 - t), rows[t]);
        CHECK_EQUAL(forth.first_row(t), first);
        CHECK_EQUAL(back.first_row(3 - t), first);
        CHECK_EQUAL(forth.carried(t), t == 0 ? 0 : rows[t]);        // sequences end
        CHECK_EQUAL(back.carried(3 - t), t == 3 ? 0 : rows[t + 1]); // or begin, seen from their end
        first += rows[t];
    }
}

TEST(states_are_sorted_by_length_and_back) {
    const std::vector<std::int64_t> lengths{2, 4, 1, 3};
    const SequenceLayout layout(4, 4, lengths);
    const std::size_t H = 3;
    const twin::Values values = twin::normal(4 * H, 1);
    twin::Values sorted(4 * H), again(4 * H);
    sort_states(layout, values.data(), H, sorted.data());
    const std::size_t by_length[] = {1, 3, 0, 2};
    for (std::size_t j = 0; j < 4; ++j)
        for (std::size_t h = 0; h < H; ++h) CHECK_EQUAL(sorted[j * H + h], values[by_length[j] * H + h]);
    unsort_states(layout, sorted.data(), H, again.data());
    CHECK(again == values);
    sort_states(layout, nullptr, H, sorted.data());
    CHECK(sorted == twin::Values(4 * H, 0));
}

TEST(products_of_a_step_follow_their_twin) {
    const StandaloneRun run(2);
    for (const std::size_t n_rows : {1, 5, 13, 40})
        for (const std::size_t H : {1, 16, 33, 70})
            for (const std::size_t K : {1, 17, 130}) {
                const std::size_t parts = 3;
                const twin::Values W = twin::normal(parts * H * K, 1), x = twin::normal(n_rows * K, 2);
                const PackedUnits units(run.context, row_major(W.data(), parts * H, K), parts);
                PackedRows left(n_rows, K);
                for (std::size_t k = 0; k < K; k += 50) // in pieces, as the units of a step arrive
                    left.pack(n_rows, k, std::min<std::size_t>(50, K - k), x.data() + k, K);
                const RowTiles tiles(n_rows);
                for (std::size_t unit = 0; unit < H; unit += unit_block) {
                    twin::Values C(parts * n_rows * unit_block, NAN);
                    Prefetch prefetch;
                    prefetch.add(C.data(), n_rows, unit_block, 1, 0, unit_block);
                    units.multiply(left, tiles, 0, tiles.count(), unit, C.data(), n_rows, prefetch);
                    for (std::size_t part = 0; part < parts; ++part)
                        for (std::size_t i = 0; i < n_rows; ++i)
                            for (std::size_t u = 0; u < std::min(unit_block, H - unit); ++u) {
                                double sum = 0;
                                for (std::size_t k = 0; k < K; ++k)
                                    sum += static_cast<double>(x[i * K + k]) *
                                           static_cast<double>(W[(part * H + unit + u) * K + k]);
                                CHECK_CLOSE(C[(part * n_rows + i) * unit_block + u], sum, 1e-4);
                            }
                }
            }
}

TEST(every_block_of_units_is_visited_once) {
    for (const std::size_t H : {1, 16, 64, 65, 200})
        for (const int n_threads : {1, 3}) {
            const StandaloneRun run(n_threads);
            const std::size_t n_blocks = (H + unit_block - 1) / unit_block;
            std::vector<std::atomic<int>> seen(2 * n_blocks);
            for_unit_blocks(run.context, 2, H, 1e6, [&](std::size_t direction, std::size_t unit) {
                CHECK(unit % unit_block == 0 && unit < H);
                ++seen[direction * n_blocks + unit / unit_block];
            });
            for (const auto& n : seen) CHECK_EQUAL(n.load(), 1);
        }
}
