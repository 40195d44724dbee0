// Ridge regression, for each target with its own alpha (letters as in columns.hpp):
//   minimise over w, b   sum_i s_i (y_i - x_i.w - b)^2 + alpha |w|^2
// By Cholesky factorisation of the smaller of two matrices, X~' S X~ + alpha I (d, d) or S^1/2 X~ X~' S^1/2 + alpha I
// (n, n) with w = X~' S^1/2 u (regularised_gram.hpp); a matrix that is singular in double precision gets the solution
// of least norm from its eigenvalues. The first one is independent of the units of columns, the second is a sum over
// them: a wide table with columns of very different sizes takes the first nevertheless, or conjugate gradients. By
// conjugate gradients (ridge_gradients.hpp) where neither matrix is small; sparse rows stay sparse. Left out on
// purpose: SVD of X itself (the smaller matrix has its squared singular values, which is enough for all but problems
// with nearly no penalty and condition beyond 1e8 after scaling), stochastic solvers.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "core/view.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::linear_model {

enum class RidgeSolver { by_cost, cholesky, conjugate_gradients };

struct RidgeParams {
    RidgeSolver solver = RidgeSolver::by_cost;
    double tol = 1e-4;         // conjugate gradients: length of the gradient without units, over that at w = 0
    int max_iter = 1000;       // conjugate gradients
    bool fit_intercept = true; // b; 0 without it
};

struct RidgeFit {
    std::vector<double> coef;         // (t, d)
    std::vector<double> intercept;    // (t)
    std::vector<double> residual;     // (t) what tol is compared with; 0 for Cholesky
    std::vector<std::int32_t> n_iter; // (t) 0 for Cholesky
    RidgeSolver solver{};             // the one used
};

/// Y (n, t); weight (n) or empty; alphas (t), >= 0. Throws ValueError.
RidgeFit ridge(const RunContext& ctx, const Table& X, MatrixView<const double> Y, std::span<const double> weight,
               std::span<const double> alphas, const RidgeParams& params);

} // namespace mlcore::linear_model
