// Agglomerative clustering: each row is a cluster, and the two nearest are merged until one is left. The linkage says
// how far two clusters are from each other. Single linkage is read from the minimum spanning tree
// (cluster/single_linkage.hpp).
//
// Ward's, average and complete linkage are reducible: a merged cluster is no nearer to any other than the nearer of its
// parts. So two clusters that are nearest to each other are merged sooner or later, whatever else is merged before, and
// all such pairs may be merged at once; sorted by height, the merges are those that the definition makes one by one.
#pragma once

#include "cluster/agglomerative/merges.hpp"
#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/metric.hpp"

#include <span>

namespace mlcore::cluster {

enum class Linkage { ward, average, complete, single };

/// Of points (n, d), n >= 2, finite; for "cosine" of length 1. linkage is not "single"; ward's is euclidean.
Hierarchy agglomerate(const RunContext& ctx, MatrixView<const double> points, Linkage linkage,
                      neighbors::Metric metric);

/// Of a symmetric matrix of distances (n, n), of which the part above the diagonal is read. linkage: average or
/// complete.
Hierarchy agglomerate_distances(const RunContext& ctx, MatrixView<const double> distances, Linkage linkage);

} // namespace mlcore::cluster
