// The product inside a step: the few rows of one step times a weight that stays packed for the whole sequence. Tasks
// are blocks of as many hidden units as a tile of the product has columns, with all gates of these units: whoever
// computes a block goes on with the gates while the products are in cache, and writes its share of the next left
// factor in packed form.
#pragma once

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"
#include "nn/row_tiles.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace mlcore::nn {

inline constexpr std::size_t unit_block = linalg::tile_cols;

/// Rows of a matrix as the left factor of the products of a step: tile after tile, each with all K terms.
class PackedRows {
  public:
    PackedRows() = default;
    PackedRows(std::size_t most_rows, std::size_t K) : K_(K), data_(most_rows * K) {}

    const float* tile(const RowTiles& tiles, std::size_t i) const { return data_.data() + tiles.begin(i) * K_; }

    /// Terms [k, k + n) of rows [0, n_rows), from a matrix whose first entry is row 0, term k.
    void pack(std::size_t n_rows, std::size_t k, std::size_t n, const float* from, std::size_t row_stride) {
        const RowTiles tiles(n_rows);
        for (std::size_t i = 0; i < tiles.count(); ++i) {
            const std::size_t row = tiles.begin(i), m = tiles.height(i);
            linalg::interleave(from + row * row_stride, static_cast<std::ptrdiff_t>(row_stride), m, n,
                               data_.data() + row * K_ + k * m, m);
        }
    }

  private:
    std::size_t K_ = 0;
    Scratch<float> data_;
};

/// What a block of units will touch after its product: pieces of a few cache lines, too far apart for the processor to
/// foresee them. They are asked for a few at a time while the product is computed, for it takes only so many at once.
class Prefetch {
  public:
    /// n_rows times n_columns pieces of n_units entries.
    void add(const float* first, std::size_t n_rows, std::size_t row_stride, std::size_t n_columns,
             std::size_t column_stride, std::size_t n_units) {
        const std::size_t lines = (n_units * sizeof(float) + cache_line - 1) / cache_line;
        for (std::size_t row = 0; row < n_rows; ++row)
            for (std::size_t column = 0; column < n_columns; ++column)
                for (std::size_t line = 0; line < lines && n_ < most; ++line)
                    places_[n_++] =
                        first + row * row_stride + column * column_stride + line * cache_line / sizeof(float);
    }
    /// Asks for all that is left, in n_calls calls.
    void some(std::size_t n_calls) {
        for (const std::size_t end = done_ + (n_ - done_) / n_calls; done_ < end; ++done_)
            __builtin_prefetch(places_[done_]);
    }

  private:
    static constexpr std::size_t most = 1536;
    std::array<const float*, most> places_;
    std::size_t n_ = 0, done_ = 0;
};

/// A weight (n_parts H, K) whose transpose is the right factor: the panels of one block of units, part by part.
class PackedUnits {
  public:
    PackedUnits(const RunContext& ctx, MatrixView<const float> W, std::size_t n_parts)
        : n_parts_(n_parts), K_(W.cols), H_(W.rows / n_parts),
          panels_(n_parts * ((H_ + unit_block - 1) / unit_block) * unit_block * K_) {
        const double ns = 0.3 * static_cast<double>(K_ * unit_block);
        parallel_tasks(ctx, panels_.size() / (K_ * unit_block), ns, [&](std::size_t panel, int) {
            const std::size_t unit = panel / n_parts_ * unit_block, part = panel % n_parts_;
            linalg::pack_panel(W, part * H_ + unit, std::min(unit_block, H_ - unit), 0, K_,
                               panels_.data() + panel * K_ * unit_block, unit_block);
        });
    }

    /// C (n_parts, C_rows, unit_block) = rows of the tiles [first, last) times the units [unit, unit + unit_block):
    /// row 0 of C is the first row of tile `first`.
    void multiply(const PackedRows& rows, const RowTiles& tiles, std::size_t first, std::size_t last, std::size_t unit,
                  float* C, std::size_t C_rows, Prefetch& prefetch) const {
        constexpr std::size_t depth = 128; // a piece of a panel and of a tile stay in L1
        const float* panels = panels_.data() + unit * n_parts_ * K_;
        const std::size_t top = tiles.begin(first);
        std::size_t n_calls = (K_ + depth - 1) / depth * n_parts_ * (last - first);
        for (std::size_t k = 0; k < K_; k += depth)
            for (std::size_t part = 0; part < n_parts_; ++part)
                for (std::size_t i = first; i < last; ++i) {
                    const std::size_t m = tiles.height(i);
                    prefetch.some(n_calls--);
                    linalg::tile_kernel(m)(rows.tile(tiles, i) + k * m, panels + (part * K_ + k) * unit_block,
                                           std::min(depth, K_ - k),
                                           C + (part * C_rows + tiles.begin(i) - top) * unit_block, unit_block, k > 0);
                }
    }

  private:
    std::size_t n_parts_, K_, H_;
    Scratch<float> panels_;
};

/// f(direction, unit) for each block of units of each direction. Blocks of one thread follow one another, so that it
/// finds its part of the weight in its own cache in each step.
template <class F>
void for_unit_blocks(const RunContext& ctx, std::size_t n_directions, std::size_t H, double ns_per_unit, F&& f) {
    const std::size_t padded = (H + 63) / 64 * 64; // ranges are cut at multiples of 64
    parallel_ranges(ctx, n_directions * padded, ns_per_unit, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; i += unit_block)
            if (i % padded < H) f(i / padded, i % padded);
    });
}

} // namespace mlcore::nn
