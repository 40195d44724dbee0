// Distances as they are compared: "reduced", without the last function that is the same for all. Of euclidean that is
// the squared distance, of cosine the squared distance of points of length 1, of the others the distance itself.
//
// The sum goes over the dimensions in order, with one rounding a step, wherever it is taken: all searches then agree to
// the bit. Rounding is monotonic, so that a bound which is the same sum of smaller terms (the distance to a box) is
// below the sum of each point in the box without any tolerance.
#pragma once

#include "neighbors/metric.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace mlcore::neighbors {

struct SquaredEuclidean {
    /// The sum with one dimension more, in which the points differ by `difference`. T: a double or a vector of them.
    template <class T>
    static T add(T sum, T difference) {
        return sum + difference * difference;
    }
};

struct Manhattan {
    template <class T>
    static T add(T sum, T difference) {
        return sum + (difference < 0 ? -difference : difference);
    }
};

struct Chebyshev {
    template <class T>
    static T add(T sum, T difference) {
        const T size = difference < 0 ? -difference : difference;
        return size > sum ? size : sum;
    }
};

/// The kind of sum that belongs to a metric.
template <Metric metric>
using SumOf = std::conditional_t<metric == Metric::manhattan, Manhattan,
                                 std::conditional_t<metric == Metric::chebyshev, Chebyshev, SquaredEuclidean>>;

/// f.operator()<metric>(): the metric as a constant.
template <class F>
decltype(auto) with_metric(Metric metric, F&& f) {
    switch (metric) {
    case Metric::manhattan:
        return f.template operator()<Metric::manhattan>();
    case Metric::chebyshev:
        return f.template operator()<Metric::chebyshev>();
    case Metric::cosine:
        return f.template operator()<Metric::cosine>();
    default:
        return f.template operator()<Metric::euclidean>();
    }
}

/// f(Sum{}) with the kind of sum that belongs to the metric.
template <class F>
decltype(auto) with_sum(Metric metric, F&& f) {
    return with_metric(metric, [&]<Metric M>() -> decltype(auto) { return f(SumOf<M>{}); });
}

/// The reduced distance of two points of d coordinates each, which lie `a_stride` and `b_stride` apart.
template <class Sum>
double reduced_distance(const double* a, std::ptrdiff_t a_stride, const double* b, std::ptrdiff_t b_stride,
                        std::size_t d) {
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j, a += a_stride, b += b_stride) sum = Sum::add(sum, *a - *b);
    return sum;
}

/// The distance that belongs to a reduced one.
inline double distance_of(Metric metric, double reduced) {
    switch (metric) {
    case Metric::euclidean:
        return std::sqrt(reduced);
    case Metric::cosine:
        return reduced / 2;
    default:
        return reduced;
    }
}

/// The largest reduced distance whose distance is at most `radius` >= 0: whoever compares with it has compared
/// distances.
inline double largest_reduced(Metric metric, double radius) {
    if (metric == Metric::cosine) return 2 * radius;
    if (metric != Metric::euclidean) return radius;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double most = radius * radius;
    while (std::sqrt(most) > radius) most = std::nextafter(most, 0.0);
    for (double next = std::nextafter(most, infinity); next > most && std::sqrt(next) <= radius;
         next = std::nextafter(most, infinity))
        most = next;
    return most;
}

} // namespace mlcore::neighbors
