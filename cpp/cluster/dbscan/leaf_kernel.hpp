// Points of a leaf beside those of another one: which pairs are near, as bits. A leaf holds up to 64 points, by
// dimension, at a distance of `width`, a multiple of 8 (neighbors/kd_tree.hpp).
//
// Distances are reduced ones, summed over the dimensions in order (neighbors/distance.hpp).
#pragma once

#include "core/simd.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mlcore::cluster {

inline constexpr std::size_t most_in_leaf = 64;

using Bits = std::uint64_t;

/// Bits 0 .. n - 1, n <= 64.
inline Bits first_bits(std::size_t n) { return n < 64 ? (Bits{1} << n) - 1 : ~Bits{0}; }

/// f(i) for each bit i, ascending.
template <class F>
void for_bits(Bits bits, F&& f) {
    for (; bits != 0; bits &= bits - 1) f(static_cast<std::size_t>(__builtin_ctzll(bits)));
}

namespace detail {

/// Bit l: lane l of x is at most `limit`.
[[gnu::always_inline]] inline Bits at_most(simd::Doubles x, double limit) {
#if defined(__AVX512F__)
    return _mm512_cmp_pd_mask(x, _mm512_set1_pd(limit), _CMP_LE_OQ);
#elif defined(__AVX__) && defined(__FMA__)
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_set1_pd(limit), _CMP_LE_OQ)));
#else
    Bits bits = 0;
    for (std::size_t l = 0; l < simd::lanes_of<double>; ++l) bits |= Bits{x[l] <= limit} << l;
    return bits;
#endif
}

/// Bits of `n` vectors of points from x on: the sum of term(j, coordinate j) over the dimensions is at most `limit`.
template <std::size_t n, class Sum, class Term>
[[gnu::always_inline]] inline Bits sums_at_most(const double* x, std::size_t width, std::size_t d, double limit,
                                                Term&& term) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    simd::Doubles sums[n] = {};
    for (std::size_t j = 0; j < d; ++j, x += width)
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n; ++v) sums[v] = Sum::add(sums[v], term(j, simd::load(x + v * lanes)));
    Bits bits = 0;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < n; ++v) bits |= at_most(sums[v], limit) << (v * lanes);
    return bits;
}

template <class Sum, class Term>
[[gnu::always_inline]] inline Bits leaf_sums_at_most(const double* leaf, std::size_t width, std::size_t d, double limit,
                                                     Term&& term) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    Bits bits = 0;
    std::size_t i = 0;
    for (; i + 4 * lanes <= width; i += 4 * lanes) bits |= sums_at_most<4, Sum>(leaf + i, width, d, limit, term) << i;
    for (; i < width; i += lanes) bits |= sums_at_most<1, Sum>(leaf + i, width, d, limit, term) << i;
    return bits;
}

} // namespace detail

/// The points of a leaf (d, width) that are at most `limit` from a point, whose coordinates lie `stride` apart.
template <class Sum>
Bits near_point(const double* point, std::size_t stride, const double* leaf, std::size_t width, std::size_t d,
                double limit) {
    return detail::leaf_sums_at_most<Sum>(
        leaf, width, d, limit, [&](std::size_t j, simd::Doubles x) { return x - simd::broadcast(point[j * stride]); });
}

/// The points of a leaf that are at most `limit` from a box.
template <class Sum>
Bits near_box(const double* lower, const double* upper, const double* leaf, std::size_t width, std::size_t d,
              double limit) {
    return detail::leaf_sums_at_most<Sum>(leaf, width, d, limit, [&](std::size_t j, simd::Doubles x) {
        const simd::Doubles below = lower[j] - x, above = x - upper[j];
        const simd::Doubles gap = below > above ? below : above;
        return gap > 0 ? gap : simd::Doubles{};
    });
}

} // namespace mlcore::cluster
