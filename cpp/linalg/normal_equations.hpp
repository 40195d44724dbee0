// The normal equations of weighted least squares with an intercept, from one table and several targets: everything that
// ridge and the elastic net need to know of tables with many more rows than columns. Letters as in columns.hpp.
//   mean_j = m_j,  target_mean_t = sum_i s_i y_it / S  (both 0 without an intercept),
//   gram_jk = sum_i s_i x~_ij x~_ik,  cross_tj = sum_i s_i x~_ij y~_it,  target_squares_t = sum_i s_i y~_it^2.
// Dense rows are centred while they are packed for the matrix products, so that nothing is lost to cancellation; sparse
// rows, near zero (near_zero.hpp), give sums of products of their stored entries, and the means are taken off at the
// end. Columns and targets that are constant but for rounding have products of exactly 0. The table is read in place.
// Groups of rows are fixed by the sizes alone and added up in order.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/table.hpp"
#include "core/view.hpp"

#include <span>
#include <vector>

namespace mlcore::linalg {

struct NormalEquations {
    double weight_sum = 0;
    std::vector<double> mean;           // (d)
    std::vector<double> target_mean;    // (t)
    std::vector<double> target_squares; // (t)
    Buffer<double> gram;                // (d, d)
    Buffer<double> cross;               // (t, d)
};

/// Y (n, t); weight (n) or empty.
NormalEquations normal_equations(const RunContext& ctx, const Table& X, MatrixView<const double> Y,
                                 std::span<const double> weight, bool fit_intercept);

/// S, sum_i s_i x_ij / S for each column (zeros without an intercept), the same for the columns of Y.
double weighted_means(const RunContext& ctx, const Table& X, MatrixView<const double> Y, std::span<const double> weight,
                      bool fit_intercept, std::vector<double>& mean, std::vector<double>& target_mean);

} // namespace mlcore::linalg
