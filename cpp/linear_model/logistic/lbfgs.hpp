// Limited-memory BFGS for a smooth function of many parameters (Liu and Nocedal, "On the limited memory BFGS method for
// large scale optimization", 1989), with an initial matrix given by the caller in place of a multiple of the unit
// matrix: an approximate inverse Hessian makes it a quasi-Newton method that has only the error of that approximation
// left to learn.
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/line_search.hpp"

#include <functional>

namespace mlcore::linear_model {

/// v (n) in and out: times the initial matrix. n_iter: iterations done, so that the matrix may be renewed.
using InverseMetric = std::function<void(int n_iter, Vector& v)>;

/// Minimises f from theta on, in place. metric may be empty. memory: pairs of steps and differences of gradients that
/// are kept.
Outcome minimise_lbfgs(const RunContext& ctx, Vector& theta, const SmoothFunction& f, const InverseMetric& metric,
                       const StopRule& stop, int memory = 10);

} // namespace mlcore::linear_model
