// Counter-based random numbers: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011). A draw is a pure function of (seed, stream, counter), so it does not matter which thread makes
// it, or in which order. Left out on purpose: any state, and distributions that consume a varying number of draws.
//
// All draws of one (stream, counter) come from the same 128 bits: use a stream per purpose and a counter per item.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

namespace mlcore {

struct Philox {
    using Block = std::array<std::uint32_t, 4>;

    constexpr Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

    /// All 128 bits: key = seed, counter words = (counter, stream), low half first.
    constexpr Block block(std::uint64_t counter) const {
        return rounds({low(counter), high(counter), low(stream_), high(stream_)}, low(seed_), high(seed_));
    }

    constexpr std::uint32_t u32(std::uint64_t counter) const { return block(counter)[0]; }

    constexpr std::uint64_t u64(std::uint64_t counter) const {
        const Block b = block(counter);
        return join(b[0], b[1]);
    }

    /// In [0, 1), a multiple of 2^-53.
    constexpr double uniform(std::uint64_t counter) const { return unit(u64(counter)); }

    /// In [0, n), 0 when n is 0. The bias is at most n / 2^64: no rejection, so that one draw is one counter.
    constexpr std::uint64_t below(std::uint64_t counter, std::uint64_t n) const {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(u64(counter)) * n) >> 64);
    }

    /// Standard normal, by Box and Muller (the cosine half).
    double normal(std::uint64_t counter) const {
        const Block b = block(counter);
        const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(join(b[0], b[1])))); // 1 - u is never 0
        return radius * std::cos(2.0 * std::numbers::pi * unit(join(b[2], b[3])));
    }

    /// The bijection itself: from the four words of a counter to the block.
    static constexpr Block rounds(Block c, std::uint32_t key0, std::uint32_t key1) {
        rounds(c, key0, key1, [](std::uint32_t a, std::uint32_t constant) {
            const std::uint64_t product = std::uint64_t{constant} * a;
            return std::pair{low(product), high(product)};
        });
        return c;
    }

    /// The same in place, for words of any type, such as vectors of them: multiply(a, constant) returns the low and
    /// the high word of the product, and a word may be exclusive-ored with a std::uint32_t.
    template <class Words, class Multiply>
    [[gnu::always_inline]] static constexpr void rounds(Words& c, std::uint32_t key0, std::uint32_t key1,
                                                        Multiply multiply) {
#pragma GCC unroll 10
        for (int round = 0; round < 10; ++round) {
            const auto [low0, high0] = multiply(c[0], 0xD2511F53u);
            const auto [low1, high1] = multiply(c[2], 0xCD9E8D57u);
            c = {high1 ^ c[1] ^ key0, low1, high0 ^ c[3] ^ key1, low0};
            key0 += 0x9E3779B9; // golden ratio
            key1 += 0xBB67AE85; // sqrt(3) - 1
        }
    }

  private:
    static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }
    static constexpr std::uint64_t join(std::uint32_t lo, std::uint32_t hi) { return std::uint64_t{hi} << 32 | lo; }
    static constexpr double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

    std::uint64_t seed_, stream_;
};

} // namespace mlcore
