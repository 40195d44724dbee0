// From a tile of sums to the result: bias, residual, activation, as Epilogue of linalg/gemm.hpp says.
#pragma once

#include "core/simd.hpp"
#include "linalg/gemm.hpp"
#include "linalg/words/product.hpp"

#include <cstddef>
#include <cstring>

namespace mlcore::linalg::words {

/// A tile of m rows and n columns whose first entry is C(row, col). value(sums, i, j): what a vector of sums that
/// begins at (row + i, col + j) stands for.
template <class Sum, class Value>
void finish(const Epilogue& e, MatrixView<float> C, const Sum* sums, std::size_t stride, std::size_t row,
            std::size_t col, std::size_t m, std::size_t n, Value&& value) {
    using simd::Floats, simd::lanes;
    const bool rectifies = e.activation == Activation::relu;
    const float* bias = e.bias ? e.bias + col : nullptr;
    const auto write = [&](float* to, std::size_t to_stride) {
        for (std::size_t i = 0; i < m; ++i, sums += stride, to += to_stride) {
            const float* residual = e.residual.data ? &e.residual(row + i, col) : nullptr;
            const auto finished = [&](std::size_t j, auto&& read) {
                Floats v = value(sums + j, i, j);
                if (bias) v += read(bias + j);
                if (residual) v += read(residual + j);
                return rectifies ? (v < 0 ? Floats{} : v) : v; // NaN stays NaN
            };
            std::size_t j = 0;
            for (; j + lanes <= n; j += lanes)
                simd::store(to + j, finished(j, [](const float* p) { return simd::load(p); }));
            if (j < n)
                simd::store_first(to + j, finished(j, [&](const float* p) { return simd::load_first(p, n - j); }),
                                  n - j);
        }
    };
    if (e.activation == Activation::identity || rectifies)
        return write(&C(row, col), static_cast<std::size_t>(C.row_stride));
    alignas(64) float whole[most_sums]; // rows side by side: the activation is called once
    write(whole, n);
    activate(e.activation, whole, whole, m * n);
    for (std::size_t i = 0; i < m; ++i) std::memcpy(&C(row + i, col), whole + i * n, n * sizeof(float));
}

} // namespace mlcore::linalg::words
