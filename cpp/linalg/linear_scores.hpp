// What every linear model predicts by.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "core/view.hpp"

namespace mlcore::linalg {

/// scores (n, n_outputs) out, row-major: X coef^T + intercept.  coef (n_outputs, d), intercept (n_outputs). Throws
/// ValueError where the sizes do not fit.
void linear_scores(const RunContext& ctx, const Table& X, MatrixView<const double> coef,
                   VectorView<const double> intercept, double* scores);

} // namespace mlcore::linalg
