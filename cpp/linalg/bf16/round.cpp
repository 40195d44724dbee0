#include "linalg/bf16/round.hpp"

#include "core/simd.hpp"

#include <cstring>

namespace mlcore::linalg::bf16 {
namespace {

using simd::Floats, simd::lanes;
using Bits [[gnu::vector_size(4 * lanes)]] = std::uint32_t;

/// The bits of the rounded number in the upper half of each lane; in the lower half what is cut off.
[[gnu::always_inline]] inline Bits rounded(Floats x) {
    const Bits bits = (Bits)x, quiet = bits | 0x400000u;
    const Bits nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    return (bits & 0x7fffffffu) > 0x7f800000u ? quiet : nearest;
}

} // namespace

void round_row(const float* x, std::size_t n, std::uint16_t* y) {
    using Halves [[gnu::vector_size(2 * lanes)]] = std::uint16_t;
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Halves v = __builtin_convertvector(rounded(simd::load(x + i)) >> 16, Halves);
        std::memcpy(y + i, &v, sizeof v);
    }
    if (i < n) {
        const Halves v = __builtin_convertvector(rounded(simd::load_first(x + i, n - i)) >> 16, Halves);
        std::memcpy(y + i, &v, (n - i) * sizeof(std::uint16_t));
    }
}

void round_row_swapped(const float* x, std::size_t n, float* y) {
    using Pairs [[gnu::vector_size(4 * lanes)]] = std::uint64_t;
    const auto swapped = [](Floats v) {
        const auto pairs = (Pairs)(rounded(v) & 0xffff0000u);
        return (Floats)(pairs << 32 | pairs >> 32);
    };
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) simd::store(y + i, swapped(simd::load(x + i)));
    if (i < n) simd::store_first(y + i, swapped(simd::load_first(x + i, n - i)), n - i);
}

} // namespace mlcore::linalg::bf16
