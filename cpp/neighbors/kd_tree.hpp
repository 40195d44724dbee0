// A kd-tree over points that are copied in the order of its leaves (Friedman, Bentley and Finkel, "An algorithm for
// finding best matches in logarithmic expected time", TOMS 1977; every node has the tight box of its points, as in
// Omohundro's ball trees).
//
// All leaves hold `leaf_size` points but the last, which may have fewer. The points of a leaf lie by dimension, so that
// a scan of it takes as many at a time as a vector has lanes: coordinate j of position p is
//   block(p / leaf_size)[j * leaf_size + p % leaf_size],
// and what is missing in the last leaf is filled with infinities, which are far from everything. A node is split in
// the dimension in which its box is widest, between points of the lower half and the upper half by (coordinate, row),
// at a multiple of leaf_size: the tree is determined by the points alone.
//
// The children of node i are i + 1 and nodes()[i].right: nodes lie in the order of a descent that goes left first, and
// those of a subtree side by side.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "neighbors/metric.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::neighbors {

class KdTree {
  public:
    /// Positions [begin, end) of its points, and its right child, 0 for a leaf.
    struct Node {
        std::uint32_t begin, end, right;

        bool is_leaf() const { return right == 0; }
        std::size_t size() const { return end - begin; }
    };

    /// points: (n, d), finite, 1 <= n < 2^31, d >= 1; they are copied. leaf_size is rounded up to a multiple of 8.
    /// Throws ValueError.
    KdTree(const RunContext& ctx, MatrixView<const double> points, Metric metric, std::size_t leaf_size = 32);

    std::size_t size() const { return n_; }
    std::size_t dim() const { return d_; }
    Metric metric() const { return metric_; }
    std::size_t leaf_size() const { return leaf_size_; }
    std::size_t n_nodes() const { return nodes_.size(); }
    std::size_t n_leaves() const { return leaf_nodes_.size(); }

    const Node* nodes() const { return nodes_.data(); }
    const Node& node(std::size_t i) const { return nodes_[i]; }
    /// The node of leaf number `leaf`, whose positions begin at leaf * leaf_size().
    std::size_t leaf_node(std::size_t leaf) const { return leaf_nodes_[leaf]; }

    /// Position -> row of `points`. Within a leaf rows ascend.
    const std::int32_t* order() const { return order_.data(); }

    /// The box of a node: d least coordinates, d largest ones.
    const double* lower(std::size_t node) const { return boxes_.data() + node * 2 * d_; }
    const double* upper(std::size_t node) const { return lower(node) + d_; }

    /// The coordinates of a leaf, (d, leaf_size).
    const double* block(std::size_t leaf) const { return coordinates_.data() + leaf * leaf_size_ * d_; }
    /// The coordinates of the point at a position; they lie leaf_size() apart.
    const double* point(std::size_t position) const { return block(position / leaf_size_) + position % leaf_size_; }

  private:
    std::size_t n_, d_, leaf_size_;
    Metric metric_;
    Buffer<Node> nodes_;
    Buffer<std::uint32_t> leaf_nodes_;
    Buffer<std::int32_t> order_;
    Buffer<double> boxes_;       // (n_nodes, 2, d)
    Buffer<double> coordinates_; // (n_leaves, d, leaf_size)
};

} // namespace mlcore::neighbors
