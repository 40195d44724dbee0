// Core points: those with neighbours, themselves among them, of a weight of min_samples or more.
#pragma once

#include "cluster/dbscan/neighborhoods.hpp"
#include "core/context.hpp"
#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::cluster {

/// The core points of each leaf. weights: by row, empty for ones.
Buffer<std::uint64_t> core_points(const RunContext& ctx, const Radius& radius, double min_samples,
                                  std::span<const double> weights);

} // namespace mlcore::cluster
