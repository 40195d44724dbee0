// The hierarchy of single linkage: edges of a spanning tree, from the lightest on, each join two clusters.
#pragma once

#include "core/context.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

/// Merges (n - 1, 4) in SciPy's form, row by row: the two clusters, the lower number first, at which weight, and how
/// many points they have together. Clusters below n are points; row i makes cluster n + i. The n - 1 edges ascend by
/// weight. Throws ValueError if they do not, or do not make a tree.
std::vector<double> single_linkage(const RunContext& ctx, std::span<const std::int32_t> from,
                                   std::span<const std::int32_t> to, std::span<const double> weights);

} // namespace mlcore::cluster
