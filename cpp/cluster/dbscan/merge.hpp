// Clusters of core points: two core points that are neighbours are in the same cluster.
#pragma once

#include "cluster/dbscan/components.hpp"
#include "cluster/dbscan/neighborhoods.hpp"
#include "core/context.hpp"

#include <cstdint>
#include <span>

namespace mlcore::cluster {

/// The core points, by position in the tree, as sets of those that are connected. core: the core points of each leaf.
Components connected(const RunContext& ctx, const Radius& radius, std::span<const std::uint64_t> core);

/// The label of the points that are not core points: the least label of the core points among their neighbours, -1
/// where there are none. labels: by position, those of the core points are set, all others -1.
void label_border(const RunContext& ctx, const Radius& radius, std::span<const std::uint64_t> core,
                  std::span<std::int64_t> labels);

} // namespace mlcore::cluster
