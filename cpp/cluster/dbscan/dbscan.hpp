// DBSCAN (Ester, Kriegel, Sander and Xu, "A density-based algorithm for discovering clusters in large spatial databases
// with noise", KDD 1996): points with enough neighbours within eps are core points, those that are connected by
// neighbours are a cluster, and what is a neighbour of a core point belongs to its cluster too.
//
// Neighbourhoods are never listed, memory is O(n). As Wang, Gu and Shun ("Theoretically-efficient and practical
// parallel DBSCAN", SIGMOD 2020) do, regions are settled as a whole: their cells of a grid, within which all points are
// neighbours, are the leaves and nodes of a kd-tree here. These adapt to the data, exist in any number of dimensions
// and for any range of coordinates, and serve all metrics.
//   1. core_points: each leaf counts the neighbours of its points, until they are enough;
//   2. connected: each leaf unites its core points with those around it;
//   3. clusters are numbered by their first core points, and the other points labelled.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/metric.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

struct DbscanParams {
    double eps = 0.5;                // neighbours are at most this far from each other, > 0
    double min_samples = 5;          // the weight of the neighbours of a core point, itself among them, > 0
    std::span<const double> weights; // of the points, finite, negative ones too; empty for ones
};

struct DbscanResult {
    std::vector<std::int64_t> labels; // (n), -1 for noise
    std::vector<std::int64_t> core;   // rows of the core points, ascending
};

/// Clusters of points (n, d), finite, 1 <= n < 2^31. Clusters are numbered by their first core points; a point that is
/// a neighbour of core points of several clusters, and no core point, belongs to the first of these. The result is the
/// same for any number of threads. Throws ValueError where eps is so small beside the coordinates that no float64 can
/// tell.
DbscanResult dbscan(const RunContext& ctx, MatrixView<const double> points, neighbors::Metric metric,
                    const DbscanParams& params);

/// Clusters from distances (n, n): j is a neighbour of i where distances(i, j) <= eps. They need not be symmetric: a
/// cluster is then what can be reached from its first core point.
DbscanResult dbscan(const RunContext& ctx, MatrixView<const double> distances, const DbscanParams& params);

/// The same of distances of which those that are not stored are beyond eps, but for that of a point to itself, which
/// is 0. Each place is stored once at most.
template <class Index>
DbscanResult dbscan(const RunContext& ctx, const CsrView<double, Index>& distances, const DbscanParams& params);

} // namespace mlcore::cluster
