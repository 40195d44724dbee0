// Points that stand for clusters: weighted means, members in the middle, and distances to the exemplars.
#pragma once

#include "cluster/hdbscan/labels.hpp"
#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/metric.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// Members of each of k clusters, by label; -1 is noise.
PointLists members_of(std::span<const std::int64_t> labels, std::size_t k);

/// (k, d): the mean of each cluster's members, each with its weight; the plain mean where all weights are 0.
std::vector<double> centroids(const RunContext& ctx, MatrixView<const double> points, const PointLists& members,
                              std::span<const double> weights);

/// Of each cluster the member i with the least sum_j weight_j d(i, j), the first one of several. Exact, but most
/// members are ruled out by the triangle inequality: from the distances of one member to all follows a lower bound of
/// everybody's sum (J. Newling and F. Fleuret, "A sub-quadratic exact medoid algorithm", AISTATS 2017).
std::vector<std::int64_t> medoids(const RunContext& ctx, MatrixView<const double> points, const PointLists& members,
                                  std::span<const double> weights, neighbors::Metric metric);

/// (q, k) distances from each query to the nearest point of each list.
std::vector<double> nearest_of_lists(const RunContext& ctx, MatrixView<const double> queries,
                                     MatrixView<const double> points, const PointLists& lists,
                                     neighbors::Metric metric);

} // namespace mlcore::cluster
