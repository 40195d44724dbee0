// The binary tree of hierarchical softmax: each word is a leaf, each inner node has a vector, and the path from the
// root decides left (code 0) or right (code 1) at every node. Huffman's tree ("A method for the construction of
// minimum-redundancy codes", 1952) makes the mean path, weighted by counts, as short as any tree can.
//
// Ties are broken so that everybody builds the same tree: leaves stand in ascending order of (count, then descending
// id), inner nodes in the order of their making; of two equal counts the leaf is taken first. The child taken first has
// code 0. Inner nodes are numbered in the order of their making, so the root is the last.
//
// A tree that has been trained can take in more words: the new ones make a tree of their own, and a new root joins
// both. Every old node keeps its number and meaning; the price is one more step on every old path and a tree no longer
// optimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::embedding {

/// Links upwards: 2 * parent + code for each leaf and inner node, -1 for the root. Inner nodes are one fewer than
/// leaves.
struct HuffmanTree {
    std::vector<std::int32_t> leaves, inner;

    /// At least two counts, each at least 1 (ValueError).
    static HuffmanTree of(std::span<const std::int64_t> counts);
    /// Joins the tree of `counts` (a single new word included) below a new root; `counts` must not be empty.
    HuffmanTree grown(std::span<const std::int64_t> counts) const;
    /// Throws ValueError unless this is a tree: one root, all links inside, every node with two children, no cycle.
    void check() const;
};

/// The paths of all words, root first: entry 2 * node + code.
class HuffmanPaths {
  public:
    HuffmanPaths() = default;
    explicit HuffmanPaths(const HuffmanTree& tree);

    std::span<const std::uint32_t> of(std::int32_t word) const {
        const auto w = static_cast<std::size_t>(word);
        return {steps_.data() + offset_[w], offset_[w + 1] - offset_[w]};
    }
    /// Ask for what `of` will read, one word after the other: first where the path begins, then the path itself.
    void prefetch_start(std::int32_t word) const { __builtin_prefetch(&offset_[static_cast<std::size_t>(word)]); }
    void prefetch(std::int32_t word) const { __builtin_prefetch(of(word).data()); }

  private:
    std::vector<std::size_t> offset_; // V + 1
    std::vector<std::uint32_t> steps_;
};

} // namespace mlcore::embedding
