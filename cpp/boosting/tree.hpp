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

struct Tree {
    std::vector<TreeNode> nodes;
    std::vector<BinSet> category_sets;

    std::size_t n_leaves() const { return (nodes.size() + 1) / 2; }

    // The leaf that a row of binned data falls into.
    int leaf(const BinnedMatrix& data, const BinMapper& mapper, std::size_t row) const {
        int at = 0;
        while (nodes[at].feature >= 0) {
            const TreeNode& node = nodes[at];
            const int bin = data.bin(node.feature, row);
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

} // namespace mlcore::boosting
