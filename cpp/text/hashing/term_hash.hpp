// The column of a term that is hashed, as scikit-learn's HashingVectorizer chooses it: with h the signed 32 bits of
// MurmurHash3 (x86, 32 bits, seed 0; Austin Appleby, public domain) of the term's UTF-8,
//
//     column = |h| mod n_features,    sign = -1 if h < 0 and signs alternate, else 1
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mlcore::text {

/// Up to four bytes beyond the term are read.
inline std::uint32_t murmur3(std::string_view term) {
    static_assert(std::endian::native == std::endian::little, "blocks are read as they lie");
    const auto load = [](const char* p) {
        std::uint32_t block;
        std::memcpy(&block, p, 4);
        return block;
    };
    const auto mixed = [](std::uint32_t block) { return std::rotl(block * 0xCC9E2D51, 15) * 0x1B873593; };
    const char* p = term.data();
    const char* const last = p + (term.size() & ~std::size_t{3});
    std::uint32_t h = 0;
    for (; p != last; p += 4) h = std::rotl(h ^ mixed(load(p)), 13) * 5 + 0xE6546B64;
    const std::uint32_t tail = load(last) & ((std::uint32_t{1} << 8 * (term.size() & 3)) - 1);
    h ^= mixed(tail); // 0 where there is no tail
    h ^= static_cast<std::uint32_t>(term.size());
    h = (h ^ h >> 16) * 0x85EBCA6B;
    h = (h ^ h >> 13) * 0xC2B2AE35;
    return h ^ h >> 16;
}

/// One occurrence of a term: its column, and its sign in the lowest bit (1: negative).
using HashedTerm = std::uint32_t;

class TermHash {
  public:
    /// 1 <= n_features < 2^31
    TermHash(std::uint32_t n_features, bool alternate_sign)
        : n_features_(n_features), reciprocal_(~std::uint64_t{0} / n_features + 1), alternate_sign_(alternate_sign) {}

    std::uint32_t n_features() const { return n_features_; }

    /// Up to four bytes beyond the term are read.
    HashedTerm operator()(std::string_view term) const {
        const std::uint32_t h = murmur3(term), negative = h >> 31;
        return remainder(negative ? 0 - h : h) << 1 | (negative & alternate_sign_);
    }

  private:
    /// x mod n_features without a division, exact for 32 bits (Lemire, Kaser, Kurz 2019).
    std::uint32_t remainder(std::uint32_t x) const {
        __extension__ using Wide = unsigned __int128;
        const std::uint64_t fraction = reciprocal_ * x; // of x / n_features, in units of 2^-64; 0 for n_features = 1
        return static_cast<std::uint32_t>(static_cast<Wide>(fraction) * n_features_ >> 64);
    }

    std::uint32_t n_features_;
    std::uint64_t reciprocal_;
    std::uint32_t alternate_sign_;
};

} // namespace mlcore::text
