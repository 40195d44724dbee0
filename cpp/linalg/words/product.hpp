// Products of packed words (linalg/words/kernel.hpp): how rows are cut into tiles and dealt out to threads. Each entry
// is one sum over all words in their order, whatever the tile or the thread that makes it.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"
#include "linalg/words/kernel.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mlcore::linalg::words {

inline constexpr std::size_t most_sums = 2 * 16 * 16; // of a tile of any kernel
inline constexpr std::size_t block_words =
    48 * std::size_t{1024}; // of rows that stay in the second-level cache while all columns pass

template <class Sum>
std::size_t n_panels(std::size_t cols, const Kernel<Sum>& kernel) {
    return (cols + kernel.cols - 1) / kernel.cols;
}

/// The left factor: panels of `height` rows one after another; the last may have fewer.
struct Rows {
    std::size_t m, height, n_words;
    Scratch<std::int32_t> panels;

    /// write(first, count, to): rows [first, first + count) as words, one row after the other. ns: of one. most_rows:
    /// of a panel. Panels are as few as can be, of like height.
    template <class Write>
    Rows(const RunContext& ctx, std::size_t n_rows, std::size_t words, std::size_t most_rows, double ns, Write&& write)
        : m(n_rows), n_words(words), panels(n_rows * words) {
        const std::size_t least = (m + most_rows - 1) / most_rows;
        height = least == 0 ? 1 : (m + least - 1) / least;
        parallel_tasks(ctx, n_panels(), ns * static_cast<double>(height), [&](std::size_t t, int) {
            const std::size_t first = t * height, rows = std::min(height, m - first);
            std::int32_t* panel = panels.data() + first * n_words;
            if (rows == 1) return write(first, rows, panel); // one row is a panel as it is
            Scratch<std::int32_t> together(rows * n_words);
            write(first, rows, together.data());
            // A word is as wide as a float, and moved as one.
            interleave(reinterpret_cast<const float*>(together.data()), static_cast<std::ptrdiff_t>(n_words), rows,
                       n_words, reinterpret_cast<float*>(panel), rows);
        });
    }

    std::size_t n_panels() const { return (m + height - 1) / height; }
};

/// The right factor: panels of kernel.cols columns one after another, and what the sums of each column start with, up
/// to the end of the last panel, or nullptr for zeros.
template <class Sum>
struct Columns {
    const Kernel<Sum>& kernel;
    const void* panels;
    const Sum* starts;
    std::size_t n;
};

/// finish(sums, stride, row, col, height, width) of each tile of the product. ops_per_ns: of one thread, for the
/// estimate of what a task costs.
template <class Sum, class Finish>
void multiply(const RunContext& ctx, const Rows& left, const Columns<Sum>& right, double ops_per_ns, Finish&& finish) {
    const Kernel<Sum>& kernel = right.kernel;
    const std::size_t panels = n_panels(right.n, kernel), whole = right.n / kernel.cols;
    const std::size_t panel_bytes = left.n_words * kernel.word_bytes * kernel.cols;
    // Blocks of tiles, several a thread; columns are cut as well where there are too few rows for that.
    const std::size_t tiles = left.n_panels();
    const double terms = static_cast<double>(left.n_words * kernel.terms);
    const double work =
        2.0 * static_cast<double>(left.m) * static_cast<double>(panels * kernel.cols) * terms / ops_per_ns;
    const auto threads = static_cast<std::size_t>(threads_for(ctx, work));
    const std::size_t wanted = threads == 1 ? 1 : 4 * threads;
    const std::size_t fit =
        std::max<std::size_t>(block_words / std::max<std::size_t>(left.height * left.n_words, 1), 1);
    const std::size_t block = std::min({fit, std::max<std::size_t>((tiles + wanted - 1) / wanted, 4), tiles});
    const std::size_t row_blocks = (tiles + block - 1) / block;
    const std::size_t column_blocks = std::clamp<std::size_t>((wanted + row_blocks - 1) / row_blocks, 1, panels);
    const std::size_t n_tasks = row_blocks * column_blocks;
    parallel_tasks(ctx, n_tasks, work / static_cast<double>(n_tasks), [&](std::size_t task, int) {
        const std::size_t first = task / column_blocks * block, last = std::min(first + block, tiles);
        const std::size_t part = task % column_blocks, end = panels * (part + 1) / column_blocks;
        alignas(64) Sum sums[most_sums];
        for (std::size_t p = panels * part / column_blocks, taken; p < end; p += taken) {
            const std::size_t at_once = panels_at_once(kernel.rows, left.height);
            taken = first + 1 == last && p + at_once <= std::min(end, whole) ? at_once : 1;
            const std::size_t col = p * kernel.cols, width = std::min(taken * kernel.cols, right.n - col);
            for (std::size_t t = first; t < last; ++t) {
                const std::size_t row = t * left.height, height = std::min(left.height, left.m - row);
                const Tile<Sum> tile{left.panels.data() + row * left.n_words,
                                     static_cast<const char*>(right.panels) + p * panel_bytes,
                                     left.n_words,
                                     panel_bytes,
                                     right.starts ? right.starts + col : nullptr,
                                     sums,
                                     taken * kernel.cols};
                (taken > 1 ? kernel.wide : kernel.narrow)[height - 1](tile);
                finish(sums, tile.stride, row, col, height, width);
            }
        }
    });
}

} // namespace mlcore::linalg::words
