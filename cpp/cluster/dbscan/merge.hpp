// Clusters of core points: two core points that are neighbours are in the same cluster.
#pragma once

#include "cluster/dbscan/components.hpp"
#include "core/context.hpp"
#include "neighbors/kd_tree.hpp"

#include <cstdint>
#include <span>

namespace mlcore::cluster {

/// The core points, by position in the tree, as sets of those that are connected. core: the core points of each leaf;
/// limit: the largest reduced distance of neighbours.
Components connected(const RunContext& ctx, const neighbors::KdTree& tree, double limit,
                     std::span<const std::uint64_t> core);

/// The label of the points that are not core points: the least label of the core points among their neighbours, -1
/// where there are none. labels: by position, those of the core points are set, all others -1.
void label_border(const RunContext& ctx, const neighbors::KdTree& tree, double limit,
                  std::span<const std::uint64_t> core, std::span<std::int64_t> labels);

} // namespace mlcore::cluster
