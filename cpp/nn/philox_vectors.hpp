// The random words of a whole group of 32 entries, whose order is described in nn/dropout.hpp.
#pragma once

#include "core/random_vectors.hpp"
#include "core/simd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace mlcore::nn {

/// Entries that get their randomness together.
inline constexpr std::size_t random_group = 32;

using Words [[gnu::vector_size(simd::lanes * sizeof(float))]] = std::uint32_t;
using GroupWords = std::array<Words, random_group / simd::lanes>;

/// The low words of `even`, and between them those of `odd`.
[[gnu::always_inline]] inline Words interleave(WideWords even, WideWords odd) {
    return (Words)((even & 0xffffffffU) | (odd << 32));
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
