// The random choices of word2vec, each one draw of 64 bits from the stream of its piece:
//   - which occurrences of frequent words are kept (Subsampler), one draw an occurrence;
//   - how far a window reaches, one draw a window;
//   - which words serve as negatives (AliasTable), one draw each.
// Every piece of the corpus has two streams of its own, one for the negatives and one for the rest, pure functions of
// (seed, epoch, piece), so that the draws do not depend on the number of threads. Philox seeds it; SplitMix64 (Steele,
// Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) runs it, because three draws a word of
// Philox would cost more than the products.
#pragma once

#include "core/memory.hpp"
#include "core/random.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::embedding {

class DrawStream {
  public:
    enum class Purpose : std::uint64_t { positions = 0, negatives = 1 };

    /// Philox stream 2 * epoch + purpose of the seed, counter `piece`.
    DrawStream(std::uint64_t seed, Purpose purpose, std::uint64_t epoch, std::uint64_t piece)
        : state_(Philox(seed, 2 * epoch + static_cast<std::uint64_t>(purpose)).u64(piece)) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15; // golden ratio
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// In [0, n), n < 2^32, from the upper half of one draw.
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

  private:
    std::uint64_t state_;
};

/// Keeps an occurrence of a word of frequency f with probability min(1, sqrt(t / f) + t / f), t = `sample`: the rule
/// of word2vec.c (the paper has sqrt(t / f) alone). sample = 0 keeps all.
class Subsampler {
  public:
    Subsampler(std::span<const std::int64_t> counts, double sample);

    /// False where every occurrence is kept and no draw is made.
    bool active() const { return !threshold_.empty(); }
    bool keep(std::int32_t word, std::uint64_t draw) const {
        return static_cast<std::uint32_t>(draw >> 32) <= threshold_[static_cast<std::size_t>(word)];
    }
    double probability(std::int32_t word) const;

  private:
    std::vector<std::uint32_t> threshold_; // floor(probability * 2^32) - 1, at least 0
};

/// Draws word w with probability count(w)^exponent / sum, in constant time and 8 bytes a word: the alias method of
/// Walker (1977) in the form of Vose (1991).
class AliasTable {
  public:
    AliasTable(std::span<const std::int64_t> counts, double exponent);

    /// The upper half of the draw picks a slot, the lower half decides between the slot's word and its alias.
    std::int32_t pick(std::uint64_t draw) const {
        const std::uint64_t slot = ((draw >> 32) * slots_.size()) >> 32;
        const Slot s = slots_[slot];
        const auto own = static_cast<std::int32_t>(slot);
        // Nobody can predict which of the two: a mask instead of a branch.
        return own ^ ((own ^ s.alias) & -static_cast<std::int32_t>(static_cast<std::uint32_t>(draw) > s.threshold));
    }
    /// Exact probability of a word under pick, for tests.
    std::vector<double> probabilities() const;

  private:
    struct Slot {
        std::uint32_t threshold;
        std::int32_t alias;
    };
    Buffer<Slot> slots_;
};

/// The negatives of a piece in turn. They are drawn many at a time: the table does not fit into the nearest cache, and
/// only draws that stand side by side wait for it together.
class NegativeStream {
  public:
    NegativeStream(const AliasTable& table, DrawStream draws) : table_(table), draws_(draws) {}

    std::int32_t next() {
        if (used_ == words_.size()) {
            for (std::int32_t& word : words_) word = table_.pick(draws_.next());
            used_ = 0;
        }
        return words_[used_++];
    }

  private:
    const AliasTable& table_;
    DrawStream draws_;
    std::array<std::int32_t, 256> words_;
    std::size_t used_ = words_.size();
};

} // namespace mlcore::embedding
