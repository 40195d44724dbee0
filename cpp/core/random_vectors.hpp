// Philox (core/random.hpp) of as many counters at a time as a vector holds.
#pragma once

#include "core/random.hpp"
#include "core/simd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace mlcore {

/// Words in the low halves of 64 bits each; what is in the high halves is not read.
using WideWords [[gnu::vector_size(simd::lanes * sizeof(float))]] = std::uint64_t;
using WideBlock = std::array<WideWords, 4>;

/// Products of the low halves.
[[gnu::always_inline]] inline WideWords multiply_low(WideWords a, WideWords b) {
#if defined(__AVX512F__)
    return (WideWords)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (WideWords)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (WideWords)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffU) * (b & 0xffffffffU);
#endif
}

/// The blocks of (seed, stream) of several counters, given as their low and high halves.
[[gnu::always_inline]] inline WideBlock philox_blocks(std::uint64_t seed, std::uint64_t stream, WideWords counter_low,
                                                      WideWords counter_high) {
    WideBlock c{counter_low, counter_high, stream - WideWords{}, (stream >> 32) - WideWords{}};
    Philox::rounds(c, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                   [](WideWords a, std::uint64_t constant) {
                       const WideWords product = multiply_low(a, constant - WideWords{});
                       return std::pair{product, product >> 32};
                   });
    return c;
}

} // namespace mlcore
