// The minimum spanning tree of n points under mutual reachability (neighbors/reachability.hpp), in O(n) memory: from it
// single linkage and HDBSCAN read their hierarchies.
//
// Two ways to the same tree, edge for edge: Boruvka's rounds over a kd-tree where boxes keep most points apart, which
// they do in few dimensions, and Prim's n - 1 steps, each over all points that are not in the tree yet.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/metric.hpp"
#include "neighbors/reachability.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::neighbors {

/// n - 1 edges, ascending by (weight, distance, from, to), from < to.
struct SpanningTree {
    std::vector<std::int32_t> from, to;
    std::vector<double> weights;
};

/// Throws ValueError unless there are n points, 1 <= n < 2^31, core distances of all or of none, not negative (a point
/// whose core distance is infinite joins last), and alpha is finite and positive.
void check_spanning_tree(std::size_t n, std::span<const double> core_distances, double alpha);

/// The edges with distances for weights, sorted.
SpanningTree sorted_tree(const RunContext& ctx, const std::vector<Edge>& edges, std::span<const double> core_distances,
                         double alpha, Metric metric);

/// Prim's algorithm: O(n^2 d) time. points (n, d), finite, rows contiguous; core_distances (n), or empty for none;
/// alpha > 0. Throws ValueError for other shapes.
SpanningTree prim(const RunContext& ctx, MatrixView<const double> points, std::span<const double> core_distances,
                  double alpha, Metric metric);

/// Boruvka's algorithm on a kd-tree. neighbors (n, k): rows of the k nearest of each row as k_nearest finds them, or
/// empty; the more are known, the less is searched. Throws ValueError.
SpanningTree boruvka(const RunContext& ctx, const KdTree& tree, std::span<const double> core_distances, double alpha,
                     std::span<const std::int32_t> neighbors);

/// Prim's algorithm over a symmetric matrix of distances (n, n); its diagonal is not read. Distances are not negative;
/// infinite ones are allowed.
SpanningTree prim_of_distances(const RunContext& ctx, MatrixView<const double> distances,
                               std::span<const double> core_distances, double alpha);

} // namespace mlcore::neighbors
