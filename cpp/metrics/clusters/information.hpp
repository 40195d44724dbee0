// What one labelling tells of another, in nats. Letters as in contingency.hpp.
//   H(a)   -sum_i a_i / n log(a_i / n)
//   MI     sum_ij c_ij / n log(n c_ij / (a_i b_j))
//   EMI    the mean of MI over all labellings with the same a and b (Vinh, Epps and Bailey 2010):
//          sum_ij sum_m m / n log(n m / (a_i b_j)) p(m; a_i, b_j, n), p the hypergeometric distribution
//
// EMI without factorials: logarithms of n! have n log n digits to lose, and most m of a large table have next to no
// probability. From its most probable m, p goes up and down by the ratio of neighbours,
//   p(m + 1) / p(m) = (a - m) (b - m) / ((m + 1) (n - a - b + m + 1)),
// until what is left cannot change a double, and is divided by the sum of all: a few deviations of the distribution
// instead of min(a, b) terms. Pairs of equal sizes (a, b) are found once.
#pragma once

#include "metrics/clusters/contingency.hpp"

namespace mlcore::metrics {

double entropy(std::span<const std::int64_t> sizes, std::int64_t n);

/// 0 where the labellings are independent, up to rounding; entropy(a) or entropy(b) to the last bit where
/// homogeneous() or complete().
double mutual_information(const Contingency& c);

double expected_mutual_information(const RunContext& ctx, const Contingency& c);

} // namespace mlcore::metrics
