// The neighbourhood of radius eps on a kd-tree: which nodes and which points of a leaf are within it.
#pragma once

#include "neighbors/bits.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/leaf_products.hpp"
#include "neighbors/leaf_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace mlcore::cluster {

using neighbors::Bits, neighbors::first_bits, neighbors::for_bits;

/// A tree whose leaves have most_bits points at most, the largest reduced distance of neighbours, and products that
/// tell most of them apart.
struct Radius {
    const neighbors::KdTree& tree;
    double limit;
    const neighbors::LeafProducts& products;
};

/// Sum: a sum of neighbors/distance.hpp.
template <class Sum>
class Neighborhoods {
  public:
    explicit Neighborhoods(const Radius& radius)
        : tree_(radius.tree), limit_(radius.limit), products_(radius.products) {}

    /// No point of one node is a neighbour of one of the other.
    bool apart(std::size_t a, std::size_t b) const {
        double sum = 0;
        for (std::size_t j = 0; j < tree_.dim(); ++j)
            sum = Sum::add(
                sum, std::max({tree_.lower(a)[j] - tree_.upper(b)[j], tree_.lower(b)[j] - tree_.upper(a)[j], 0.0}));
        return sum > limit_;
    }

    /// All points of one node are neighbours of all points of the other.
    bool joined(std::size_t a, std::size_t b) const {
        double sum = 0;
        for (std::size_t j = 0; j < tree_.dim() && sum <= limit_; ++j)
            sum = Sum::add(sum, std::max(tree_.upper(a)[j] - tree_.lower(b)[j], tree_.upper(b)[j] - tree_.lower(a)[j]));
        return sum <= limit_;
    }

    /// The points of a leaf that may have neighbours in the box of a node.
    Bits near_node(std::size_t leaf, std::size_t node) const {
        Bits near = 0;
        neighbors::near_box<Sum>(
            tree_.block(leaf), tree_.leaf_size(), tree_.dim(), tree_.lower(node), tree_.upper(node),
            [&](std::size_t) { return simd::broadcast(limit_); },
            [&](std::size_t first, Bits bits) { near |= bits << first; });
        return near;
    }

    /// f(i, bits) for the points of leaf a in `rows`, ascending: the points of leaf b that are neighbours of point i.
    /// Until f returns false.
    template <class F>
    void for_points(std::size_t a, Bits rows, std::size_t b, F&& f) const {
        if (!products_.serves(a, b, limit_)) {
            for (; rows != 0; rows &= rows - 1) {
                const auto i = static_cast<std::size_t>(std::countr_zero(rows));
                Bits near = 0;
                neighbors::scan<Sum>(tree_.block(a) + i, tree_.leaf_size(), tree_.block(b), tree_.leaf_size(),
                                     tree_.dim(), limit_, nullptr,
                                     [&](std::size_t first, Bits bits) { near |= bits << first; });
                if (!f(i, near)) return;
            }
            return;
        }
        constexpr std::size_t group = neighbors::LeafProducts::group;
        double bounds[group];
        std::fill_n(bounds, group, limit_);
        while (rows != 0) {
            std::size_t points[group], n = 0;
            for (; rows != 0 && n < group; rows &= rows - 1)
                points[n++] = static_cast<std::size_t>(std::countr_zero(rows));
            Bits possible[group], near[group];
            products_.compare(a, points, bounds, n, b, possible, near);
            for (std::size_t i = 0; i < n; ++i) {
                for_bits(possible[i] & ~near[i], [&](std::size_t k) {
                    const auto width = static_cast<std::ptrdiff_t>(tree_.leaf_size());
                    near[i] |=
                        Bits{neighbors::reduced_distance<Sum>(tree_.block(b) + k, width, tree_.block(a) + points[i],
                                                              width, tree_.dim()) <= limit_}
                        << k;
                });
                if (!f(points[i], near[i])) return;
            }
        }
    }

    const neighbors::KdTree& tree() const { return tree_; }
    const neighbors::KdTree::Node& node(std::size_t i) const { return tree_.node(i); }
    std::size_t leaf_of(const neighbors::KdTree::Node& node) const { return node.begin / tree_.leaf_size(); }

    /// Estimated time of what a leaf's points do with those around them.
    double ns_per_leaf() const {
        return static_cast<double>(tree_.leaf_size()) * (200 + 50 * static_cast<double>(tree_.dim()));
    }

  private:
    const neighbors::KdTree& tree_;
    double limit_;
    const neighbors::LeafProducts& products_;
};

/// Children of a node, first the one that holds the position: what is near is then met early.
struct Descent {
    std::size_t first, second;

    Descent(const neighbors::KdTree& tree, std::size_t node, std::size_t position)
        : first(node + 1), second(tree.node(node).right) {
        if (position >= tree.node(second).begin) std::swap(first, second);
    }
};

} // namespace mlcore::cluster
