// Agglomerative clustering where only clusters that are connected may be merged: the edges of a graph between rows say
// which. A merged cluster is connected with what its parts were connected with. The nearest connected pair is taken
// from a heap; with m edges, O(m log m) for graphs whose clusters keep few neighbours.
//
// Average and complete linkage know the distances of connected rows only: where one of two parts is connected with a
// third cluster, its distance is that of both, as in scikit-learn. Heights may then decrease, and merges are in the
// order in which they were made.
#pragma once

#include "cluster/agglomerative/agglomerative.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// Points, or a matrix of distances where `points` is empty.
struct Rows {
    MatrixView<const double> points, distances;
    neighbors::Metric metric = neighbors::Metric::euclidean;

    std::size_t count() const { return points.data ? points.rows : distances.rows; }
    double distance(std::size_t i, std::size_t k) const;
};

/// Edges from[e] -- to[e] of a graph that connects all n rows; each pair once at most. Throws ValueError for rows that
/// do not exist, and where the graph falls apart.
Hierarchy agglomerate_connected(const RunContext& ctx, const Rows& rows, std::span<const std::int32_t> from,
                                std::span<const std::int32_t> to, Linkage linkage);

/// The nearest two rows of each pair of components, labelled 0 .. n_components - 1: (row of the higher, row of the
/// lower), the lowest of equals. What scikit-learn adds to a graph that falls apart.
std::vector<std::int32_t> closest_pairs(const RunContext& ctx, const Rows& rows,
                                        std::span<const std::int32_t> components, std::size_t n_components);

} // namespace mlcore::cluster
