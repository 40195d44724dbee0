// How far two points are from each other, in float64.
//
// "cosine" is of points that were scaled to length 1 before: half the squared Euclidean distance of two such points is
// 1 minus the cosine of the angle between them, so that a search for the nearest is one by Euclidean distance.
#pragma once

#include "core/choice.hpp"

#include <string>

namespace mlcore::neighbors {

enum class Metric { euclidean, manhattan, chebyshev, cosine };

inline Metric parse_metric(const std::string& name) {
    return choose<Metric>("metric", name,
                          {{"euclidean", Metric::euclidean},
                           {"manhattan", Metric::manhattan},
                           {"chebyshev", Metric::chebyshev},
                           {"cosine", Metric::cosine}});
}

} // namespace mlcore::neighbors
