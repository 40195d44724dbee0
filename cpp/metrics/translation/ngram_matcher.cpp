#include "metrics/translation/ngram_matcher.hpp"

#include <algorithm>

namespace mlcore::metrics {
namespace {

constexpr std::size_t max_dense = std::size_t{1} << 18; // 1 MiB: half of a common second-level cache

} // namespace

class NgramMatcher::DenseChildren {
  public:
    DenseChildren(std::vector<std::uint32_t>& table, std::size_t n_symbols, std::size_t n_positions)
        : table_(table), width_(n_symbols + 1) {
        if (table.size() < width_ * n_positions) table.resize(width_ * n_positions);
    }
    std::uint64_t place(std::uint32_t node, Symbol symbol) const { return (node - 1) * width_ + symbol; }
    std::uint32_t& at(std::uint64_t place) { return table_[place]; }
    std::uint32_t find(std::uint64_t place) const { return table_[place]; }
    void clear(std::span<const std::uint64_t> places) {
        for (const std::uint64_t place : places) table_[place] = 0;
    }

  private:
    std::vector<std::uint32_t>& table_;
    const std::uint64_t width_;
};

class NgramMatcher::SearchedChildren {
  public:
    SearchedChildren(KeyTable& table, std::size_t n_symbols, std::size_t n_positions)
        : table_(table), width_(n_symbols + 1), n_positions_(n_positions) {
        table.reset(n_positions);
    }
    std::uint64_t place(std::uint32_t node, Symbol symbol) const { return (node - 1) * width_ + symbol; }
    std::uint32_t& at(std::uint64_t place) { return table_.at(place); }
    std::uint32_t find(std::uint64_t place) const { return table_.find(place); }
    void clear(std::span<const std::uint64_t>) { table_.reset(n_positions_); }

  private:
    KeyTable& table_;
    const std::uint64_t width_;
    const std::size_t n_positions_;
};

/// Enters the n-grams of one reference, whose positions begin at `begin`, and counts them; returns the number of nodes
/// of the level, which was n_nodes before.
template <class Children>
std::uint32_t NgramMatcher::add_reference(Children& children, std::span<const Symbol> reference, std::size_t begin,
                                          std::size_t order, std::uint32_t n_nodes, std::span<std::uint32_t> counts) {
    if (reference.size() < order) return n_nodes;
    const std::size_t n = reference.size() - order + 1;
    // Copies, which the compiler may keep in registers: the arrays could be one and the same for all it knows.
    std::uint32_t* const nodes = nodes_.data() + begin;
    std::uint64_t* const places = places_.data() + begin;
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t place = children.place(nodes[i], reference[i + order - 1]);
        std::uint32_t& child = children.at(place);
        std::uint32_t node = child;
        // Arithmetic instead of a branch, because half of the n-grams are new.
        const std::uint32_t is_new = node == 0;
        n_nodes += is_new;
        node |= n_nodes & (0 - is_new);
        child = node;
        counts[node] += 1;
        nodes[i] = node;
        places[i] = place;
    }
    return n_nodes;
}

template <class Children>
void NgramMatcher::match_with(Children children, std::span<const Symbol> hypothesis,
                              std::span<const std::span<const Symbol>> references, std::span<std::int64_t> matches) {
    std::size_t n_alive = hypothesis.size();
    for (std::size_t i = 0; i < n_alive; ++i) alive_[i] = static_cast<std::uint32_t>(i);
    std::fill_n(alive_nodes_.begin(), n_alive, 1);

    for (std::size_t order = 1; order <= matches.size(); ++order) {
        if (n_alive > 0 && alive_[n_alive - 1] + order > hypothesis.size()) --n_alive; // its n-gram would end outside
        if (n_alive == 0) return;

        std::uint32_t n_nodes = 0;
        std::size_t begin = 0;
        for (const std::span<const Symbol> reference : references) {
            if (references.size() == 1) {
                n_nodes = add_reference(children, reference, begin, order, n_nodes, counts_);
            } else {
                n_nodes = add_reference(children, reference, begin, order, n_nodes, own_counts_);
                const std::size_t n = reference.size() < order ? 0 : reference.size() - order + 1;
                for (std::size_t i = begin; i < begin + n; ++i)
                    counts_[nodes_[i]] = std::max(counts_[nodes_[i]], own_counts_[nodes_[i]]);
                for (std::size_t i = begin; i < begin + n; ++i) own_counts_[nodes_[i]] = 0;
            }
            begin += reference.size();
        }

        std::int64_t n_matches = 0;
        std::size_t n_left = 0;
        for (std::size_t k = 0; k < n_alive; ++k) {
            const std::uint32_t i = alive_[k];
            const std::uint32_t child = children.find(children.place(alive_nodes_[k], hypothesis[i + order - 1]));
            const std::uint32_t left = counts_[child]; // that of node 0, no n-gram, is 0
            const std::uint32_t matched = left > 0;
            n_matches += matched;
            counts_[child] = left - matched;
            alive_[n_left] = i;
            alive_nodes_[n_left] = child;
            n_left += child != 0;
        }
        n_alive = n_left;
        matches[order - 1] = n_matches;

        begin = 0;
        for (const std::span<const Symbol> reference : references) {
            const std::size_t n = reference.size() < order ? 0 : reference.size() - order + 1;
            children.clear(std::span(places_).subspan(begin, n));
            begin += reference.size();
        }
        std::fill_n(counts_.begin(), n_nodes + 1, 0);
    }
}

void NgramMatcher::match(std::span<const Symbol> hypothesis, std::span<const std::span<const Symbol>> references,
                         std::size_t n_symbols, std::span<std::int64_t> matches) {
    std::fill(matches.begin(), matches.end(), 0);
    std::size_t n_positions = 0;
    for (const std::span<const Symbol> reference : references) n_positions += reference.size();
    if (n_positions == 0 || hypothesis.empty()) return;

    if (nodes_.size() < n_positions) {
        nodes_.resize(n_positions);
        places_.resize(n_positions);
        counts_.resize(n_positions + 1);
        own_counts_.resize(n_positions + 1);
    }
    std::fill_n(nodes_.begin(), n_positions, 1);
    if (alive_.size() < hypothesis.size()) {
        alive_.resize(hypothesis.size());
        alive_nodes_.resize(hypothesis.size());
    }
    if (n_positions < max_dense / (n_symbols + 1))
        match_with(DenseChildren(dense_, n_symbols, n_positions), hypothesis, references, matches);
    else
        match_with(SearchedChildren(searched_, n_symbols, n_positions), hypothesis, references, matches);
}

} // namespace mlcore::metrics
