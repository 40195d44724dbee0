#include "metrics/ranking/areas.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_row = 2;
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

template <class Row>
constexpr bool counts = !std::is_same_v<typename Row::Sum, double>;

/// map(part, tp, fp) for every part, with tp and fp as they are above it; then the sum of what it returns, in order.
template <class Row, class Map>
auto sum_over_parts(const RunContext& ctx, const SortedScores<Row>& sorted, Map&& map) {
    using Sum = typename Row::Sum;
    using Value = decltype(map(std::size_t{}, std::size_t{}, Sum{}, Sum{}));
    const std::size_t n_parts = sorted.parts.size() - 1;
    const double ns_per_part = ns_per_row * static_cast<double>(sorted.n) / static_cast<double>(n_parts);
    std::vector<Value> of_part(n_parts);
    parallel_tasks(ctx, n_parts, ns_per_part, [&](std::size_t part, int) {
        const std::size_t begin = sorted.parts[part], tp = sorted.n_above[part];
        of_part[part] = map(begin, sorted.parts[part + 1], Sum{tp}, Sum{begin - tp});
    });
    Value sum{};
    for (const Value& value : of_part) sum += value;
    return sum;
}

ClassTotals count_classes(const SortedScores<LabelledKey>& sorted) {
    std::uint64_t positive = sorted.n_above.back();
    for (std::size_t i = sorted.parts[sorted.parts.size() - 2]; i < sorted.n; ++i)
        positive += sorted.memory[i].positive();
    return {static_cast<double>(positive), static_cast<double>(sorted.n - positive)};
}

ClassTotals add_weights(const SortedScores<WeightedKey>& sorted) {
    ClassTotals totals;
    for (std::size_t i = 0; i < sorted.n; ++i) {
        totals.positive += sorted.memory[i].positive();
        totals.negative += sorted.memory[i].negative();
    }
    return totals;
}

template <class Row>
ClassTotals class_totals(const SortedScores<Row>& sorted) {
    if constexpr (counts<Row>)
        return count_classes(sorted);
    else
        return add_weights(sorted);
}

bool both(const ClassTotals& totals) { return totals.positive > 0 && totals.negative > 0; }

/// A power of two that brings a class's weight near 1: products of weights of both classes then neither overflow nor
/// underflow, whatever unit the weights have, and no digit changes.
template <class Row>
double unit_of(double weight) {
    if (counts<Row> || !(weight > 0) || !std::isfinite(weight)) return 1;
    return std::ldexp(1.0, std::clamp(-std::ilogb(weight), -1000, 1000));
}

} // namespace

template <class Row>
Area roc_area(const RunContext& ctx, const SortedScores<Row>& sorted) {
    using Sum = typename Row::Sum;
    Area area{undefined, class_totals(sorted)};
    const double per_tp = unit_of<Row>(area.totals.positive), per_fp = unit_of<Row>(area.totals.negative);
    // Twice the area between the axis of fp and the cuts in rows[begin, end); the first trapezoid starts at (fp, tp).
    const auto twice_area = [&](std::size_t begin, std::size_t end, Sum tp, Sum fp, bool& descends) {
        Sum twice{}, last_tp = tp, last_fp = fp;
        for_each_cut(sorted.memory.data(), begin, end, tp, fp, [&](Sum t, Sum f, std::int64_t) {
            if constexpr (counts<Row>) {
                twice += (f - last_fp) * (t + last_tp);
            } else {
                descends |= f < last_fp;
                twice += (f - last_fp) * per_fp * ((t + last_tp) * per_tp);
            }
            last_tp = t;
            last_fp = f;
        });
        return twice;
    };
    Sum twice;
    if constexpr (counts<Row>)
        twice = sum_over_parts(ctx, sorted, [&](std::size_t begin, std::size_t end, Sum tp, Sum fp) {
            bool descends = false;
            return twice_area(begin, end, tp, fp, descends);
        });
    else
        twice = twice_area(0, sorted.n, 0, 0, area.descends);
    if (both(area.totals))
        area.value =
            static_cast<double>(twice) / (2 * (area.totals.positive * per_tp) * (area.totals.negative * per_fp));
    return area;
}

template <class Row>
Area partial_roc_area(const SortedScores<Row>& sorted, double max_fpr) {
    using Sum = typename Row::Sum;
    Area area{undefined, class_totals(sorted)};
    if (!both(area.totals)) return area;
    double sum = 0, last_fpr = 0, last_tpr = 0;
    bool inside = true;
    Sum tp{}, fp{}, last_fp{};
    for_each_cut(sorted.memory.data(), 0, sorted.n, tp, fp, [&](Sum t, Sum f, std::int64_t) {
        if constexpr (!counts<Row>) area.descends |= f < last_fp;
        last_fp = f;
        double fpr = static_cast<double>(f) / area.totals.negative, tpr = static_cast<double>(t) / area.totals.positive;
        if (!inside) return;
        if (fpr > max_fpr) { // the point at max_fpr, on the line between the two cuts
            inside = false;
            tpr = last_tpr + (tpr - last_tpr) * (max_fpr - last_fpr) / (fpr - last_fpr);
            fpr = max_fpr;
        }
        sum += (fpr - last_fpr) * (tpr + last_tpr) / 2;
        last_fpr = fpr;
        last_tpr = tpr;
    });
    const double least = 0.5 * max_fpr * max_fpr;
    area.value = 0.5 * (1 + (sum - least) / (max_fpr - least));
    return area;
}

template <class Row>
Area average_precision(const RunContext& ctx, const SortedScores<Row>& sorted) {
    using Sum = typename Row::Sum;
    Area area{0, class_totals(sorted)};
    if (area.totals.positive == 0) return area;
    const auto weighted_precision = [&](std::size_t begin, std::size_t end, Sum tp, Sum fp) {
        double sum = 0;
        Sum last = tp;
        for_each_cut(sorted.memory.data(), begin, end, tp, fp, [&](Sum t, Sum f, std::int64_t) {
            const auto hits = static_cast<double>(t), taken = static_cast<double>(t + f);
            sum += static_cast<double>(t - last) * (taken != 0 ? hits / taken : 0.0);
            last = t;
        });
        return sum;
    };
    double sum;
    if constexpr (counts<Row>)
        sum = sum_over_parts(ctx, sorted, weighted_precision);
    else
        sum = weighted_precision(0, sorted.n, 0, 0);
    area.value = std::max(0.0, sum / area.totals.positive);
    return area;
}

template <class Row>
Area ks_statistic(const SortedScores<Row>& sorted) {
    using Sum = typename Row::Sum;
    Area area{undefined, class_totals(sorted)};
    if (!both(area.totals)) return area;
    const double per_tp = unit_of<Row>(area.totals.positive), per_fp = unit_of<Row>(area.totals.negative);
    const double positive = area.totals.positive * per_tp, negative = area.totals.negative * per_fp;
    double most = 0;
    Sum tp{}, fp{};
    for_each_cut(sorted.memory.data(), 0, sorted.n, tp, fp, [&](Sum t, Sum f, std::int64_t) {
        const double tp_scaled = static_cast<double>(t) * per_tp, fp_scaled = static_cast<double>(f) * per_fp;
        most = std::max(most, std::abs(tp_scaled * negative - fp_scaled * positive)); // both times P N
    });
    area.value = most / (positive * negative);
    return area;
}

#define MLCORE_AREAS(Row)                                                                                              \
    template Area roc_area(const RunContext&, const SortedScores<Row>&);                                               \
    template Area partial_roc_area(const SortedScores<Row>&, double);                                                  \
    template Area average_precision(const RunContext&, const SortedScores<Row>&);                                      \
    template Area ks_statistic(const SortedScores<Row>&);
MLCORE_AREAS(LabelledKey)
MLCORE_AREAS(WeightedKey)
#undef MLCORE_AREAS

} // namespace mlcore::metrics
