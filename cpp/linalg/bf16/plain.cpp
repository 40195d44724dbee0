// Products of numbers that are no longer than bfloat16 in float32, for processors (and levels) without an instruction
// for them: as fast as float32 at best, with half of the memory for weights.
#include "core/simd.hpp"
#include "linalg/bf16/kernel.hpp"
#include "linalg/words/tile.hpp"

#include <bit>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace mlcore::linalg::bf16 {
namespace {

/// While one lives, numbers below 2^-126 are 0, as they are to the native kernel.
class WithoutDenormals {
#ifdef __SSE2__
  public:
    WithoutDenormals() {
        _mm_setcsr(before_ | 0x8040);  // flush to zero, denormals are zeros
        asm volatile("" ::: "memory"); // no load before, no store after: the arithmetic stays between
    }
    ~WithoutDenormals() {
        asm volatile("" ::: "memory");
        _mm_setcsr(before_);
    }
    WithoutDenormals(const WithoutDenormals&) = delete;

  private:
    unsigned before_ = _mm_getcsr();
#endif
};

struct Isa {
    using Vector = simd::Floats;
    using Sum = float;
    static constexpr std::size_t lanes = simd::lanes, word_bytes = 2;
    static Vector right(const char* bytes) {
        using Halves [[gnu::vector_size(2 * lanes)]] = std::uint16_t;
        using Words [[gnu::vector_size(4 * lanes)]] = std::uint32_t;
        Halves v;
        __builtin_memcpy(&v, bytes, sizeof v);
        return (Vector)(__builtin_convertvector(v, Words) << 16);
    }
    static Vector left(std::int32_t word) { return simd::broadcast(std::bit_cast<float>(word)); }
    static Vector add(Vector sum, Vector left, Vector right) { return simd::fma(left, right, sum); }
};

constexpr std::size_t rows = simd::lanes == 16 ? 14 : simd::lanes == 8 ? 6 : 4;
constexpr words::Tiles<Isa, rows> tiles;

template <std::size_t M>
void narrow(const Tile& tile) {
    [[maybe_unused]] const WithoutDenormals mode;
    tiles.narrow[M - 1](tile);
}

template <std::size_t M>
void wide(const Tile& tile) {
    [[maybe_unused]] const WithoutDenormals mode;
    tiles.wide[M - 1](tile);
}

template <std::size_t M = 1>
constexpr void fill(words::TileKernel<float>* all_narrow, words::TileKernel<float>* all_wide) {
    all_narrow[M - 1] = &narrow<M>;
    if constexpr (M <= rows / 2) all_wide[M - 1] = &wide<M>;
    if constexpr (M < rows) fill<M + 1>(all_narrow, all_wide);
}

struct Guarded {
    words::TileKernel<float> narrow[rows]{}, wide[rows / 2]{};
    constexpr Guarded() { fill(narrow, wide); }
};
constexpr Guarded guarded;

} // namespace

const Kernel plain{"plain", 1, 2, rows, 2 * Isa::lanes, guarded.narrow, guarded.wide};

} // namespace mlcore::linalg::bf16
