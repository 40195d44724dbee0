// Weights of the rows of a table: one each, or none given, which are ones.
#pragma once

#include <cstddef>
#include <span>

namespace mlcore::linalg {

inline double weight_of(std::span<const double> weight, std::size_t i) { return weight.empty() ? 1.0 : weight[i]; }

/// Of n rows.
inline double sum_of_weights(std::span<const double> weight, std::size_t n) {
    if (weight.empty()) return static_cast<double>(n);
    double sum = 0;
    for (const double s : weight) sum += s;
    return sum;
}

} // namespace mlcore::linalg
