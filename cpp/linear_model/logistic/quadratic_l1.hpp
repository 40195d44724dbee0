// min over x:  g . (x - x0) + (x - x0) . H (x - x0) / 2 + sum_j l1_j |x_j|, by coordinate descent on the matrix H.
//
// One update sets x_j to the minimum along its axis, a soft threshold, and adds a multiple of a row of H to the
// gradient. Passes over the variables that are not zero alternate with passes over all. Once the signs of two passes
// agree, the minimum over the nonzero variables with these signs is a linear system: a step towards it, as far as the
// first of them to become zero, ends the slow convergence that coordinate descent has where columns are correlated.
// Zeros are exact.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "linear_model/logistic/line_search.hpp"

namespace mlcore::linear_model {

/// H (n, n), both triangles; l1 (n) >= 0; x (n) in: x0, out: the minimum; gradient (n) in: g, out: that of the smooth
/// part at x. Stops when no entry of the minimum-norm subgradient is above `tol`, or after `most_passes`.
void minimise_quadratic_l1(const RunContext& ctx, const Buffer<double>& H, const Vector& l1, double tol,
                           int most_passes, Vector& x, Vector& gradient);

/// The entry of the minimum-norm subgradient of f + l1 |.| at x, where f has derivative g.
inline double subgradient(double g, double x, double l1) {
    if (x > 0) return g + l1;
    if (x < 0) return g - l1;
    return g > l1 ? g - l1 : g < -l1 ? g + l1 : 0.0;
}

} // namespace mlcore::linear_model
