#include "core/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace mlcore {

double weighted_quantile(std::vector<double>& values, const std::vector<double>& weights, double q) {
    const std::size_t n = values.size();
    if (weights.empty()) {
        const double position = q * static_cast<double>(n);
        auto at = static_cast<std::size_t>(std::ceil(position));
        at = std::clamp<std::size_t>(at, 1, n) - 1;
        std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
        const bool exact = position == std::floor(position) && position > 0 && at + 1 < n;
        if (!exact) return values[at];
        return 0.5 *
               (values[at] + *std::min_element(values.begin() + static_cast<std::ptrdiff_t>(at) + 1, values.end()));
    }
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    const double target = q * std::accumulate(weights.begin(), weights.end(), 0.0);
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        sum += weights[order[j]];
        if (sum < target) continue;
        if (sum == target && target > 0 && j + 1 < n) return 0.5 * (values[order[j]] + values[order[j + 1]]);
        return values[order[j]];
    }
    return values[order[n - 1]];
}

} // namespace mlcore
