// Compiled with -mavx512vnni, for the level of AVX-512 alone; called where the processor has it
// (linalg/int8/kernel.cpp).
#include "linalg/int8/kernel.hpp"
#include "linalg/words/tile.hpp"

#include <immintrin.h>

namespace mlcore::linalg::int8 {
namespace {

struct Isa {
    using Vector [[gnu::vector_size(64)]] = std::int32_t; // __m512i may alias anything, and would stay in memory
    using Sum = std::int32_t;
    static constexpr std::size_t lanes = 16, word_bytes = 4;
    static Vector right(const char* bytes) { return (Vector)_mm512_loadu_si512(bytes); }
    static Vector left(std::int32_t word) { return (Vector)_mm512_set1_epi32(word); }
    static Vector add(Vector sum, Vector left, Vector right) {
        return (Vector)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)left, (__m512i)right);
    }
};

constexpr words::Tiles<Isa, 14> tiles;

} // namespace

const Kernel vnni{{"avx512_vnni", 4, 4, 14, 2 * Isa::lanes, tiles.narrow, tiles.wide}, 128};

} // namespace mlcore::linalg::int8
