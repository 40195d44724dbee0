// First centers by k-means++: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding" (SODA 2007), the
// greedy variant. Each center is a point, drawn with a probability proportional to its weight times its squared
// distance to the nearest center before; of some draws the one that lowers the sum of these most is taken.
#pragma once

#include "cluster/kmeans/points.hpp"
#include "core/context.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::kmeans {

/// Numbers of k points, 1 <= k; random numbers are those of ctx.seed. The first is drawn by weight. Where all points
/// lie on centers already, the first point is taken again.
std::vector<std::int64_t> plus_plus(const RunContext& ctx, const Points& points, std::size_t k, std::size_t n_trials);

} // namespace mlcore::kmeans
