#include "linalg/int8/quantize.hpp"

#include "core/simd.hpp"
#include "linalg/vector_functions.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace mlcore::linalg::int8 {
namespace {

using simd::Floats, simd::Integers, simd::lanes;

/// The bits of max |x|. As integers the bits of positive floats are ordered like them, infinity above all numbers and
/// NaN above it.
std::int32_t largest_bits(const float* x, std::size_t n) {
    const auto larger = [](Integers a, Floats b) {
        const auto bits = (Integers)b & 0x7fffffff;
        return a > bits ? a : bits;
    };
    Integers first{}, second{};
    std::size_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
        first = larger(first, simd::load(x + i));
        second = larger(second, simd::load(x + i + lanes));
    }
    for (; i + lanes <= n; i += lanes) first = larger(first, simd::load(x + i));
    if (i < n) first = larger(first, simd::load_first(x + i, n - i));
    first = first > second ? first : second;
    std::int32_t largest = 0;
    for (std::size_t l = 0; l < lanes; ++l) largest = std::max(largest, first[l]);
    return largest;
}

} // namespace

template <class Out>
float quantize_row(const float* x, std::size_t n, std::int32_t offset, Out* q) {
    const std::int32_t bits = largest_bits(x, n);
    if (bits == 0 || bits >= std::bit_cast<std::int32_t>(std::numeric_limits<float>::infinity())) {
        std::fill_n(q, n, static_cast<Out>(offset));
        return bits == 0 ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    }
    const float largest = std::bit_cast<float>(bits);
    const float lift = largest < 0x1p-96f ? 0x1p96f : 1.0f; // 127 / largest must stay finite
    const float factor = 127 / (largest * lift);
    constexpr float rounder = 0x1.8p23f; // adding it moves the nearest integer into the lowest bits
    using Narrow [[gnu::vector_size(lanes * sizeof(Out))]] = Out;
    const auto quantized = [&](Floats v) -> Narrow {
        const Floats shifted = v * lift * factor + rounder;
        return __builtin_convertvector((Integers)shifted - (std::bit_cast<std::int32_t>(rounder) - offset), Narrow);
    };
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Narrow v = quantized(simd::load(x + i));
        std::memcpy(q + i, &v, sizeof v);
    }
    if (i < n) {
        const Narrow v = quantized(simd::load_first(x + i, n - i));
        std::memcpy(q + i, &v, (n - i) * sizeof(Out));
    }
    return largest / 127;
}

template float quantize_row(const float*, std::size_t, std::int32_t, std::int8_t*);
template float quantize_row(const float*, std::size_t, std::int32_t, std::int16_t*);

} // namespace mlcore::linalg::int8
