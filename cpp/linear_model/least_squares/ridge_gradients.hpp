// Ridge by conjugate gradients on the normal equations (Hestenes, Stiefel 1952),  (X~' S X~ + alpha I) w = X~' S y~,
// one pass over the table an iteration. The diagonal is the preconditioner, and it is the measure of what is left as
// well: the gradient's entries over the roots of their curvatures have no units, so that a column of large numbers does
// not hide the others.
// Without a penalty the iterates stay in the row space of X~ in the coordinates of the preconditioner, which is not the
// solution of least norm where columns depend on each other and differ in size. Whether the solution has a part in the
// null space is asked of one more run; if it has, a run without preconditioner finds the part in the row space, as well
// as that converges, and a last one with it makes sure that the gradient is zero for small columns too.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"

#include <cstdint>
#include <span>

namespace mlcore::linear_model {

struct GradientsResult {
    std::int32_t n_iter;
    double left; // norm of the gradient in the preconditioner's metric, over that at zero coefficients
};

/// squares (d): sum_i s_i x~_ij^2, 0 for columns that are constant, whose coefficients stay 0; y (n) centred; w (d)
/// out.
GradientsResult ridge_gradients(const RunContext& ctx, const Table& X, std::span<const double> mean,
                                std::span<const double> squares, std::span<const double> weight, const double* y,
                                double alpha, double tol, int max_iter, double* w);

} // namespace mlcore::linear_model
