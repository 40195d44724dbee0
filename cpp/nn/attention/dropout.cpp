#include "nn/attention/tile.hpp"
#include "nn/philox_vectors.hpp"

namespace mlcore::nn::tiles {
namespace {

using Words = detail::WideWords;

/// The ten rounds of core/random.hpp.
[[gnu::always_inline]] inline void rounds(Words (&c)[4], std::uint64_t key0, std::uint64_t key1) {
    const Words m0 = std::uint64_t{0xD2511F53} - Words{}, m1 = std::uint64_t{0xCD9E8D57} - Words{};
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
        const Words p0 = detail::multiply_low(c[0], m0), p1 = detail::multiply_low(c[2], m1);
        c[0] = (p1 >> 32) ^ c[1] ^ (key0 & 0xffffffff);
        c[1] = p1;
        c[2] = (p0 >> 32) ^ c[3] ^ (key1 & 0xffffffff);
        c[3] = p0;
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

} // namespace

void DropoutMask::fill(std::size_t first_key, std::size_t n, std::size_t first_query, float* factors) const {
    using simd::lanes, simd::Floats;
    using Integers [[gnu::vector_size(lanes * sizeof(int))]] = int;
    const Floats kept = simd::broadcast(factor());
    const int limit = static_cast<int>(kept_);
    Words even{};
    for (std::size_t l = 0; l < lanes / 2; ++l) even[l] = 2 * l;
    for (std::size_t i = 0; i < n; i += 8)
        for (std::size_t j = 0; j < panel; j += lanes) {
            Words pairs[2][4]; // of the even and of the odd queries
#pragma GCC unroll 2
            for (std::size_t odd = 0; odd < 2; ++odd) {
                Words(&c)[4] = pairs[odd];
                c[0] = (first_key + i) / 8 - Words{};
                c[1] = even + (first_query + j + odd);
                c[2] = head_ - Words{};
                c[3] = (head_ >> 32) - Words{};
                rounds(c, seed_, seed_ >> 32);
            }
#pragma GCC unroll 4
            for (std::size_t word = 0; word < 4; ++word) {
                const Integers bits = (Integers)((pairs[0][word] & 0xffffffff) | (pairs[1][word] << 32));
                const Integers low = bits & 0xffff, high = (bits >> 16) & 0xffff;
                simd::store(factors + (i + 2 * word) * panel + j, low < limit ? kept : Floats{});
                simd::store(factors + (i + 2 * word + 1) * panel + j, high < limit ? kept : Floats{});
            }
        }
}

} // namespace mlcore::nn::tiles
