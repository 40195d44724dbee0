// Points of a leaf as bits, and comparisons that make them.
#pragma once

#include "core/simd.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace mlcore::neighbors {

using Bits = std::uint64_t;
inline constexpr std::size_t most_bits = 64;

/// Bits 0 .. n - 1, n <= most_bits.
inline Bits first_bits(std::size_t n) { return n < most_bits ? (Bits{1} << n) - 1 : ~Bits{0}; }

/// f(i) for each bit i, ascending.
template <class F>
[[gnu::always_inline]] inline void for_bits(Bits bits, F&& f) {
    for (; bits != 0; bits &= bits - 1) f(static_cast<std::size_t>(std::countr_zero(bits)));
}

/// One bit for each lane with a <= b.
[[gnu::always_inline]] inline Bits at_most(simd::Doubles a, simd::Doubles b) {
#if defined(__AVX512F__)
    return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ);
#elif defined(__AVX__) && defined(__FMA__)
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ)));
#else
    Bits bits = 0;
    for (std::size_t l = 0; l < simd::lanes_of<double>; ++l) bits |= Bits{a[l] <= b[l]} << l;
    return bits;
#endif
}
[[gnu::always_inline]] inline Bits at_most(simd::Floats a, simd::Floats b) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
#elif defined(__AVX__) && defined(__FMA__)
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)));
#else
    Bits bits = 0;
    for (std::size_t l = 0; l < simd::lanes; ++l) bits |= Bits{a[l] <= b[l]} << l;
    return bits;
#endif
}

} // namespace mlcore::neighbors
