// How many n-grams of a hypothesis are in its references, for all orders n = 1 .. max_order: what BLEU and chrF are
// made of. Each n-gram counts as often as it is in both; with several references as often as it is in the one that has
// most of it ("clipped" counts of Papineni et al., 2002).
//
// The n-grams of the references are the nodes of a tree, made level by level: the node of an n-gram is the child of the
// node of its first n - 1 symbols, by its last symbol. A level is a table (node of the level before) x (symbol), so
// that an n-gram costs one look-up in a few kilobytes, whatever its order, and nothing is hashed or compared. A
// hypothesis follows the same tree; where it leaves it, all longer n-grams from that position are no matches either.
// Only where that table would be large (long documents) the children are found by search.
#pragma once

#include "metrics/translation/symbol_tables.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

class NgramMatcher {
  public:
    /// matches[n - 1] = number of matched n-grams, for n = 1 .. matches.size(). Symbols of the references are
    /// 1 .. n_symbols; 0 in the hypothesis stands for what no reference holds.
    /// All positions together must be fewer than 2^32.
    void match(std::span<const Symbol> hypothesis, std::span<const std::span<const Symbol>> references,
               std::size_t n_symbols, std::span<std::int64_t> matches);

  private:
    /// Children by plain index: all zeros between two levels.
    class DenseChildren;
    class SearchedChildren;

    template <class Children>
    void match_with(Children children, std::span<const Symbol> hypothesis,
                    std::span<const std::span<const Symbol>> references, std::span<std::int64_t> matches);
    template <class Children>
    std::uint32_t add_reference(Children& children, std::span<const Symbol> reference, std::size_t begin,
                                std::size_t order, std::uint32_t n_nodes, std::span<std::uint32_t> counts);

    std::vector<std::uint32_t> dense_;
    KeyTable searched_;
    // One for each position of the references, all in a row: node of the n-gram that begins there, its place.
    std::vector<std::uint32_t> nodes_;
    std::vector<std::uint64_t> places_;
    // By node: occurrences left to be matched, and those in the reference at hand where there are several.
    std::vector<std::uint32_t> counts_, own_counts_;
    // Positions of the hypothesis that are still in the tree, ascending, and their nodes.
    std::vector<std::uint32_t> alive_, alive_nodes_;
};

} // namespace mlcore::metrics
