// Average and complete linkage: the mean and the largest of the distances between the rows of two clusters.
//
// They need the distances of all pairs in the end, but not at once: while clusters are small, the nearest of each is
// found in a tree of centroids, which bound what the linkage can be, and computed from the rows of both. Only when few
// enough clusters are left, the matrix between them is computed, in one pass over all pairs of rows that adds what
// belongs to a pair of clusters: a thousandth of the memory of all distances, unless columns are many and the tree
// separates nothing.
#pragma once

#include "cluster/agglomerative/cluster_matrix.hpp"
#include "neighbors/metric.hpp"

namespace mlcore::cluster {

/// n - 1 merges of n points, in the units of the points.
std::vector<Merge> pairwise_merges(const RunContext& ctx, const Points& points, Pairwise linkage,
                                   neighbors::Metric metric);

} // namespace mlcore::cluster
