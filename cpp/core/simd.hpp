// The widest vectors of the ISA level, for kernels whose values must stay in registers. Vectors are the compiler's
// own (+, -, *, / work on them); what it lacks stands here. Loops that the compiler vectorises by itself need none of
// it.
//
// Kernels whose arithmetic is in float64 whatever the table holds read it by load_widened, which takes either type.
#pragma once

#ifndef MLCORE_ISA_LEVEL
#error "core/simd.hpp depends on the ISA level; the bindings, compiled once for all levels, may not include it"
#endif

#include <array>
#include <cstddef>
#include <cstring>

#ifdef __FMA__
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__) // see core/eigen.hpp
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace mlcore::simd {

#if defined(__AVX512F__)
inline constexpr std::size_t lanes = 16;
#elif defined(__AVX__)
inline constexpr std::size_t lanes = 8;
#else
inline constexpr std::size_t lanes = 4;
#endif

using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
using Floats4 [[gnu::vector_size(4 * sizeof(float))]] = float;
using Doubles [[gnu::vector_size(lanes * sizeof(float))]] = double;
using Integers [[gnu::vector_size(lanes * sizeof(int))]] = int;

template <class T>
inline constexpr std::size_t lanes_of = lanes * sizeof(float) / sizeof(T);

/// The least multiple of `unit` that is not below n.
inline constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

// ---- loads and stores -----------------------------------------------------------------------------------------------
// ------------------------------------------------------------------------------------------------

[[gnu::always_inline]] inline Floats load(const float* p) {
    Floats v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
[[gnu::always_inline]] inline Doubles load(const double* p) {
    Doubles v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
template <class T, class Vector>
[[gnu::always_inline]] inline void store(T* p, Vector v) {
    std::memcpy(p, &v, sizeof v);
}
/// lanes_of<double> values as doubles.
[[gnu::always_inline]] inline Doubles load_widened(const double* p) { return load(p); }
[[gnu::always_inline]] inline Doubles load_widened(const float* p) {
    using Narrow [[gnu::vector_size(lanes_of<double> * sizeof(float))]] = float;
    Narrow v;
    std::memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Doubles);
}
[[gnu::always_inline]] inline Floats broadcast(float x) { return x - Floats{}; }
[[gnu::always_inline]] inline Doubles broadcast(double x) { return x - Doubles{}; }

/// The first n < lanes entries, then zeros. Nothing beyond them is read.
[[gnu::always_inline]] inline Floats load_first(const float* p, std::size_t n) {
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p);
#else
    Floats v{};
    std::memcpy(&v, p, n * sizeof(float));
    return v;
#endif
}
[[gnu::always_inline]] inline void store_first(float* p, Floats v, std::size_t n) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
#else
    std::memcpy(p, &v, n * sizeof(float));
#endif
}
/// The same of doubles, n < lanes_of<double>.
template <class T>
[[gnu::always_inline]] inline Doubles load_widened_first(const T* p, std::size_t n) {
#if defined(__AVX512VL__)
    const auto mask = static_cast<__mmask8>((1U << n) - 1);
    if constexpr (sizeof(T) == sizeof(float))
        return __builtin_convertvector(_mm256_maskz_loadu_ps(mask, p), Doubles);
    else
        return _mm512_maskz_loadu_pd(mask, p);
#else
    Doubles v{};
    for (std::size_t l = 0; l < lanes_of<double>; ++l) v[l] = l < n ? static_cast<double>(p[l]) : 0.0;
    return v;
#endif
}

/// As load, in pieces of four: what has just been stored in such pieces comes straight from the store buffer.
[[gnu::always_inline]] inline Floats load_fours(const float* p) {
    Floats4 fours[lanes / 4];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < lanes / 4; ++i) std::memcpy(&fours[i], p + 4 * i, sizeof fours[i]);
#if defined(__AVX512F__)
    const auto low = __builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 4, 5, 6, 7);
    const auto high = __builtin_shufflevector(fours[2], fours[3], 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX__)
    return __builtin_shufflevector(fours[0], fours[1], 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return fours[0];
#endif
}

/// The first n lanes of a, the others of b.
[[gnu::always_inline]] inline Floats first_lanes(std::size_t n, Floats a, Floats b) {
    Integers lane;
#pragma GCC unroll 16
    for (std::size_t l = 0; l < lanes; ++l) lane[l] = static_cast<int>(l);
    return lane < static_cast<int>(n) ? a : b;
}

/// v itself, in a register: keeps the compiler from loading it from memory again at each use.
[[gnu::always_inline]] inline Floats pinned(Floats v) {
#if defined(__AVX512F__)
    asm("" : "+v"(v));
#elif defined(__SSE2__)
    asm("" : "+x"(v));
#endif
    return v;
}

// ---- arithmetic -----------------------------------------------------------------------------------------------------

/// a * b + c with one rounding where the level has it (v3, v4), else with two.
[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) {
#if defined(__FMA__) && defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

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

/// e^x for x <= 0 within 2 ulp, 0 below -87: a shorter chain of operations than vm::exp_, for a value that others wait
/// for.
[[gnu::always_inline]] inline Floats exp_negative(Floats x) {
    constexpr float rounder = 0x1.8p23f; // adding it moves the nearest integer into the lowest bits
    const Integers underflow = x < -87;
    const Floats shifted = fma(x, broadcast(0x1.715476p0f), broadcast(rounder)); // x / ln 2
    const Floats n = shifted - rounder;
    const Floats r = fma(n, broadcast(-0x1.7f7d1cp-20f), fma(n, broadcast(-0x1.62e4p-1f), x)); // |r| <= ln 2 / 2
    const Floats r2 = r * r;
    // 1 + r + r^2 (c0 + c1 r + r^2 (c2 + c3 r + r^2 c4)), coefficients of core/vecmath.hpp
    const Floats high =
        fma(r2, broadcast(0x1.6d98f8p-10f), fma(r, broadcast(0x1.1227fp-7f), broadcast(0x1.555486p-5f)));
    const Floats low = fma(r, broadcast(0x1.5554bp-3f), broadcast(0x1p-1f));
    const Floats power = fma(r2, fma(r2, high, low), r + 1);
    const Integers scale = ((Integers)shifted + 127) << 23; // the high bits of `rounder` are shifted out
    return underflow ? Floats{} : power * (Floats)scale;
}

// ---- sums of lanes, in a fixed order --------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------

/// Sums of the lanes of four vectors: together they cost little more than half of four single sums.
[[gnu::always_inline]] inline Floats4 sums(Floats a, Floats b, Floats c, Floats d) {
    const auto fold = [](Floats v) -> Floats4 {
#if defined(__AVX512F__)
        const auto half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                          __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
        return __builtin_shufflevector(half, half, 0, 1, 2, 3) + __builtin_shufflevector(half, half, 4, 5, 6, 7);
#elif defined(__AVX__)
        return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
        return v;
#endif
    };
    const auto pairs = [](Floats4 x, Floats4 y) -> Floats4 {
        return __builtin_shufflevector(x, y, 0, 2, 4, 6) + __builtin_shufflevector(x, y, 1, 3, 5, 7);
    };
    return pairs(pairs(fold(a), fold(b)), pairs(fold(c), fold(d)));
}

[[gnu::always_inline]] inline double sum(Doubles v) {
#if defined(__AVX512F__)
    const auto half = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
    const auto pair = __builtin_shufflevector(half, half, 0, 1) + __builtin_shufflevector(half, half, 2, 3);
    return pair[0] + pair[1];
#elif defined(__AVX__)
    const auto pair = __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
    return pair[0] + pair[1];
#else
    return v[0] + v[1];
#endif
}

/// Lane l of the result: the sum of the lanes of v[l].
[[gnu::always_inline]] inline Doubles sums(const std::array<Doubles, lanes_of<double>>& v) {
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
    for (std::size_t l = 0; l < lanes_of<double>; ++l) {
        double total = v[l][0];
        for (std::size_t m = 1; m < lanes_of<double>; ++m) total += v[l][m];
        all[l] = total;
    }
    return all;
#endif
}

} // namespace mlcore::simd
