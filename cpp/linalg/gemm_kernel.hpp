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

/// C tile (M, tile_cols), rows `stride` apart: C = (accumulate ? C : 0) + A panel of M rows * B panel, over n_k.
template <std::size_t M>
void multiply_tile(const float* a, const float* b, std::size_t n_k, float* c, std::size_t stride, bool accumulate) {
    using simd::Floats, simd::lanes;
    constexpr std::size_t ahead = 16; // steps by which panels are fetched before they are read
    Floats sums[M][2];
    for (std::size_t i = 0; i < M; ++i) { // the tile itself is far away too, and needed at the end
        __builtin_prefetch(c + i * stride, 1);
        __builtin_prefetch(c + i * stride + lanes, 1);
    }
#pragma GCC unroll 14
    for (std::size_t i = 0; i < M; ++i) {
        sums[i][0] = accumulate ? simd::load(c + i * stride) : Floats{};
        sums[i][1] = accumulate ? simd::load(c + i * stride + lanes) : Floats{};
    }
    for (std::size_t k = 0; k < n_k; ++k, a += M, b += tile_cols) {
        __builtin_prefetch(a + ahead * M);
        __builtin_prefetch(b + ahead * tile_cols);
        __builtin_prefetch(b + ahead * tile_cols + lanes);
        const Floats left = simd::load(b), right = simd::load(b + lanes);
#pragma GCC unroll 14
        for (std::size_t i = 0; i < M; ++i) {
            const Floats x = simd::broadcast(a[i]);
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
