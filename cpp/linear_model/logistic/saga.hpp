// SAGA (Defazio, Bach and Lacoste-Julien, "SAGA: a fast incremental gradient method with support for non-strongly
// convex composite objectives", 2014) for logistic regression with L1, L2 or both.
//
// The terms that are drawn are blocks of a few neighbouring rows, as they lie in memory: a step reads them in order
// instead of single rows here and there, and what it moves is paid for by all of them. A block's gradient is a product
// of its rows with residuals, so that the table of old gradients is one of residuals, (n, K). Steps have the length 1 /
// L, L the largest curvature that any block can have, by power iteration. The theory wants a third of that for the
// worst case; should an epoch end higher than it began, the fit goes one epoch back and halves the length. One thread:
// an epoch is a chain of steps. Left out on purpose: lagged updates of sparse rows.
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/line_search.hpp"
#include "linear_model/logistic/loss.hpp"

namespace mlcore::linear_model {

/// Minimises the objective plus l1 |W|_1 from theta (K, d + 1) on, in place; an iteration is an epoch. The order of the
/// blocks is drawn from ctx.seed.
Outcome minimise_saga(const RunContext& ctx, LogisticLoss& loss, double l1, Vector& theta, const StopRule& stop);

} // namespace mlcore::linear_model
