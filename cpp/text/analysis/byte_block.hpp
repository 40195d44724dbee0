// 64 characters of ASCII at a time: lower case and membership in a set of characters, in the level's vectors.
#pragma once

#include "core/simd.hpp"
#include "text/analysis/analyzer.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSSE3__
#include <immintrin.h>
#endif

namespace mlcore::text {

/// Of 64 characters, a bit each.
struct BlockBits {
    std::uint64_t members; // belong to the set (of those below 128)
    std::uint64_t beyond;  // are 128 or more
};

#if defined(__AVX512BW__)
inline constexpr std::size_t block_width = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t block_width = 32;
#else
inline constexpr std::size_t block_width = 16;
#endif
using BlockBytes [[gnu::vector_size(block_width)]] = std::uint8_t;

/// Bit i is the highest one of byte i.
[[gnu::always_inline]] inline std::uint64_t high_bits(BlockBytes v) {
#if defined(__AVX512BW__)
    return _mm512_movepi8_mask((__m512i)v);
#elif defined(__AVX2__)
    return static_cast<std::uint32_t>(_mm256_movemask_epi8((__m256i)v));
#elif defined(__SSSE3__)
    return static_cast<std::uint32_t>(_mm_movemask_epi8((__m128i)v));
#else
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < block_width; ++i) bits |= static_cast<std::uint64_t>(v[i] >> 7) << i;
    return bits;
#endif
}

/// A table of 16 bytes in each 16 bytes of a vector.
[[gnu::always_inline]] inline BlockBytes repeated(const std::array<std::uint8_t, 16>& table) {
    BlockBytes v;
    for (std::size_t i = 0; i < block_width; i += 16)
        std::memcpy(reinterpret_cast<std::uint8_t*>(&v) + i, table.data(), 16);
    return v;
}

[[gnu::always_inline]] inline BlockBytes repeated(std::uint8_t byte) { return byte - BlockBytes{}; }

/// table[index] for indices below 16.
[[gnu::always_inline]] inline BlockBytes look_up(BlockBytes table, BlockBytes index) {
#if defined(__AVX512BW__)
    return (BlockBytes)_mm512_shuffle_epi8((__m512i)table, (__m512i)index);
#elif defined(__AVX2__)
    return (BlockBytes)_mm256_shuffle_epi8((__m256i)table, (__m256i)index);
#elif defined(__SSSE3__)
    return (BlockBytes)_mm_shuffle_epi8((__m128i)table, (__m128i)index);
#else
    BlockBytes v;
    for (std::size_t i = 0; i < block_width; ++i) v[i] = table[index[i]];
    return v;
#endif
}

/// Code points as bytes; those of 128 and more have the highest bit set.
[[gnu::always_inline]] inline BlockBytes load_narrowed(const std::uint8_t* p) {
    BlockBytes v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
template <class T>
[[gnu::always_inline]] inline BlockBytes load_narrowed(const T* p) {
#if defined(__AVX512BW__)
    if constexpr (sizeof(T) == 2) {
        const auto half = [&](std::size_t i) { return _mm512_cvtusepi16_epi8(_mm512_loadu_si512(p + 32 * i)); };
        return (BlockBytes)_mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
    } else {
        const auto quarter = [&](std::size_t i) { return _mm512_cvtusepi32_epi8(_mm512_loadu_si512(p + 16 * i)); };
        __m512i v = _mm512_castsi128_si512(quarter(0));
        v = _mm512_inserti32x4(v, quarter(1), 1);
        v = _mm512_inserti32x4(v, quarter(2), 2);
        return (BlockBytes)_mm512_inserti32x4(v, quarter(3), 3);
    }
#else
    alignas(block_width) std::uint8_t bytes[block_width];
    for (std::size_t i = 0; i < block_width; ++i) bytes[i] = static_cast<std::uint8_t>(p[i] < 0xFF ? p[i] : 0xFF);
    return load_narrowed(bytes);
#endif
}

/// Writes 64 code points to `out` as bytes in lower case, of which those beyond ASCII mean nothing.
class BlockReader {
  public:
    explicit BlockReader(const Analyzer& analyzer)
        : low_(repeated(analyzer.ascii().low)), high_(repeated(analyzer.ascii().high)),
          to_lower_(repeated(analyzer.options().lowercase ? 'a' - 'A' : 0)), blanks_(analyzer.blanks_others()) {}

    template <class T>
    [[gnu::always_inline]] BlockBits read(const T* p, char* out) const {
        BlockBits bits{};
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 64; i += block_width) {
            BlockBytes bytes = load_narrowed(p + i);
            bits.beyond |= high_bits(bytes) << i;
            const auto upper = static_cast<BlockBytes>((bytes - std::uint8_t{'A'}) < std::uint8_t{26});
            bytes += upper & to_lower_;
            const BlockBytes found = look_up(low_, bytes & 15) & look_up(high_, bytes >> 4);
            const auto in_set = static_cast<BlockBytes>(found != 0);
            bits.members |= high_bits(in_set) << i;
            if (blanks_) bytes = (bytes & in_set) | (std::uint8_t{' '} & ~in_set);
            std::memcpy(out + i, &bytes, sizeof bytes);
        }
        return bits;
    }

  private:
    const BlockBytes low_, high_, to_lower_;
    const bool blanks_;
};

} // namespace mlcore::text
