// Logistic regression with an L1 term, exact zeros included, by Newton steps whose quadratic models are minimised by
// coordinate descent (Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
// coordinate descent", 2010; Yuan, Ho and Lin, "An improved GLMNET for L1-regularized logistic regression", 2012).
//
// A working set holds the coefficients that are not zero and those that are about to leave zero: only between them is
// the Hessian computed, and no data are touched until the model is minimised. Outputs of a multinomial model are
// coupled in it; where it would be too large, by the number of coefficients at work, each output gets a model of its
// own that lies above, which takes more and cheaper steps.
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/line_search.hpp"
#include "linear_model/logistic/loss.hpp"

namespace mlcore::linear_model {

/// Minimises the objective plus l1 |W|_1 from theta (K, d + 1) on, in place.
Outcome minimise_proximal_newton(const RunContext& ctx, LogisticLoss& loss, double l1, Vector& theta,
                                 const StopRule& stop);

/// Largest entry of the minimum-norm subgradient of the objective plus l1 |W|_1; theta, gradient (K, d + 1).
double largest_subgradient(const LogisticLoss& loss, double l1, const Vector& theta, const Vector& gradient);

/// l1 |W|_1 of theta (K, d + 1), of which W are the coefficients of the table.
double l1_penalty(const LogisticLoss& loss, double l1, const Vector& theta);

} // namespace mlcore::linear_model
