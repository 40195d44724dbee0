// Exact search on a kd-tree: the k nearest points, and all points within a radius.
//
// Points are ordered by (reduced distance, row), so that the answer is determined by the points alone: it does not
// depend on the tree, on threads or on which other queries there are, and is that of brute force (brute.hpp) to the
// bit.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "neighbors/kd_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::neighbors {

/// The k nearest of each query, nearest first: (q, k).
struct Neighbors {
    Buffer<std::int32_t> indices;
    Buffer<double> distances;
};

/// All points within a radius of each query: those of query i at [offsets[i], offsets[i + 1]), by ascending row.
struct Within {
    std::vector<std::int64_t> offsets; // q + 1
    Buffer<std::int32_t> indices;
    Buffer<double> distances;
};

/// Throws ValueError unless 1 <= k <= number of points and the queries (q, d) have as many coordinates as they.
Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, std::size_t k);

/// The same of the points themselves, in the order of their rows: each is its own first neighbour, whichever others lie
/// at the same place.
Neighbors k_nearest(const RunContext& ctx, const KdTree& tree, std::size_t k);

/// The share of all points whose distance to a query is taken in a search for its k nearest, of the points of some
/// leaves: near 1 where a tree does not pay.
double scanned_share(const RunContext& ctx, const KdTree& tree, std::size_t k);

/// Points at a distance of at most `radius` >= 0. Throws ValueError.
Within within(const RunContext& ctx, const KdTree& tree, MatrixView<const double> queries, double radius);
/// The same of the points themselves, each within its own radius.
Within within(const RunContext& ctx, const KdTree& tree, double radius);

} // namespace mlcore::neighbors
