#include "svm/tolerance.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace mlcore::svm {
namespace {

double weighted_median(std::vector<std::pair<double, double>> values) { // (value, weight)
    std::sort(values.begin(), values.end());
    double total = 0, below = 0;
    for (const auto& value : values) total += value.second;
    for (const auto& [value, weight] : values)
        if ((below += weight) >= total / 2) return value;
    return values.empty() ? 0 : values.back().first;
}

} // namespace

TargetScale target_scale(std::span<const double> target, std::span<const double> weight) {
    // Bounds may be as good as infinite: their sum must not be.
    const double most = *std::max_element(weight.begin(), weight.end());
    std::vector<std::pair<double, double>> values;
    for (std::size_t i = 0; i < target.size(); ++i) values.emplace_back(target[i], weight[i] / most);
    TargetScale scale{.middle = weighted_median(values)};
    double sum = 0, total = 0;
    for (auto& [value, w] : values) {
        value = std::abs(value - scale.middle);
        sum += w * value;
        total += w;
    }
    constexpr double of_normal = 1.4826;
    scale.unit = of_normal * weighted_median(std::move(values));
    if (scale.unit == 0) scale.unit = sum / total;
    return scale;
}

double tolerance_unit(const TrainParams& params, const Reference& reference, std::span<const double> C,
                      std::span<const double> label, double target_unit) {
    const double sum = std::accumulate(C.begin(), C.end(), 0.0), mean = sum / static_cast<double>(C.size());
    const double spread = reference.spread;
    switch (params.kind) {
    case Kind::c_svc: {
        // The unit is the margin, unless variables are so bounded that decision values cannot vary as much.
        double positive = 0;
        for (std::size_t v = 0; v < C.size(); ++v) positive += label[v] > 0 ? C[v] : 0;
        return std::min(1.0, spread * std::min(positive, sum - positive));
    }
    case Kind::epsilon_svr:
        return std::min(target_unit, spread * sum / 2);
    case Kind::nu_svr:
        return std::min(target_unit, spread * params.nu * sum / 2);
    // Without a linear term f is a sum over variables: what one row adds to it, or all if they are less than one.
    case Kind::nu_svc:
        return spread * std::min(mean, params.nu * sum / 2);
    default:
        return std::sqrt(reference.size * spread) * std::min(mean, params.nu * sum);
    }
}

double unresolved_gap(const TrainParams& params, const Reference& reference, std::span<const double> C, bool moved) {
    if (params.kind != Kind::nu_svc) return 0;
    constexpr double several = 8; // standard deviations of a sum of roundings, of two such sums
    const double sum = std::accumulate(C.begin(), C.end(), 0.0), most = *std::max_element(C.begin(), C.end());
    const double value = moved ? reference.nearby : reference.size;
    return several * 0x1p-24 * value * std::sqrt(params.nu * sum * most); // variables are at most `most`
}

} // namespace mlcore::svm
