#include "nn/attention/tile.hpp"
#include "nn/philox_vectors.hpp"

namespace mlcore::nn::tiles {

void DropoutMask::fill(std::size_t first_key, std::size_t n, std::size_t first_query, std::size_t cols,
                       float* factors) const {
    using simd::Integers;
    using simd::lanes, simd::Floats;
    const Floats kept = simd::broadcast(factor());
    const int limit = static_cast<int>(kept_);
    WideWords even{};
    for (std::size_t l = 0; l < lanes / 2; ++l) even[l] = 2 * l;
    for (std::size_t i = 0; i < n; i += 8)
        for (std::size_t j = 0; j < cols; j += lanes) {
            const WideWords keys = (first_key + i) / 8 - WideWords{}, queries = even + (first_query + j);
            const WideBlock of_even = philox_blocks(seed_, head_, keys, queries);
            const WideBlock of_odd = philox_blocks(seed_, head_, keys, queries + 1);
#pragma GCC unroll 4
            for (std::size_t word = 0; word < 4; ++word) {
                const auto bits = (Integers)interleave(of_even[word], of_odd[word]);
                const Integers low = bits & 0xffff, high = (bits >> 16) & 0xffff;
                simd::store(factors + (i + 2 * word) * panel + j, low < limit ? kept : Floats{});
                simd::store(factors + (i + 2 * word + 1) * panel + j, high < limit ? kept : Floats{});
            }
        }
}

} // namespace mlcore::nn::tiles
