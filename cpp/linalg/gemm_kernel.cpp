#include "linalg/gemm_kernel.hpp"

#include <array>

namespace mlcore::linalg {
namespace {

using simd::Floats, simd::lanes;

/// Rows become columns: v[i][j] <-> v[j][i] of a square of vectors, by interleaving halves.
[[gnu::always_inline]] inline void transpose(Floats (&v)[lanes]) {
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

/// Where the columns [first, first + n) of a panel go, n <= lanes.
struct Place {
    float* panel;
    std::size_t width, first, n;
};

/// The same for a fixed number of rows, which then stay in registers.
template <std::size_t M>
void interleave_rows(const float* rows, std::ptrdiff_t row_stride, std::size_t n_k, const Place& to) {
    float* out = to.panel + to.first;
    std::size_t k = 0;
    for (; k + lanes <= n_k; k += lanes) {
        Floats v[lanes] = {};
#pragma GCC unroll 16
        for (std::size_t i = 0; i < M; ++i) v[i] = simd::load(rows + static_cast<std::ptrdiff_t>(i) * row_stride + k);
        transpose(v);
#pragma GCC unroll 16
        for (std::size_t j = 0; j < lanes; ++j) {
            const bool fits = to.n == lanes || (to.first == 0 && lanes <= (n_k - k - j) * to.width);
            if (fits)
                simd::store(out + (k + j) * to.width, v[j]); // what is too much the next one overwrites
            else
                std::memcpy(out + (k + j) * to.width, &v[j], to.n * sizeof(float));
        }
    }
    for (; k < n_k; ++k)
        for (std::size_t i = 0; i < to.n; ++i)
            out[k * to.width + i] =
                i < M ? rows[static_cast<std::ptrdiff_t>(i) * row_stride + static_cast<std::ptrdiff_t>(k)] : 0.0f;
}

} // namespace

void interleave(const float* rows, std::ptrdiff_t row_stride, std::size_t m, std::size_t n_k, float* panel,
                std::size_t width) {
    using Kernel = void (*)(const float*, std::ptrdiff_t, std::size_t, const Place&);
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<Kernel, lanes + 1>{&interleave_rows<I>...};
    }(std::make_index_sequence<lanes + 1>{});
    for (std::size_t first = 0; first < width; first += lanes) {
        const std::size_t present = m > first ? std::min(lanes, m - first) : 0;
        kernels[present](rows + static_cast<std::ptrdiff_t>(first) * row_stride, row_stride, n_k,
                         {panel, width, first, std::min(lanes, width - first)});
    }
}

void pack_panel(MatrixView<const float> A, std::size_t row, std::size_t m, std::size_t k, std::size_t n_k, float* panel,
                std::size_t width) {
    const float* from = &A(row, k);
    if (A.col_stride == 1) return interleave(from, A.row_stride, m, n_k, panel, width);
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

} // namespace mlcore::linalg
