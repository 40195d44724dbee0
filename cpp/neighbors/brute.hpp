// Exact search without a tree, for points of many dimensions: the answers of search.hpp, to the bit.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "neighbors/metric.hpp"
#include "neighbors/search.hpp"

#include <cstddef>

namespace mlcore::neighbors {

/// Throws ValueError unless 1 <= k <= number of points and the queries (q, d) have as many coordinates as the points.
Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries,
                    std::size_t k, Metric metric);
/// The same of the points themselves: each is its own first neighbour.
Neighbors k_nearest(const RunContext& ctx, MatrixView<const double> points, std::size_t k, Metric metric);

/// Points at a distance of at most `radius` >= 0. Throws ValueError.
Within within(const RunContext& ctx, MatrixView<const double> points, MatrixView<const double> queries, double radius,
              Metric metric);
/// The same of the points themselves.
Within within(const RunContext& ctx, MatrixView<const double> points, double radius, Metric metric);

} // namespace mlcore::neighbors
