// A tree of boxes around the centroids of clusters, made anew for each round of merges, in which the nearest cluster of
// each cluster is searched.
//
// A box tells how near the clusters in it can be: no linkage that is searched here puts two clusters nearer than their
// centroids are (average, complete: a mean, and so a maximum, of norms is at least the norm of the mean), and Ward's
// distance is that of the centroids times a factor that grows with the sizes, of which a box knows the least.
#pragma once

#include "cluster/agglomerative/blocks.hpp"
#include "cluster/agglomerative/clusters.hpp"
#include "core/simd.hpp"
#include "neighbors/distance.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace mlcore::cluster {

class CentroidTree {
  public:
    static constexpr std::size_t lanes = simd::lanes_of<double>;
    static constexpr std::size_t leaf_size = 32; // at most

    explicit CentroidTree(const Clusters& clusters);

    /// Clusters in an order in which near ones come together: for searches that find what they need in cache.
    const std::vector<std::int32_t>& order() const { return order_; }

    /// Calls f(q, reduced, sizes, clusters) for blocks of centroids that may be near centers[q]: `lanes` reduced
    /// distances of them, their sizes, and their numbers. bound(q, reduced, size) is the least that a cluster of at
    /// least this size, at least so far away, can have as value; boxes above limit(q) are left out. Lanes without a
    /// cluster are infinitely far. The n <= group centers should be near each other: they go through the tree together,
    /// so that what is read from memory serves all of them.
    template <class Sum, std::size_t group, class Bound, class Limit, class F>
    void search(const std::array<const double*, group>& centers, std::size_t n, Bound&& bound, Limit&& limit,
                F&& f) const {
        struct Entry {
            std::uint32_t node;
            double least; // of the bounds
            std::array<double, group> bounds;
        };
        std::array<Entry, 64> stack;
        std::size_t depth = 1;
        stack[0] = {0, 0.0, {}};
        const auto goes_to = [&](const Entry& entry, std::size_t q) { return entry.bounds[q] <= limit(q); };
        while (depth > 0) {
            const Entry entry = stack[--depth];
            const Node& node = nodes_[entry.node];
            if (node.second == 0) {
                const std::size_t first = node.first_block;
                for (std::size_t q = 0; q < n; ++q)
                    if (goes_to(entry, q))
                        for_blocks<Sum>(centers[q], d_, columns_.data() + first * d_ * lanes, node.last_block - first,
                                        [&](std::size_t i, simd::Doubles reduced) {
                                            const std::size_t at = (first + i) * lanes;
                                            f(q, reduced, simd::load(sizes_.data() + at), numbers_.data() + at);
                                        });
                continue;
            }
            constexpr double infinity = std::numeric_limits<double>::infinity();
            Entry near{entry.node + 1, infinity, {}}, far{node.second, infinity, {}};
            for (std::size_t q = 0; q < n; ++q) {
                const bool goes = goes_to(entry, q);
                for (Entry* child : {&near, &far}) {
                    child->bounds[q] =
                        goes ? bound(q, box_distance<Sum>(centers[q], child->node), nodes_[child->node].least_size)
                             : infinity;
                    child->least = std::min(child->least, child->bounds[q]);
                }
            }
            if (near.least == infinity) continue; // nobody goes here any more
            if (far.least < near.least) std::swap(near, far);
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

    /// At most the reduced distance of any point in the box, in whatever order that is summed: columns are summed
    /// `lanes` at a time here.
    template <class Sum>
    double box_distance(const double* center, std::uint32_t node) const {
        const double *low = bounds_.data() + 2 * stride_ * node, *high = low + stride_;
        simd::Doubles sums{};
        const auto add = [&](simd::Doubles x, std::size_t j) {
            const simd::Doubles below = simd::load(low + j) - x, above = x - simd::load(high + j);
            const simd::Doubles outside = below > above ? below : above;
            sums = Sum::add(sums, outside > simd::Doubles{} ? outside : simd::Doubles{});
        };
        const std::size_t whole = d_ / lanes * lanes;
        for (std::size_t j = 0; j < whole; j += lanes) add(simd::load(center + j), j);
        if (whole < d_) add(simd::load_widened_first(center + whole, d_ - whole), whole);
        if constexpr (std::is_same_v<Sum, neighbors::Chebyshev>) {
            double largest = 0;
            for (std::size_t l = 0; l < lanes; ++l) largest = std::max(largest, sums[l]);
            return largest;
        }
        return simd::sum(sums) * shrink_;
    }

    std::size_t d_, stride_; // columns, and with those that fill vectors
    double shrink_;          // by the rounding of two sums
    std::vector<std::int32_t> order_;
    std::vector<Node> nodes_;
    std::vector<double> bounds_;        // (nodes, 2, stride)
    std::vector<double> columns_;       // (blocks, d, lanes)
    std::vector<double> sizes_;         // (blocks, lanes)
    std::vector<std::int32_t> numbers_; // (blocks, lanes)
};

} // namespace mlcore::cluster
