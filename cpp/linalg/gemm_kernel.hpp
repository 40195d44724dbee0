// The innermost part of a matrix product: one tile of C in registers, and the panels it reads. For kernels that bring
// their own loops, such as attention; everybody else calls gemm().
//
// A panel of the left factor holds up to tile_rows rows, interleaved: panel[k * m + i] for a panel of m rows. A panel
// of the right factor holds tile_cols columns: panel[k * tile_cols + j]; missing columns are zero.
#pragma once

#include "core/simd.hpp"
#include "core/view.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace mlcore::linalg {

/// Sums of tile_rows x 2 vectors fill the registers of the level but three.
inline constexpr std::size_t tile_rows = simd::lanes == 16 ? 14 : simd::lanes == 8 ? 6 : 4;
inline constexpr std::size_t tile_cols = 2 * simd::lanes;

/// Steps of a product by which panels of the right factor are fetched before they are needed: these come from memory
/// wherever weights are larger than the caches, and 16 KiB are what it takes to hide its latency from a tile of ten
/// rows.
inline constexpr std::size_t far_ahead = 128;

/// C tile (M, two vectors), rows `stride` apart: C = (accumulate ? C : 0) + A panel of M rows * B panel, over n_k.
/// is_far: panels and tile are not in the nearest cache, and are fetched some steps before they are needed; where they
/// are, that would cost tiles of few rows a tenth of their time.
template <std::size_t M, class T = float, bool is_far = true>
void multiply_tile(const T* a, const T* b, std::size_t n_k, T* c, std::size_t stride, bool accumulate) {
    using Vector = decltype(simd::load(a));
    constexpr std::size_t lanes = simd::lanes_of<T>, ahead = 16; // steps of the left panel, which was just packed
    Vector sums[M][2];
    if constexpr (is_far)
        for (std::size_t i = 0; i < M; ++i) {
            __builtin_prefetch(c + i * stride, 1);
            __builtin_prefetch(c + i * stride + lanes, 1);
        }
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i) {
        sums[i][0] = accumulate ? simd::load(c + i * stride) : Vector{};
        sums[i][1] = accumulate ? simd::load(c + i * stride + lanes) : Vector{};
    }
    for (std::size_t k = 0; k < n_k; ++k, a += M, b += 2 * lanes) {
        if constexpr (is_far) {
            __builtin_prefetch(a + ahead * M);
            __builtin_prefetch(b + far_ahead * 2 * lanes);
            __builtin_prefetch(b + far_ahead * 2 * lanes + lanes);
        }
        const Vector left = simd::load(b), right = simd::load(b + lanes);
#pragma GCC unroll 14
        for (std::size_t i = 0; i < M; ++i) {
            const Vector x = simd::broadcast(a[i]);
            sums[i][0] = simd::fma(x, left, sums[i][0]);
            sums[i][1] = simd::fma(x, right, sums[i][1]);
        }
    }
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i) {
        simd::store(c + i * stride, sums[i][0]);
        simd::store(c + i * stride + lanes, sums[i][1]);
    }
}

using TileKernel = void (*)(const float* a, const float* b, std::size_t n_k, float* c, std::size_t stride,
                            bool accumulate);

/// Panels of B that tiles of m rows take side by side: a tile of few rows has few sums, which would wait for each
/// other.
inline constexpr std::size_t panels_at_once(std::size_t m) { return std::clamp<std::size_t>(tile_rows / m, 1, 4); }

/// C (M, P panels wide), as multiply_tile for each of P panels of B, which are `panel_step` apart.
template <std::size_t M, std::size_t P = panels_at_once(M)>
void multiply_wide_tile(const float* a, const float* b, std::size_t panel_step, std::size_t n_k, float* c,
                        std::size_t stride, bool accumulate) {
    using simd::Floats, simd::lanes;
    constexpr std::size_t ahead = far_ahead / P;
    Floats sums[M][2 * P];
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i)
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 2 * P; ++j)
            sums[i][j] = accumulate ? simd::load(c + i * stride + j * lanes) : Floats{};
    for (std::size_t k = 0; k < n_k; ++k, a += M, b += tile_cols) {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < P; ++p) {
            const float* terms = b + p * panel_step;
            __builtin_prefetch(terms + ahead * tile_cols);
            __builtin_prefetch(terms + ahead * tile_cols + lanes);
            const Floats left = simd::load(terms), right = simd::load(terms + lanes);
#pragma GCC unroll 14
            for (std::size_t i = 0; i < M; ++i) {
                const Floats x = simd::broadcast(a[i]);
                sums[i][2 * p] = simd::fma(x, left, sums[i][2 * p]);
                sums[i][2 * p + 1] = simd::fma(x, right, sums[i][2 * p + 1]);
            }
        }
    }
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i)
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 2 * P; ++j) simd::store(c + i * stride + j * lanes, sums[i][j]);
}

using WideTileKernel = void (*)(const float* a, const float* b, std::size_t panel_step, std::size_t n_k, float* c,
                                std::size_t stride, bool accumulate);

/// The kernel for a panel of m rows and panels_at_once(m) panels of columns, 1 <= m <= tile_rows / 2.
inline WideTileKernel wide_tile_kernel(std::size_t m) {
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<WideTileKernel, tile_rows / 2>{&multiply_wide_tile<I + 1>...};
    }(std::make_index_sequence<tile_rows / 2>{});
    return kernels[m - 1];
}

/// The kernel for a panel of m rows, 1 <= m <= tile_rows.
inline TileKernel tile_kernel(std::size_t m) {
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<TileKernel, tile_rows>{&multiply_tile<I + 1>...};
    }(std::make_index_sequence<tile_rows>{});
    return kernels[m - 1];
}

/// panel[k * width + i] = rows[i * row_stride + k] for i < m, 0 for m <= i < width; k < n_k. The entries of a row lie
/// side by side. Nothing beyond the panel is written.
void interleave(const float* rows, std::ptrdiff_t row_stride, std::size_t m, std::size_t n_k, float* panel,
                std::size_t width);

/// A panel of `width` from m <= width rows of A and its columns [k, k + n_k): panel[(t - k) * width + i] = A(row + i,
/// t). The same with transposed(B) packs columns of B.
void pack_panel(MatrixView<const float> A, std::size_t row, std::size_t m, std::size_t k, std::size_t n_k, float* panel,
                std::size_t width);

} // namespace mlcore::linalg
