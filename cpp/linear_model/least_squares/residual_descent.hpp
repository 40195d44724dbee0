// The elastic net on a working set of columns by coordinate descent with residual updates: for sets too large for their
// inner products to be kept, or whose columns are so sparse that a pass over them is cheaper. Letters as in
// columns.hpp; r_i is the residual of a row, q_i = s_i r_i what a column is multiplied with.
#pragma once

#include "linalg/columns.hpp"
#include "linear_model/least_squares/gram_descent.hpp"

namespace mlcore::linear_model {

/// One target. y (n): centred targets; w (d) in and out, r (n) in and out, c (d) out: inner products of the columns of
/// the working set with r.
struct ResidualProblem {
    std::span<const double> y, weight;
    double *w, *r, *c;
    double yy; // sum_i s_i y_i^2
};

/// As GramDescent::solve.
template <class Columns>
int residual_descent(const RunContext& ctx, const Columns& x, const linalg::ColumnMoments& moments,
                     const ResidualProblem& problem, const Penalty& penalty, std::span<const std::int32_t> work,
                     const Stop& stop, const Philox* order, std::uint64_t& draws);

} // namespace mlcore::linear_model
