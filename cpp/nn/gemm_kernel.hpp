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

namespace mlcore::nn {

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

namespace detail {

/// Rows become columns: v[i][j] <-> v[j][i] of a square of vectors, by interleaving halves.
[[gnu::always_inline]] inline void transpose(simd::Floats (&v)[simd::lanes]) {
    using simd::Floats, simd::lanes;
    Floats w[lanes];
#pragma GCC unroll 4
    for (std::size_t stage = 1; stage < lanes; stage *= 2) {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < lanes / 2; ++i) {
            const Floats a = v[i], b = v[i + lanes / 2];
#if defined(__AVX512F__)
            w[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            w[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(__AVX__)
            w[2 * i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
            w[2 * i + 1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
            w[2 * i] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
            w[2 * i + 1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < lanes; ++i) v[i] = w[i];
    }
}

/// panel[k * width + i] = rows[i * row_stride + k] for i < m, k < n_k; 0 for m <= i < width. The entries of a row lie
/// side by side.
inline void interleave(const float* rows, std::ptrdiff_t row_stride, std::size_t m, std::size_t n_k, float* panel,
                       std::size_t width) {
    using simd::Floats, simd::lanes;
    std::size_t done = 0; // columns of the panel that are filled
    for (; done < width; done += lanes) {
        const std::size_t n = std::min(lanes, width - done), present = m > done ? std::min(n, m - done) : 0;
        const float* from = rows + static_cast<std::ptrdiff_t>(done) * row_stride;
        std::size_t k = 0;
        for (; k + lanes <= n_k; k += lanes) {
            Floats v[lanes] = {};
            if (present == lanes)
                for (std::size_t i = 0; i < lanes; ++i)
                    v[i] = simd::load(from + static_cast<std::ptrdiff_t>(i) * row_stride + k);
            else
                for (std::size_t i = 0; i < present; ++i)
                    v[i] = simd::load(from + static_cast<std::ptrdiff_t>(i) * row_stride + k);
            transpose(v);
            float* out = panel + k * width + done;
            if (n == lanes)
                for (std::size_t j = 0; j < lanes; ++j) simd::store(out + j * width, v[j]);
            else
                for (std::size_t j = 0; j < lanes; ++j) std::memcpy(out + j * width, &v[j], n * sizeof(float));
        }
        for (; k < n_k; ++k)
            for (std::size_t i = 0; i < n; ++i)
                panel[k * width + done + i] =
                    i < present ? from[static_cast<std::ptrdiff_t>(i) * row_stride + static_cast<std::ptrdiff_t>(k)]
                                : 0.0f;
    }
}

} // namespace detail

/// A panel of `width` from m <= width rows of A and its columns [k, k + n_k): panel[(t - k) * width + i] = A(row + i,
/// t). The same with transposed(B) packs columns of B.
inline void pack_panel(MatrixView<const float> A, std::size_t row, std::size_t m, std::size_t k, std::size_t n_k,
                       float* panel, std::size_t width) {
    const float* from = &A(row, k);
    if (A.col_stride == 1) return detail::interleave(from, A.row_stride, m, n_k, panel, width);
    if (A.row_stride == 1 && m == tile_cols && width == tile_cols) { // sizes that the compiler knows
        for (std::size_t t = 0; t < n_k; ++t, from += A.col_stride, panel += tile_cols)
            std::memcpy(panel, from, tile_cols * sizeof(float));
        return;
    }
    if (A.row_stride == 1 && m == tile_rows && width == tile_rows) {
        for (std::size_t t = 0; t < n_k; ++t, from += A.col_stride, panel += tile_rows)
            std::memcpy(panel, from, tile_rows * sizeof(float));
        return;
    }
    for (std::size_t t = 0; t < n_k; ++t, from += A.col_stride, panel += width) {
        for (std::size_t i = 0; i < m; ++i) panel[i] = from[static_cast<std::ptrdiff_t>(i) * A.row_stride];
        for (std::size_t i = m; i < width; ++i) panel[i] = 0;
    }
}

} // namespace mlcore::nn
