// What the tolerance of a kernel machine is measured by. f of solver.hpp, and with it the gap that ends the search, has
// a unit of its own in each machine: the margin, the target, or, where the dual has no linear term, nothing but the
// sizes of kernel values and weights. tol is a part of that unit, so that solutions do not depend on it.
#pragma once

#include "svm/reference.hpp"
#include "svm/trainer.hpp"

#include <span>

namespace mlcore::svm {

/// Targets as a regression sees them. A constant taken off all of them changes rho alone.
struct TargetScale {
    double middle = 0; // median
    double unit = 0;   // median of the distances from it, times 1.48: the standard deviation where they are normal.
                       // The mean distance where more than half of the targets are one number.
};
TargetScale target_scale(std::span<const double> target, std::span<const double> weight);

/// The unit of tol for a problem. C: bounds of the rows' variables; label: 1 or -1 for each of them (classification);
/// target_unit: of a regression.
double tolerance_unit(const TrainParams& params, const Reference& reference, std::span<const double> C,
                      std::span<const double> label, double target_unit);

/// What float32 kernel values, `moved` to be those seen from the reference, leave uncertain of f in nu-SVC, whose f is
/// nothing but a sum over variables: no gap below it can be found but by chance. 0 for the other machines.
double unresolved_gap(const TrainParams& params, const Reference& reference, std::span<const double> C, bool moved);

} // namespace mlcore::svm
