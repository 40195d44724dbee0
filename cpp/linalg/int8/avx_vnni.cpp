// Compiled with -mavxvnni, for the level of AVX2 alone; called where the processor has it (linalg/int8/kernel.cpp).
#include "linalg/int8/kernel.hpp"
#include "linalg/words/tile.hpp"

#include <immintrin.h>

namespace mlcore::linalg::int8 {
namespace {

struct Isa {
    using Vector [[gnu::vector_size(32)]] = std::int32_t; // __m256i may alias anything, and would stay in memory
    using Sum = std::int32_t;
    static constexpr std::size_t lanes = 8, word_bytes = 4;
    static Vector right(const char* bytes) {
        return (Vector)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    }
    static Vector left(std::int32_t word) { return (Vector)_mm256_set1_epi32(word); }
    static Vector add(Vector sum, Vector left, Vector right) {
        return (Vector)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)left, (__m256i)right);
    }
};

constexpr words::Tiles<Isa, 6> tiles;

} // namespace

const Kernel vnni{{"avx_vnni", 4, 4, 6, 2 * Isa::lanes, tiles.narrow, tiles.wide}, 128};

} // namespace mlcore::linalg::int8
