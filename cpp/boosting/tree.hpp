// One tree as training sees it: splits on bins, rows of each leaf. Node 0 is the root; the children of a split are two
// consecutive nodes, left first.
#pragma once

#include <cstdint>
#include <vector>

#include "boosting/binned_matrix.hpp"
#include "boosting/split.hpp"

namespace mlcore::boosting {

struct TreeNode {
    int feature = -1;      // -1: leaf
    int bin = 0;           // numeric: bins <= bin go left
    int left = -1;         // child; the right one is left + 1
    int category_set = -1; // index into Tree::category_sets, -1: numeric
    bool missing_left = false;
    double value = 0.0; // what the node adds to the raw score if it is (or were) a leaf
    double gain = 0.0;
    double cover = 0.0;             // sum of hessians
    double count = 0.0;             // rows, repeats counted
    std::size_t begin = 0, end = 0; // its rows in the partition
};

struct Tree;

// The bins that a tree asks for, for the rows [first, last) of binned data; those of sparse columns are written out.
class TreeColumns {
  public:
    TreeColumns(const Tree& tree, const BinnedMatrix& data, std::size_t first, std::size_t last);

    // Of the feature that `node` splits on.
    int bin(int node, std::size_t row) const { return column_[static_cast<std::size_t>(node)][row - first_]; }

  private:
    std::size_t first_;
    std::vector<const std::uint8_t*> column_; // of each node, from row `first`; nullptr for leaves
    std::vector<std::uint8_t> written_;
};

struct Tree {
    std::vector<TreeNode> nodes;
    std::vector<BinSet> category_sets;

    std::size_t n_leaves() const { return (nodes.size() + 1) / 2; }

    // The leaf that a row reaches.
    int leaf(const TreeColumns& columns, const BinMapper& mapper, std::size_t row) const {
        int at = 0;
        while (nodes[at].feature >= 0) {
            const TreeNode& node = nodes[at];
            const int bin = columns.bin(at, row);
            bool left;
            if (node.category_set >= 0)
                left = contains(category_sets[node.category_set], bin);
            else
                left = bin == mapper.missing_bin(node.feature) ? node.missing_left : bin <= node.bin;
            at = left ? node.left : node.left + 1;
        }
        return at;
    }
};

inline TreeColumns::TreeColumns(const Tree& tree, const BinnedMatrix& data, std::size_t first, std::size_t last)
    : first_(first), column_(tree.nodes.size(), nullptr) {
    std::size_t n_written = 0;
    for (const TreeNode& node : tree.nodes) n_written += node.feature >= 0 && data.is_sparse(node.feature);
    written_.resize(n_written * (last - first));
    std::uint8_t* next = written_.data();
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
        const int f = tree.nodes[i].feature;
        if (f < 0) continue;
        if (!data.is_sparse(f)) {
            column_[i] = data.column(f) + first;
            continue;
        }
        data.write_column(f, first, last, next);
        column_[i] = next;
        next += last - first;
    }
}

} // namespace mlcore::boosting
