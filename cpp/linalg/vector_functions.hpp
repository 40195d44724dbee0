// Functions of whole vectors that activations and losses are made of: sigmoid, log(1 + e^x), the normal distribution;
// and map, which applies such a function to arrays. An entry gets the same bits wherever in an array it stands.
//
// Largest error against long double (tests/cpp/linalg/test_activation.cpp measures it): sigmoid 4, softplus 5 units in
// the last place; normal 3e-7, and 1e-6 of its value down to x = -4. NaN gives NaN.
#pragma once

#include "core/simd.hpp"
#include "core/vecmath.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace mlcore::vf {

using simd::Floats, simd::Integers, simd::lanes;

[[gnu::always_inline]] inline Floats abs(Floats x) { return (Floats)((Integers)x & 0x7fffffff); }
/// NaN in b is kept, as in max(a, b) of the processor.
[[gnu::always_inline]] inline Floats max(Floats a, Floats b) { return a > b ? a : b; }

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.
template <std::size_t I = 0, std::size_t N>
[[gnu::always_inline]] inline Floats polynomial(Floats x, const std::array<float, N>& c) {
    if constexpr (I + 1 == N)
        return simd::broadcast(c[I]);
    else
        return simd::fma(polynomial<I + 1>(x, c), x, simd::broadcast(c[I]));
}

/// Natural logarithm, by core/vecmath.hpp.
[[gnu::always_inline]] inline Floats log(Floats x) {
    Floats y;
    for (std::size_t l = 0; l < lanes; ++l) y[l] = vm::log_(x[l]);
    return y;
}

/// 1 / (1 + e^-x), from e^-|x|, which cannot overflow.
[[gnu::always_inline]] inline Floats sigmoid(Floats x) {
    const Floats e = simd::exp_negative(-abs(x));
    return (x >= 0 ? Floats{} + 1 : e) / (e + 1);
}

/// By e^(-2 |x|) - 1, which keeps all digits near 0; as simd::exp_negative otherwise.
[[gnu::always_inline]] inline Floats tanh(Floats x) {
    constexpr float rounder = 0x1.8p23f;
    const Floats size = vf::abs(x), y = -2 * (size > 10 ? Floats{} + 10 : size);
    const Floats shifted = simd::fma(y, simd::broadcast(0x1.715476p0f), simd::broadcast(rounder));
    const Floats n = shifted - rounder;
    const Floats r = simd::fma(n, simd::broadcast(-0x1.7f7d1cp-20f), simd::fma(n, simd::broadcast(-0x1.62e4p-1f), y));
    const Floats r2 = r * r;
    const Floats high = simd::fma(r2, simd::broadcast(0x1.6d98f8p-10f),
                                  simd::fma(r, simd::broadcast(0x1.1227fp-7f), simd::broadcast(0x1.555486p-5f)));
    const Floats low = simd::fma(r, simd::broadcast(0x1.5554bp-3f), simd::broadcast(0x1p-1f));
    const Floats p = simd::fma(r2, simd::fma(r2, high, low), r); // e^r - 1
    const Floats power = (Floats)(((Integers)shifted + 127) << 23);
    const Floats expm1 = simd::fma(power, p, power - 1);
    const Floats result = -expm1 / (expm1 + 2);
    const Integers sign = (Integers)x & static_cast<int>(0x80000000u);
    return (Floats)((Integers)result | sign);
}

/// e^x - 1 for x <= 0, all digits kept for small x.
[[gnu::always_inline]] inline Floats expm1_negative(Floats x) {
    constexpr std::array c{1.0f, 1 / 2.0f, 1 / 6.0f, 1 / 24.0f, 1 / 120.0f, 1 / 720.0f, 1 / 5040.0f, 1 / 40320.0f};
    const Floats far = simd::exp_negative(x) - 1, near = x * polynomial(x, c);
    return x < -0.5f ? far : near;
}

/// log(1 + e) for e in [0, 1], all digits kept for small e: 2 artanh(s) with s = e / (2 + e).
[[gnu::always_inline]] inline Floats log1p_unit(Floats e) {
    // (2 artanh(s) / s - 2) / s^2 in powers of s^2 <= 1/9, minimax
    constexpr std::array c{0x1.5555560p-1f, 0x1.9998d40p-2f, 0x1.24c9500p-2f, 0x1.bc874a0p-3f, 0x1.dbbeca0p-3f};
    const Floats s = e / (e + 2), z = s * s;
    return s + simd::fma(s * z, polynomial(z, c), s);
}

/// log(1 + e^x)
[[gnu::always_inline]] inline Floats softplus(Floats x) {
    return max(Floats{}, x) + log1p_unit(simd::exp_negative(-abs(x)));
}

/// Phi(x) and its derivative, the density of the standard normal.
struct Normal {
    Floats cdf, density;
};

/// Phi(-|x|) = e^(-x^2 / 2) P(t) with t = 1 / (1 + 0.3 |x|), the form of Abramowitz and Stegun 7.1.26; P minimax in the
/// relative error.
[[gnu::always_inline]] inline Normal normal(Floats x) {
    constexpr std::array c{0x1.e9fd5cp-4f,  0x1.eeca40p-4f, 0x1.981d86p-4f,  0x1.092714p-3f,
                           -0x1.c5c8d0p-5f, 0x1.aa6816p-3f, -0x1.442622p-3f, 0x1.265a3cp-5f};
    const Floats e = simd::exp_negative(-0.5f * x * x);
    const Floats t = 1 / simd::fma(abs(x), simd::broadcast(0.3f), simd::broadcast(1.0f));
    const Floats tail = e * t * polynomial(t, c);
    return {x > 0 ? 1 - tail : tail, e * 0.39894228f};
}

/// Whether rows of n floats that are written once had better go past the caches, which saves reading them first: the
/// array is so large that little of it would still be there for whoever reads it, and vectors are where stores past
/// the caches want them.
inline bool stores_past_caches(const float* rows, std::size_t m, std::size_t n) {
#ifdef __SSE2__
    constexpr std::size_t large = (std::size_t{16} << 20) / sizeof(float); // half of a usual third-level cache
    return m * n >= large && n % lanes == 0 && reinterpret_cast<std::uintptr_t>(rows) % sizeof(Floats) == 0;
#else
    static_cast<void>(rows), static_cast<void>(m), static_cast<void>(n);
    return false;
#endif
}
[[gnu::always_inline]] inline void store_past_caches(float* p, Floats v) {
#if defined(__AVX512F__)
    _mm512_stream_ps(p, v);
#elif defined(__AVX__)
    _mm256_stream_ps(p, v);
#elif defined(__SSE2__)
    _mm_stream_ps(p, v);
#else
    simd::store(p, v);
#endif
}
/// Before another thread may read what was stored past the caches.
inline void finish_stores() {
#ifdef __SSE2__
    _mm_sfence();
#endif
}

/// y[i] = f(x[i])
template <class F>
void map(const float* x, float* y, std::size_t n, F f) {
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) simd::store(y + i, f(simd::load(x + i)));
    if (i < n) simd::store_first(y + i, f(simd::load_first(x + i, n - i)), n - i);
}

/// y[i] = f(a[i], b[i])
template <class F>
void map(const float* a, const float* b, float* y, std::size_t n, F f) {
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) simd::store(y + i, f(simd::load(a + i), simd::load(b + i)));
    if (i < n) simd::store_first(y + i, f(simd::load_first(a + i, n - i), simd::load_first(b + i, n - i)), n - i);
}

} // namespace mlcore::vf
