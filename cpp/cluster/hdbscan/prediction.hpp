// Where new points would stand in a condensed tree, which stays as it is: each by itself, in any order.
//
// A new point x joins the tree at its nearest neighbour by mutual reachability, max(core(x), core(y), d(x, y) / alpha),
// where x counts as one of its own min_samples nearest. A point that coincides with one of the tree joins it there.
#pragma once

#include "cluster/hdbscan/cluster_tree.hpp"
#include "cluster/hdbscan/labels.hpp"
#include "core/context.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

struct Reachable {
    std::vector<std::int64_t> points;
    std::vector<double> distances; // of mutual reachability; 0 for a point that coincides with one of the tree
    std::vector<char> is_certain;  // false: a point that is not among the k may be nearer
};

/// Of the k nearest points of each new one (distances and indices (q, k), nearest first) the nearest by mutual
/// reachability; of equally near ones the first. own_rank: how many points of the tree are within the core distance of
/// a new one, < k. Throws ValueError for indices beyond `core`.
Reachable nearest_reachable(const RunContext& ctx, MatrixView<const double> distances,
                            MatrixView<const std::int64_t> indices, std::span<const double> core, std::size_t own_rank,
                            double alpha);

/// Clusters and lambdas at which new points leave the tree.
struct Joined {
    std::vector<std::int32_t> cluster;
    std::vector<double> lambda;
};

/// Neighbours are points of the tree, distances to them not negative. Throws ValueError otherwise.
Joined join(const RunContext& ctx, const ClusterTree& tree, std::span<const std::int64_t> neighbours,
            std::span<const double> distances);

PointLabels label_joined(const RunContext& ctx, const LabelledTree& labelled, const Joined& joined);

std::vector<double> score_joined(const ClusterTree& tree, const Joined& joined);

} // namespace mlcore::cluster
