// Philox (core/random.hpp) of as many counters at a time as a vector holds; and the random words of a whole group of
// 32 entries, whose order is described in nn/dropout.hpp.
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

namespace mlcore::nn {

/// Entries that get their randomness together.
inline constexpr std::size_t random_group = 32;

using Words [[gnu::vector_size(simd::lanes * sizeof(float))]] = std::uint32_t;
using GroupWords = std::array<Words, random_group / simd::lanes>;

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

/// The low words of `even`, and between them those of `odd`.
[[gnu::always_inline]] inline Words interleave(WideWords even, WideWords odd) {
    return (Words)((even & 0xffffffffU) | (odd << 32));
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

/// Words of the counters 8 group ... 8 group + 7 of (seed, stream).
[[gnu::always_inline]] inline GroupWords group_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t group) {
    constexpr std::size_t counters = simd::lanes / 2, n_vectors = 8 / counters;
    WideWords lane;
    for (std::size_t l = 0; l < counters; ++l) lane[l] = l;
    GroupWords words;
    for (std::size_t v = 0; v < n_vectors; ++v) {
        const WideWords counter = lane + (8 * group + v * counters);
        const WideBlock block = philox_blocks(seed, stream, counter, counter >> 32);
        words[v] = interleave(block[0], block[1]);
        words[n_vectors + v] = interleave(block[2], block[3]);
    }
    return words;
}

} // namespace mlcore::nn
