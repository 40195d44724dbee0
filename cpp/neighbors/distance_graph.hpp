// A sparse matrix of distances: those of some pairs of n points, all others are infinitely far from each other. Core
// distances and the minimum spanning tree come from what is stored, in O(entries) memory.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "neighbors/spanning_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::neighbors {

/// Neighbours of point i and their distances are entries offsets[i] .. offsets[i + 1] - 1, each pair from both sides.
struct DistanceGraph {
    std::vector<std::size_t> offsets;
    Buffer<std::int32_t> neighbors;
    Buffer<double> distances;

    std::size_t size() const { return offsets.size() - 1; }
};

/// Reads a square matrix whose columns ascend within a row. A distance that is stored on one side counts for both; the
/// diagonal and infinite entries count for nothing. Throws ValueError for other shapes, distances that are negative or
/// NaN, and two sides that differ by more than a relative 1e-8; within it the smaller one is taken.
template <class Index>
DistanceGraph read_distance_graph(const RunContext& ctx, const CsrView<double, Index>& D);

/// The distance of each point to its k-th nearest, itself the first: infinite where it has fewer neighbours.
std::vector<double> core_distances(const RunContext& ctx, const DistanceGraph& graph, std::size_t k);

/// Boruvka's algorithm over the edges, which it uses up. Components are joined by edges of infinite weight, between row
/// 0 and the first row of each other component: the tree of the dense matrix that has infinity where nothing is stored.
SpanningTree boruvka(const RunContext& ctx, DistanceGraph graph, std::span<const double> core_distances, double alpha);

} // namespace mlcore::neighbors
