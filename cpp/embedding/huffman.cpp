#include "embedding/huffman.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

namespace mlcore::embedding {

HuffmanTree HuffmanTree::of(std::span<const std::int64_t> counts) {
    const std::size_t n = counts.size();
    if (n < 2) throw ValueError("a Huffman tree needs at least 2 words, got " + std::to_string(n));
    if (n >= std::size_t{1} << 30) throw ValueError("too many words for a Huffman tree: " + std::to_string(n));
    for (const std::int64_t count : counts)
        if (count < 1) throw ValueError("counts must be at least 1, got " + std::to_string(count));

    std::vector<std::int32_t> order(n);
    std::iota(order.rbegin(), order.rend(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return counts[static_cast<std::size_t>(a)] < counts[static_cast<std::size_t>(b)];
    });

    HuffmanTree tree{std::vector<std::int32_t>(n), std::vector<std::int32_t>(n - 1, -1)};
    std::vector<std::int64_t> made; // counts of the inner nodes: ascending, because so is what they are made of
    made.reserve(n - 1);
    std::size_t leaf = 0, inner = 0; // the first of each queue
    for (std::size_t parent = 0; parent + 1 < n; ++parent) {
        std::int64_t sum = 0;
        for (std::int32_t code = 0; code < 2; ++code) {
            const auto link = static_cast<std::int32_t>(2 * parent) + code;
            const std::int64_t leaf_count = leaf < n ? counts[static_cast<std::size_t>(order[leaf])] : 0;
            if (leaf < n && (inner == made.size() || leaf_count <= made[inner])) {
                sum += leaf_count;
                tree.leaves[static_cast<std::size_t>(order[leaf++])] = link;
            } else {
                sum += made[inner];
                tree.inner[inner++] = link;
            }
        }
        made.push_back(sum);
    }
    return tree;
}

HuffmanTree HuffmanTree::grown(std::span<const std::int64_t> counts) const {
    MLCORE_CHECK(!counts.empty() && !inner.empty(), "nothing to join");
    HuffmanTree tree = *this;
    const auto old_inner = static_cast<std::int32_t>(inner.size());
    const auto old_root = static_cast<std::size_t>(std::find(inner.begin(), inner.end(), -1) - inner.begin());
    const auto new_root = old_inner + static_cast<std::int32_t>(counts.size()) - 1;
    tree.inner[old_root] = 2 * new_root;
    if (counts.size() == 1) {
        tree.leaves.push_back(2 * new_root + 1);
    } else {
        const HuffmanTree added = of(counts);
        for (const std::int32_t link : added.leaves) tree.leaves.push_back(link + 2 * old_inner);
        for (const std::int32_t link : added.inner)
            tree.inner.push_back(link < 0 ? 2 * new_root + 1 : link + 2 * old_inner);
    }
    tree.inner.push_back(-1);
    return tree;
}

void HuffmanTree::check() const {
    const std::size_t n_inner = inner.size();
    if (leaves.size() < 2 || leaves.size() != n_inner + 1)
        throw ValueError("damaged tree: " + std::to_string(leaves.size()) + " words and " + std::to_string(n_inner) +
                         " inner nodes");
    std::vector<std::array<std::int64_t, 2>> children(n_inner, {-1, -1}); // inner node or n_inner for a leaf
    std::int64_t root = -1;
    const auto link_up = [&](std::int32_t link, std::size_t child) {
        if (link < 0) {
            if (link != -1 || child == n_inner || root >= 0) throw ValueError("damaged tree: not exactly one root");
            root = static_cast<std::int64_t>(child);
            return;
        }
        const auto parent = static_cast<std::size_t>(link / 2), side = static_cast<std::size_t>(link % 2);
        if (parent >= n_inner || children[parent][side] >= 0) throw ValueError("damaged tree: bad link");
        children[parent][side] = static_cast<std::int64_t>(child);
    };
    for (const std::int32_t link : leaves) link_up(link, n_inner);
    for (std::size_t node = 0; node < n_inner; ++node) link_up(inner[node], node);
    if (root < 0) throw ValueError("damaged tree: no root");
    // Every place is taken exactly once; what is left to exclude are cycles beside the tree.
    std::vector<std::size_t> open{static_cast<std::size_t>(root)};
    std::size_t reached = 0;
    while (!open.empty()) {
        const std::size_t node = open.back();
        open.pop_back();
        ++reached;
        for (const std::int64_t child : children[node])
            if (child >= 0 && child < static_cast<std::int64_t>(n_inner))
                open.push_back(static_cast<std::size_t>(child));
    }
    if (reached != n_inner) throw ValueError("damaged tree: it has a cycle");
}

HuffmanPaths::HuffmanPaths(const HuffmanTree& tree) {
    // Huffman's trees take some 20 steps a word, one more for each time that they were grown.
    constexpr std::size_t most_steps_a_word = 4096;
    std::vector<std::uint32_t> up; // from the leaf to the root
    offset_.reserve(tree.leaves.size() + 1);
    offset_.push_back(0);
    for (std::int32_t link : tree.leaves) {
        up.clear();
        for (; link >= 0; link = tree.inner[static_cast<std::size_t>(link / 2)])
            up.push_back(static_cast<std::uint32_t>(link));
        steps_.insert(steps_.end(), up.rbegin(), up.rend());
        if (steps_.size() > most_steps_a_word * tree.leaves.size())
            throw ValueError("damaged tree: it is far too deep for " + std::to_string(tree.leaves.size()) + " words");
        offset_.push_back(steps_.size());
    }
}

} // namespace mlcore::embedding
