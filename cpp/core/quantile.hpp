// Quantiles of weighted values.
#pragma once

#include <vector>

namespace mlcore {

/// The q-quantile: the smallest value whose weight and that of all below reach q of the total; the middle of it and the
/// next one where that is reached exactly, so that a weight of two equals a second copy. One value at least; without
/// weights the values are left in another order.
double weighted_quantile(std::vector<double>& values, const std::vector<double>& weights, double q);

} // namespace mlcore
