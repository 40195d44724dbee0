// Newton's method for logistic regression with an L2 penalty. A step solves (Hessian) step = -gradient by conjugate
// gradients, preconditioned by Cholesky factors of the Hessian's diagonal blocks, one for each output. With two classes
// the block is the Hessian itself, and one product settles a step. Multinomial loss couples the outputs weakly, so that
// few products do, each a sweep over the rows that costs less than one of the gradient: all pairs of outputs, K times
// the work of the blocks, are never formed. Blocks are renewed once products have cost as much; steps are as exact as
// they need to be (Dembo, Eisenstat and Steihaug, "Inexact Newton methods", 1982). Tables with so many columns that a
// block is too large get the Hessian's diagonal in its place.
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/line_search.hpp"
#include "linear_model/logistic/loss.hpp"

namespace mlcore::linear_model {

/// Minimises the objective from theta (K, d + 1) on, in place.
Outcome minimise_newton(const RunContext& ctx, LogisticLoss& loss, Vector& theta, const StopRule& stop);

} // namespace mlcore::linear_model
