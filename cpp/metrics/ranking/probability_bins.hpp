// Predicted probabilities in bins, beside how often they came true: what calibration curves and errors are made of.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mlcore::metrics {

/// out: for each bin the sum of its probabilities, the number of its rows that came true, and the number of its rows, 3
/// a bin. Bin b holds what is above inner_edges[b - 1] and not above inner_edges[b]; edges ascend.
void fill_bins(const RunContext& ctx, VectorView<const double> probability, const std::uint8_t* came_true,
               std::span<const double> inner_edges, std::span<double> out);

} // namespace mlcore::metrics
