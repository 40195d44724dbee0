// What the passes of attention share: products of tiles, packing, masks and dropout on a transposed tile.
//
// A transposed tile holds `panel` queries side by side for each key: tile[key * panel + query]. Queries that are
// missing in the last panel are zero vectors.
#pragma once

#include "core/memory.hpp"
#include "core/simd.hpp"
#include "linalg/gemm_kernel.hpp"
#include "nn/attention/attention.hpp"
#include "nn/row_tiles.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace mlcore::nn::tiles {

inline constexpr std::size_t panel = linalg::tile_cols; // queries of a tile: two vectors
inline constexpr std::size_t key_block = 128;
inline constexpr float log2_e = 0x1.715476p0f;
inline constexpr float infinity = std::numeric_limits<float>::infinity();

inline std::size_t padded(std::size_t n) { return (n + simd::lanes - 1) / simd::lanes * simd::lanes; }
inline std::size_t n_panels(std::size_t n) { return (n + panel - 1) / panel; }

/// Queries that a tile of `n` has room for: one vector or two.
inline std::size_t tile_width(std::size_t n) { return n <= simd::lanes ? simd::lanes : panel; }

// ---- products ----

/// The sums of a product: over n_groups times n_k terms. Term t of group g has its left entries at a[g * a_group + t *
/// a_step + i * a_row], its right ones at b + (g * n_k + t) * b_step.
struct Terms {
    std::size_t n_k, a_step, b_step;
    std::size_t a_row = 1;
    std::size_t n_groups = 1, a_group = 0;
};

/// One row on, in a way that keeps the compiler from computing the addresses of all rows beforehand, for which there
/// are no registers.
[[gnu::always_inline]] inline float* next_row(float* row, std::size_t step) {
    row += step;
    asm("" : "+r"(row));
    return row;
}

/// The left entries of a term: M rows, `row` apart, or terms.a_row where `row` is 0. Every third row has a pointer:
/// the others are one or two steps from it, which is an address.
template <std::size_t M, std::size_t row>
class LeftRows {
  public:
    LeftRows(const float* a, const Terms& terms) : step_(terms.a_row) {
#pragma GCC unroll 5
        for (std::size_t p = 0; p < n_pointers; ++p) {
            at_[p] = a + (row > 0 ? 0 : 3 * p * step_);
            asm("" : "+r"(at_[p]));
        }
    }
    [[gnu::always_inline]] float operator[](std::size_t i) const {
        if constexpr (row > 0) return at_[0][i * row];
        return at_[i / 3][i % 3 * step_];
    }
    [[gnu::always_inline]] void operator+=(std::size_t n) {
#pragma GCC unroll 5
        for (std::size_t p = 0; p < n_pointers; ++p) at_[p] += n;
    }

  private:
    static constexpr std::size_t n_pointers = row > 0 ? 1 : (M + 2) / 3;
    const float* at_[n_pointers];
    std::size_t step_;
};

/// C (M, N vectors), rows c_step apart, = or += A B. `row`: distance of the rows of the left factor, 0: terms.a_row.
template <std::size_t M, std::size_t N, std::size_t row>
void product_tile(const float* a, const float* b, const Terms& terms, float* c, std::size_t c_step, bool accumulate) {
    using simd::Floats, simd::lanes;
    Floats sums[M][N];
    float* at = c;
#pragma GCC unroll 16
    for (std::size_t i = 0; i < M; ++i, at = next_row(at, c_step))
#pragma GCC unroll 2
        for (std::size_t j = 0; j < N; ++j) sums[i][j] = accumulate ? simd::load(at + j * lanes) : Floats{};
    const std::size_t a_step = terms.a_step, b_step = terms.b_step;
    for (std::size_t g = 0; g < terms.n_groups; ++g) {
        LeftRows<M, row> x(a + g * terms.a_group, terms);
        for (std::size_t k = 0; k < terms.n_k; ++k, x += a_step, b += b_step) {
            Floats right[N];
#pragma GCC unroll 2
            for (std::size_t j = 0; j < N; ++j) right[j] = simd::load(b + j * lanes);
#pragma GCC unroll 16
            for (std::size_t i = 0; i < M; ++i) {
                const Floats left = simd::broadcast(x[i]);
#pragma GCC unroll 2
                for (std::size_t j = 0; j < N; ++j) sums[i][j] = simd::fma(left, right[j], sums[i][j]);
            }
        }
    }
    at = c;
#pragma GCC unroll 16
    for (std::size_t i = 0; i < M; ++i, at = next_row(at, c_step))
#pragma GCC unroll 2
        for (std::size_t j = 0; j < N; ++j) simd::store(at + j * lanes, sums[i][j]);
}

/// C (m, n), n a multiple of the lanes, rows c_step apart, = or += A B, tile by tile. Rows of the left factor are `row`
/// apart, terms.a_row where it is 0; columns of the right one lie side by side.
template <std::size_t row>
void product(std::size_t m, std::size_t n, const float* a, const float* b, const Terms& terms, float* c,
             std::size_t c_step, bool accumulate) {
    using Kernel = void (*)(const float*, const float*, const Terms&, float*, std::size_t, bool);
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<std::array<Kernel, 2>, linalg::tile_rows>{
            std::array<Kernel, 2>{&product_tile<I + 1, 1, row>, &product_tile<I + 1, 2, row>}...};
    }(std::make_index_sequence<linalg::tile_rows>{});
    const RowTiles tiles(m);
    for (std::size_t t = 0; t < tiles.count(); ++t) {
        const std::size_t i = tiles.begin(t), height = tiles.height(t);
        for (std::size_t j = 0; j < n; j += 2 * simd::lanes) {
            const std::size_t width = n - j >= 2 * simd::lanes;
            kernels[height - 1][width](a + i * (row > 0 ? row : terms.a_row), b + j, terms, c + i * c_step + j, c_step,
                                       accumulate);
        }
    }
}

/// Tile (m, cols) of inner products of m rows, `width` apart, with the queries of a panel packed by pack_queries.
inline void scores_tile(std::size_t m, std::size_t cols, const float* rows, std::size_t width, const float* queries,
                        std::size_t depth, float* tile) {
    product<0>(m, cols, rows, queries, Terms{.n_k = depth, .a_step = 1, .b_step = cols, .a_row = width}, tile, panel,
               false);
}

// ---- packing ----

/// A row times a factor. What lies between `depth` and `width`, a multiple of the lanes, becomes 0.
[[gnu::always_inline]] inline void pack_row(const float* from, std::size_t depth, std::size_t width, float factor,
                                            float* to) {
    std::size_t d = 0;
    for (; d + simd::lanes <= depth; d += simd::lanes) simd::store(to + d, factor * simd::load(from + d));
    if (d < width) simd::store(to + d, factor * simd::load_first(from + d, depth - d));
}

/// Rows of a head, `factor` times, side by side, padded with zeros to a multiple of the lanes.
inline void pack_rows(const float* rows, std::ptrdiff_t row_stride, std::size_t n, std::size_t depth, float factor,
                      float* out) {
    const std::size_t width = padded(depth);
    for (std::size_t i = 0; i < n; ++i, rows += row_stride, out += width) pack_row(rows, depth, width, factor, out);
}

/// Panels of queries as right factors: out[p * panel * depth + d * cols + j] = rows[p * panel + j][d], with as many
/// columns as tile_width() says of each panel.
inline void pack_queries(const float* rows, std::ptrdiff_t row_stride, std::size_t n, std::size_t depth, float* out) {
    for (std::size_t i = 0; i < n; i += panel) {
        const std::size_t here = std::min(panel, n - i);
        linalg::interleave(rows + static_cast<std::ptrdiff_t>(i) * row_stride, row_stride, here, depth, out + i * depth,
                           tile_width(here));
    }
}

/// A row of results, whose width is padded, to where it belongs.
[[gnu::always_inline]] inline void unpack_row(const float* from, std::size_t depth, float factor, float* to) {
    std::size_t d = 0;
    for (; d + simd::lanes <= depth; d += simd::lanes) simd::store(to + d, factor * simd::load(from + d));
    if (d < depth) simd::store_first(to + d, factor * simd::load(from + d), depth - d);
}

// ---- softmax ----

/// e^x for x <= 0, 0 below -87; NaN stays NaN. A relative error of 2 ulp and of |x| 2^-26 (|x| 2^-24 without
/// fused multiply-adds): scores are the sums of long products, less exact themselves. The change of base is part of the
/// reduction: two multiply-adds in the place of two additions, so that a score needs no factor before its distance from
/// the maximum is taken, by which the largest finite ones would overflow.
[[gnu::always_inline]] inline simd::Floats exp_score(simd::Floats x) {
    using simd::Floats, simd::fma, simd::broadcast;
    using simd::Integers;
    constexpr float rounder = 0x1.8p23f; // adding it moves the nearest integer into the lowest bits
    const Integers underflow = x < -87;
    const Floats shifted = fma(x, broadcast(log2_e), broadcast(rounder));
    const Floats r = fma(x, broadcast(log2_e), rounder - shifted); // |r| <= 1/2
    const Floats r2 = r * r;
    // e^(r ln 2), coefficients of core/vecmath.hpp times powers of ln 2
    const Floats high =
        fma(r2, broadcast(0x1.445fbep-13f), fma(r, broadcast(0x1.5eecf4p-10f), broadcast(0x1.3b29f8p-7f)));
    const Floats low = fma(r, broadcast(0x1.c6afb2p-5f), broadcast(0x1.ebfbep-3f));
    const Floats power = fma(r2, fma(r2, high, low), fma(r, broadcast(0x1.62e430p-1f), broadcast(1.0f)));
    const Integers scale = ((Integers)shifted + 127) << 23; // the high bits of `rounder` are shifted out
    return underflow ? Floats{} : power * (Floats)scale;
}

/// Hides from a tile (n, cols) what is later than the query. first_key, first_query: positions of its corner.
inline void hide_later_keys(float* tile, std::size_t n, std::size_t cols, std::size_t first_key,
                            std::size_t first_query) {
    using simd::lanes;
    const std::size_t begin = first_query + 1 > first_key ? first_query + 1 - first_key : 0;
    for (std::size_t i = begin; i < n; ++i) {
        const std::size_t hidden = first_key + i - first_query; // the first so many queries
        for (std::size_t j = 0; j < cols; j += lanes) {
            float* at = tile + i * panel + j;
            const std::size_t here = hidden > j ? std::min(hidden - j, lanes) : 0;
            simd::store(at, simd::first_lanes(here, simd::broadcast(-infinity), simd::load(at)));
        }
    }
}

/// tile (n, cols) *= factors.
inline void multiply(float* tile, const float* factors, std::size_t n, std::size_t cols) {
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i * panel; j < i * panel + cols; j += simd::lanes)
            simd::store(tile + j, simd::load(tile + j) * simd::load(factors + j));
}

/// How many of n keys from first_key on the last query of a panel can see.
inline std::size_t visible(bool causal, std::size_t n, std::size_t first_key, std::size_t last_query) {
    if (!causal) return n;
    return last_query < first_key ? 0 : std::min(n, last_query - first_key + 1);
}

/// Adds the bias to a tile (n, cols). room: (key_block, panel).
inline void add_bias(const Attention& a, const float* head, std::size_t first_key, std::size_t n,
                     std::size_t first_query, std::size_t cols, float* tile, float* room) {
    const std::size_t queries = std::min(panel, a.n_queries - first_query);
    const MatrixView<const float> B{head, a.n_queries, a.n_keys, a.bias.strides[2], a.bias.strides[3]};
    linalg::pack_panel(B, first_query, queries, first_key, n, room, panel);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i * panel; j < i * panel + cols; j += simd::lanes)
            simd::store(tile + j, simd::load(tile + j) + simd::load(room + j));
}

// ---- dropout ----

/// Which weights of one head are kept: 16 bits of Philox4x32-10 (core/random.hpp) with the head as its stream and
/// (query, key / 8) as its counter, eight keys a draw; computed for all queries of a vector at once.
class DropoutMask {
  public:
    DropoutMask(std::uint64_t seed, std::size_t head, float p)
        : seed_(seed), head_(head), kept_(65536 - std::min(65535u, static_cast<unsigned>(std::lround(p * 65536.0f)))) {}

    /// What a kept weight is multiplied by.
    float factor() const { return 65536.0f / static_cast<float>(kept_); }

    /// factors (n, cols), rows `panel` apart: factor() or 0. first_key is a multiple of 8; room for n rounded up to a
    /// multiple of 8.
    void fill(std::size_t first_key, std::size_t n, std::size_t first_query, std::size_t cols, float* factors) const;

  private:
    std::uint64_t seed_, head_;
    unsigned kept_; // of 65536
};

} // namespace mlcore::nn::tiles
