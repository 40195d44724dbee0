#include "nn/reduce.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"

#include <algorithm>

namespace mlcore::nn {
namespace {

constexpr std::size_t lanes = 64;          // sums side by side where an axis is short or the last one
constexpr std::size_t tile = 1024;         // columns of a task: their sums stay in the first cache
constexpr std::size_t groups_a_block = 64; // of rows

/// How (n, inner) is cut. Several short rows make a group, so that the sums of a group fill vectors.
struct Cut {
    std::size_t n, inner;
    std::size_t rows = inner >= lanes ? 1 : lanes / inner; // of a group
    std::size_t block_rows = rows * groups_a_block;        // the last block may have fewer
    std::size_t blocks = std::max<std::size_t>((n + block_rows - 1) / block_rows, 1);
    std::size_t tiles = (inner + tile - 1) / tile;
};

/// sums (columns [begin, end) of inner) of one block of rows.
void sum_block_rows(const Cut& cut, const float* x, std::size_t block, std::size_t begin, std::size_t end,
                    double* sums) {
    const std::size_t first = block * cut.block_rows, last = std::min(first + cut.block_rows, cut.n);
    const std::size_t width = cut.rows == 1 ? end - begin : cut.rows * cut.inner;
    double wide[tile];
    std::fill_n(wide, width, 0.0);
    std::size_t row = first;
    for (; row + cut.rows <= last; row += cut.rows) {
        const float* from = x + row * cut.inner + begin;
        for (std::size_t j = 0; j < width; ++j) wide[j] += static_cast<double>(from[j]);
    }
    const float* from = x + row * cut.inner + begin; // less than a group, of one tile then
    for (std::size_t j = 0; row < last && j < (last - row) * cut.inner; ++j) wide[j] += static_cast<double>(from[j]);
    std::copy_n(wide, end - begin, sums);
    for (std::size_t r = 1; r < std::min(cut.rows, last - first); ++r)
        for (std::size_t j = 0; j < cut.inner; ++j) sums[j] += wide[r * cut.inner + j];
}

} // namespace

void sum_axis(const RunContext& ctx, const float* x, std::size_t outer, std::size_t n, std::size_t inner, double factor,
              float* out) {
    if (outer == 0 || inner == 0) return;
    const Cut cut{n, inner};
    const std::size_t pieces = cut.blocks * cut.tiles;
    const double ns = 10 + 0.3 * static_cast<double>(std::min(n, cut.block_rows) * std::min(inner, tile));
    Scratch<double> partials(cut.blocks > 1 ? outer * cut.blocks * inner : 0);
    parallel_tasks(ctx, outer * pieces, ns, [&](std::size_t task, int) {
        const std::size_t slice = task / pieces, block = task % pieces / cut.tiles, begin = task % cut.tiles * tile;
        const std::size_t end = std::min(begin + tile, inner);
        const float* from = x + slice * n * inner;
        if (cut.blocks > 1)
            return sum_block_rows(cut, from, block, begin, end,
                                  partials.data() + (slice * cut.blocks + block) * inner + begin);
        double sums[tile];
        sum_block_rows(cut, from, block, begin, end, sums);
        for (std::size_t j = begin; j < end; ++j) out[slice * inner + j] = static_cast<float>(factor * sums[j - begin]);
    });
    if (cut.blocks == 1) return;
    parallel_tasks(ctx, outer * cut.tiles, static_cast<double>(cut.blocks * std::min(inner, tile)),
                   [&](std::size_t task, int) {
                       const std::size_t slice = task / cut.tiles, begin = task % cut.tiles * tile;
                       const std::size_t width = std::min(tile, inner - begin);
                       double sums[tile];
                       std::fill_n(sums, width, 0.0);
                       for (std::size_t block = 0; block < cut.blocks; ++block) {
                           const double* part = partials.data() + (slice * cut.blocks + block) * inner + begin;
                           for (std::size_t j = 0; j < width; ++j) sums[j] += part[j];
                       }
                       for (std::size_t j = 0; j < width; ++j)
                           out[slice * inner + begin + j] = static_cast<float>(factor * sums[j]);
                   });
}

void cumulate(const RunContext& ctx, const float* x, std::size_t outer, std::size_t n, std::size_t inner,
              bool backwards, float* out) {
    if (inner == 0) return;
    const std::size_t tiles = (inner + tile - 1) / tile;
    parallel_tasks(ctx, outer * tiles, 10 + 1.0 * static_cast<double>(n * std::min(inner, tile)),
                   [&](std::size_t task, int) {
                       const std::size_t slice = task / tiles, begin = task % tiles * tile;
                       const std::size_t width = std::min(tile, inner - begin);
                       double sums[tile];
                       std::fill_n(sums, width, 0.0);
                       for (std::size_t i = 0; i < n; ++i) {
                           const std::size_t at = (slice * n + (backwards ? n - 1 - i : i)) * inner + begin;
                           for (std::size_t j = 0; j < width; ++j) {
                               sums[j] += static_cast<double>(x[at + j]);
                               out[at + j] = static_cast<float>(sums[j]);
                           }
                       }
                   });
}

} // namespace mlcore::nn
