// Centroids by columns, in blocks of `lanes` that lie side by side, and the distances from one centroid to all of a
// block.
#pragma once

#include "core/simd.hpp"

#include <cstddef>

namespace mlcore::cluster {

/// Calls f(i, reduced) with the reduced distances from a center to block i, for i < n in order. The columns of the
/// blocks (n, d, lanes) follow each other. Their sums are taken side by side: one alone waits for each addition.
template <class Sum, std::size_t n, class F>
[[gnu::always_inline]] inline void for_blocks(const double* center, std::size_t d, const double* columns, F&& f) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    simd::Doubles sums[n] = {};
    for (std::size_t j = 0; j < d; ++j) {
        const simd::Doubles x = simd::broadcast(center[j]);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < n; ++i) sums[i] = Sum::add(sums[i], simd::load(columns + (i * d + j) * lanes) - x);
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < n; ++i) f(i, sums[i]);
}

/// The same for any number of blocks.
template <class Sum, class F>
[[gnu::always_inline]] inline void for_blocks(const double* center, std::size_t d, const double* columns, std::size_t n,
                                              F&& f) {
    const std::size_t stride = d * simd::lanes_of<double>;
    std::size_t first = 0;
    const auto rest = [&](std::size_t i, simd::Doubles reduced) { f(first + i, reduced); };
    for (; first + 4 <= n; first += 4) for_blocks<Sum, 4>(center, d, columns + first * stride, rest);
    if (n - first == 3) for_blocks<Sum, 3>(center, d, columns + first * stride, rest);
    if (n - first == 2) for_blocks<Sum, 2>(center, d, columns + first * stride, rest);
    if (n - first == 1) for_blocks<Sum, 1>(center, d, columns + first * stride, rest);
}

} // namespace mlcore::cluster
