// Random words for a whole group of 32 entries at once; the order is described in nn/dropout.hpp.
#pragma once

#include "core/simd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace mlcore::nn {

/// Entries that get their randomness together.
inline constexpr std::size_t random_group = 32;

using Words [[gnu::vector_size(simd::lanes * sizeof(float))]] = std::uint32_t;
using GroupWords = std::array<Words, random_group / simd::lanes>;

namespace detail {

using WideWords [[gnu::vector_size(simd::lanes * sizeof(float))]] = std::uint64_t;

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

} // namespace detail

/// Words of the counters 8 group ... 8 group + 7 of (seed, stream). A word lives in the low half of 64 bits; what is in
/// the high half is not read.
[[gnu::always_inline]] inline GroupWords group_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t group) {
    using detail::WideWords, detail::multiply_low;
    constexpr std::size_t counters = simd::lanes / 2, n_vectors = 8 / counters;
    const WideWords m0 = std::uint64_t{0xD2511F53} - WideWords{}, m1 = std::uint64_t{0xCD9E8D57} - WideWords{};
    WideWords lane;
    for (std::size_t l = 0; l < counters; ++l) lane[l] = l;
    GroupWords words;
    for (std::size_t v = 0; v < n_vectors; ++v) {
        const WideWords counter = lane + (8 * group + v * counters);
        WideWords c0 = counter, c1 = counter >> 32, c2 = stream - WideWords{}, c3 = (stream >> 32) - WideWords{};
        auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
        for (int round = 0; round < 10; ++round) {
            const WideWords p0 = multiply_low(c0, m0), p1 = multiply_low(c2, m1);
            c0 = (p1 >> 32) ^ c1 ^ std::uint64_t{key0};
            c1 = p1;
            c2 = (p0 >> 32) ^ c3 ^ std::uint64_t{key1};
            c3 = p0;
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        constexpr std::uint64_t low = 0xffffffff;
        words[v] = (Words)((c0 & low) | (c1 << 32));
        words[n_vectors + v] = (Words)((c2 & low) | (c3 << 32));
    }
    return words;
}

} // namespace mlcore::nn
