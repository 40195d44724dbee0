// A tree of boxes around the centroids of clusters, made anew for each round of merges, in which the nearest cluster of
// each cluster is searched.
//
// A box tells how near the clusters in it can be: no linkage that is searched here puts two clusters nearer than their
// centroids are (average, complete: a mean, and so a maximum, of norms is at least the norm of the mean), and Ward's
// distance is that of the centroids times a factor that grows with the sizes, of which a box knows the least.
#pragma once

#include "cluster/agglomerative/clusters.hpp"
#include "core/simd.hpp"
#include "neighbors/distance.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mlcore::cluster {

class CentroidTree {
  public:
    static constexpr std::size_t lanes = simd::lanes_of<double>;
    static constexpr std::size_t leaf_size = 32; // at most

    explicit CentroidTree(const Clusters& clusters);

    /// Clusters in an order in which near ones come together: for searches that find what they need in cache.
    const std::vector<std::int32_t>& order() const { return order_; }

    /// Calls f(reduced, sizes, clusters) for blocks of centroids that may be near a center: `lanes` reduced distances
    /// of them, their sizes, and their numbers. bound(reduced, size) is the least that a cluster of at least this size,
    /// at least so far away, can have as value; boxes above limit() are left out. Lanes without a cluster are
    /// infinitely far.
    template <class Sum, class Bound, class Limit, class F>
    void search(const double* center, Bound&& bound, Limit&& limit, F&& f) const {
        struct Entry {
            std::uint32_t node;
            double bound;
        };
        std::array<Entry, 64> stack;
        std::size_t depth = 1;
        stack[0] = {0, 0.0};
        while (depth > 0) {
            const Entry entry = stack[--depth];
            if (entry.bound > limit()) continue;
            const Node& node = nodes_[entry.node];
            if (node.second == 0) {
                for (std::size_t block = node.first_block; block < node.last_block; ++block)
                    f(reduced_of_block<Sum>(center, block), simd::load(sizes_.data() + block * lanes),
                      numbers_.data() + block * lanes);
                continue;
            }
            Entry near{entry.node + 1, 0}, far{node.second, 0};
            near.bound = bound(box_distance<Sum>(center, near.node), nodes_[near.node].least_size);
            far.bound = bound(box_distance<Sum>(center, far.node), nodes_[far.node].least_size);
            if (far.bound < near.bound) std::swap(near, far);
            stack[depth++] = far; // no deeper than the tree, which halves: 32 levels at most
            stack[depth++] = near;
        }
    }

  private:
    struct Node {
        std::uint32_t second = 0; // the second child, the first follows at once; 0: a leaf
        std::uint32_t first_block = 0, last_block = 0;
        double least_size = 0;
    };

    std::uint32_t build(const Clusters& clusters, std::size_t begin, std::size_t end);

    template <class Sum>
    double box_distance(const double* center, std::uint32_t node) const {
        const double *low = bounds_.data() + 2 * d_ * node, *high = low + d_;
        double reduced = 0;
        for (std::size_t j = 0; j < d_; ++j)
            reduced = Sum::add(reduced, std::max(std::max(low[j] - center[j], center[j] - high[j]), 0.0));
        return reduced;
    }
    template <class Sum>
    simd::Doubles reduced_of_block(const double* center, std::size_t block) const {
        const double* columns = columns_.data() + block * d_ * lanes;
        simd::Doubles reduced{};
        for (std::size_t j = 0; j < d_; ++j) reduced = Sum::add(reduced, simd::load(columns + j * lanes) - center[j]);
        return reduced;
    }

    std::size_t d_;
    std::vector<std::int32_t> order_;
    std::vector<Node> nodes_;
    std::vector<double> bounds_;        // (nodes, 2, d)
    std::vector<double> columns_;       // (blocks, d, lanes)
    std::vector<double> sizes_;         // (blocks, lanes)
    std::vector<std::int32_t> numbers_; // (blocks, lanes)
};

} // namespace mlcore::cluster
