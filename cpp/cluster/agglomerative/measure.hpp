// Distances as they are compared: a reduced distance grows with the distance and costs less. Works on numbers and on
// vectors of numbers alike; differences are taken before they are squared, and added in the order of the columns.
#pragma once

#include "core/simd.hpp"
#include "neighbors/metric.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace mlcore::cluster {

using neighbors::Metric;

template <class T>
[[gnu::always_inline]] inline T magnitude(T x) {
    if constexpr (std::is_same_v<T, double>)
        return std::abs(x);
    else
        return x < 0 ? -x : x;
}
template <class T>
[[gnu::always_inline]] inline T larger(T x, T y) {
    return x > y ? x : y;
}

/// The reduced distance so far and the difference in one more column. "euclidean" and "cosine": the square.
template <Metric metric, class T>
[[gnu::always_inline]] inline T add_column(T reduced, T difference) {
    if constexpr (metric == Metric::manhattan)
        return reduced + magnitude(difference);
    else if constexpr (metric == Metric::chebyshev)
        return larger(reduced, magnitude(difference));
    else
        return reduced + difference * difference;
}

/// The distance. Of points of length 1 half the square is 1 - cosine.
template <Metric metric>
inline double to_distance(double reduced) {
    if constexpr (metric == Metric::euclidean) return std::sqrt(reduced);
    if constexpr (metric == Metric::cosine) return 0.5 * reduced;
    return reduced;
}

template <Metric metric>
inline double reduced_distance(const double* x, const double* y, std::size_t d) {
    double reduced = 0;
    for (std::size_t j = 0; j < d; ++j) reduced = add_column<metric>(reduced, x[j] - y[j]);
    return reduced;
}

/// Calls f.template operator()<metric>() with the metric as a constant.
template <class F>
auto with_metric(Metric metric, F&& f) {
    switch (metric) {
    case Metric::manhattan:
        return f.template operator()<Metric::manhattan>();
    case Metric::chebyshev:
        return f.template operator()<Metric::chebyshev>();
    case Metric::cosine:
        return f.template operator()<Metric::cosine>();
    case Metric::euclidean:
        break;
    }
    return f.template operator()<Metric::euclidean>();
}

} // namespace mlcore::cluster
