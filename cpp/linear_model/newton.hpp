// Newton's method for logistic regression with an L2 penalty. The step solves (Hessian) step = -gradient:
//   - by Cholesky's factorisation of the whole Hessian, where it is small;
//   - else by conjugate gradients, preconditioned by the factors of its diagonal blocks, one for each output, which are
//     renewed from time to time, and stopped early while the minimum is far away (Dembo, Eisenstat and Steihaug,
//     "Inexact Newton methods", 1982);
//   - where even the blocks are too large, with the diagonal in their place.
// Multinomial logistic loss couples the outputs weakly, so that few products with the Hessian do, each a sweep over the
// rows that costs less than one of the gradient.
#pragma once

#include "core/context.hpp"
#include "linear_model/line_search.hpp"
#include "linear_model/logistic_loss.hpp"

namespace mlcore::linear_model {

/// Minimises the objective from theta (K, d + 1) on, in place.
Outcome minimise_newton(const RunContext& ctx, LogisticLoss& loss, Vector& theta, const StopRule& stop);

} // namespace mlcore::linear_model
