// Products of 16-bit integers, for processors (and levels) without VNNI.
#include "core/simd.hpp"
#include "linalg/int8/kernel.hpp"
#include "linalg/words/tile.hpp"

#ifdef __SSE4_1__
#include <immintrin.h>
#endif

namespace mlcore::linalg::int8 {
namespace {

struct Isa {
    using Sum = std::int32_t;
    static constexpr std::size_t lanes = simd::lanes, word_bytes = 2;
    using Vector = simd::Integers; // __m512i and its like may alias anything, and would stay in memory
    static Vector left(std::int32_t word) { return word - Vector{}; }
#if defined(__AVX512BW__)
    static Vector right(const char* bytes) {
        return (Vector)_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
    }
    static Vector add(Vector sum, Vector left, Vector right) {
        return sum + (Vector)_mm512_madd_epi16((__m512i)left, (__m512i)right);
    }
#elif defined(__AVX2__) && !defined(__AVX512F__)
    static Vector right(const char* bytes) {
        return (Vector)_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    static Vector add(Vector sum, Vector left, Vector right) {
        return sum + (Vector)_mm256_madd_epi16((__m256i)left, (__m256i)right);
    }
#elif defined(__SSE4_1__) && !defined(__AVX__)
    static Vector right(const char* bytes) { return (Vector)_mm_cvtepi8_epi16(_mm_loadu_si64(bytes)); }
    static Vector add(Vector sum, Vector left, Vector right) {
        return sum + (Vector)_mm_madd_epi16((__m128i)left, (__m128i)right);
    }
#else
    using Pairs [[gnu::vector_size(2 * lanes * sizeof(std::int16_t))]] = std::int16_t;
    using Bytes [[gnu::vector_size(2 * lanes)]] = std::int8_t;
    static Vector right(const char* bytes) {
        Bytes v;
        __builtin_memcpy(&v, bytes, sizeof v);
        return (Vector) __builtin_convertvector(v, Pairs);
    }
    static Vector add(Vector sum, Vector left, Vector right) {
        const Vector even = (left << 16 >> 16) * (right << 16 >> 16), odd = (left >> 16) * (right >> 16);
        return sum + even + odd;
    }
#endif
};

constexpr std::size_t rows = simd::lanes == 16 ? 14 : simd::lanes == 8 ? 6 : 4;
constexpr words::Tiles<Isa, rows> tiles;

} // namespace

const Kernel plain{{"plain", 2, 2, rows, 2 * Isa::lanes, tiles.narrow, tiles.wide}, 0};

} // namespace mlcore::linalg::int8
