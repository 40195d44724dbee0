// Compiled with -mavx512bf16, for the level of AVX-512 alone; called where the processor has it
// (linalg/bf16/kernel.cpp).
#include "linalg/bf16/kernel.hpp"
#include "linalg/words/tile.hpp"

#include <immintrin.h>

namespace mlcore::linalg::bf16 {
namespace {

struct Isa {
    using Vector [[gnu::vector_size(64)]] = float;       // __m512 may alias anything, and would stay in memory
    using Pairs [[gnu::vector_size(64)]] = std::int32_t; // likewise
    using Sum = float;
    static constexpr std::size_t lanes = 16, word_bytes = 4;
    static Pairs right(const char* bytes) { return (Pairs)_mm512_loadu_si512(bytes); }
    static Pairs left(std::int32_t word) { return (Pairs)_mm512_set1_epi32(word); }
    static Vector add(Vector sum, Pairs left, Pairs right) {
        return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
    }
};

constexpr words::Tiles<Isa, 14> tiles;

} // namespace

const Kernel native{"avx512_bf16", 2, 4, 14, 2 * Isa::lanes, tiles.narrow, tiles.wide};

} // namespace mlcore::linalg::bf16
