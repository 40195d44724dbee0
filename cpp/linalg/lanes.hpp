// The widest vector of doubles of the ISA level, for the kernels of this family. Data may be float32: it is widened as
// it is loaded, so that all arithmetic is in float64 whatever the table holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#ifdef __FMA__
#include <immintrin.h>
#endif

namespace mlcore::linalg {

#if defined(__AVX512F__)
inline constexpr std::size_t lanes = 8;
#elif defined(__AVX__)
inline constexpr std::size_t lanes = 4;
#else
inline constexpr std::size_t lanes = 2;
#endif

using Doubles [[gnu::vector_size(lanes * sizeof(double))]] = double;

inline constexpr std::size_t round_up(std::size_t n, std::size_t unit = lanes) { return (n + unit - 1) / unit * unit; }

[[gnu::always_inline]] inline Doubles load(const double* p) {
    Doubles v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
[[gnu::always_inline]] inline Doubles load(const float* p) {
    using Narrow [[gnu::vector_size(lanes * sizeof(float))]] = float;
    Narrow v;
    std::memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Doubles);
}
[[gnu::always_inline]] inline void store(double* p, Doubles v) { std::memcpy(p, &v, sizeof v); }
[[gnu::always_inline]] inline Doubles broadcast(double x) { return x - Doubles{}; }

/// a * b + c with one rounding where the level has it (v3, v4), else with two.
[[gnu::always_inline]] inline Doubles fma(Doubles a, Doubles b, Doubles c) {
#if defined(__FMA__) && defined(__AVX512F__)
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
    return _mm256_fmadd_pd(a, b, c);
#else
    return a * b + c;
#endif
}
[[gnu::always_inline]] inline double fma(double a, double b, double c) {
#ifdef __FMA__
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// Lane l of the result: the sum of the lanes of v[l].
[[gnu::always_inline]] inline Doubles sums(const std::array<Doubles, lanes>& v) {
#if defined(__AVX512F__)
    Doubles pairs[4], fours[2];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) // lanes 2 m and 2 m + 1: halves of v[i] and v[i + 4]
        pairs[i] = __builtin_shufflevector(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11) +
                   __builtin_shufflevector(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
#pragma GCC unroll 2
    for (std::size_t i = 0; i < 2; ++i)
        fours[i] = __builtin_shufflevector(pairs[i], pairs[i + 2], 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(pairs[i], pairs[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    return __builtin_shufflevector(fours[0], fours[1], 0, 8, 2, 10, 4, 12, 6, 14) +
           __builtin_shufflevector(fours[0], fours[1], 1, 9, 3, 11, 5, 13, 7, 15);
#else
    Doubles all{};
    for (std::size_t l = 0; l < lanes; ++l) {
        double total = v[l][0];
        for (std::size_t m = 1; m < lanes; ++m) total += v[l][m];
        all[l] = total;
    }
    return all;
#endif
}

} // namespace mlcore::linalg

namespace mlcore::linear_model {
using linalg::broadcast, linalg::Doubles, linalg::fma, linalg::lanes, linalg::load, linalg::round_up, linalg::store,
    linalg::sums;
} // namespace mlcore::linear_model
