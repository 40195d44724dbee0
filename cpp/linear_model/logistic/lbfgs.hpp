// Limited-memory BFGS for a smooth function of many parameters: Liu and Nocedal, "On the limited memory BFGS method for
// large scale optimization" (1989).
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/line_search.hpp"

namespace mlcore::linear_model {

/// Minimises f from theta on, in place. memory: pairs of steps and differences of gradients that are kept.
Outcome minimise_lbfgs(const RunContext& ctx, Vector& theta, const SmoothFunction& f, const StopRule& stop,
                       int memory = 10);

} // namespace mlcore::linear_model
