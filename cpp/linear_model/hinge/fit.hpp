// Linear support vector machines: what is minimised, and the letters that all files linear_* use.
//
// Rows x_i (n of them, d features, and a constant feature `bias` in place of an intercept), scores z_i = w . x_i,
// targets y_i (-1 or 1 for classification), costs c_i = C * weight_i > 0.
//
//   F(w) = P(w) + sum_i c_i loss(y_i, z_i)     P(w) = |w|^2 / 2  or  |w|_1
//
//   hinge                        max(0, 1 - y z)            squared_hinge                 max(0, 1 - y z)^2
//   epsilon_insensitive          max(0, |y - z| - epsilon)  squared_epsilon_insensitive   max(0, |y - z| - epsilon)^2
//
// The constant feature is penalised as any other, as in liblinear: the intercept is bias * w_d. This is the objective
// of R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang, C.-J. Lin, "LIBLINEAR: a library for large linear classification"
// (JMLR 9, 2008), and tol means what it means there. Left out: the joint objective of Crammer and Singer, and an
// intercept without penalty.
//
// The solvers:
//   dual            coordinate descent on the dual: any loss, L2
//   newton          Newton's method on the primal with the Hessian as a matrix (few features) or by conjugate
//   gradients:
//                   squared losses, L2 or L1; proximal Newton on the dual for the other two losses
//   feature_columns coordinate descent on the primal: squared hinge, L1, many features
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/context.hpp"
#include "core/table.hpp"

namespace mlcore::linear_model::hinge {

enum class LinearLoss { hinge, squared_hinge, epsilon_insensitive, squared_epsilon_insensitive };
enum class LinearPenalty { l1, l2 };
enum class LinearSolver {
    automatic, ///< `dual` or `primal`, whichever `LinearParams::dual` asks for, with Newton's method where it is better
    descent,   ///< coordinate descent alone
    newton,    ///< Newton's method with the Hessian as a matrix
    conjugate, ///< Newton's method by conjugate gradients
};

struct LinearParams {
    LinearLoss loss = LinearLoss::squared_hinge;
    LinearPenalty penalty = LinearPenalty::l2;
    bool dual = true;   // the problem whose optimality tol is measured on
    double epsilon = 0; // half width of the tube of the epsilon_insensitive losses
    double bias = 1;    // value of the constant feature; 0: no intercept
    double tol = 1e-4;
    int max_iter = 1000;                           // passes over the data (descent) and Newton steps
    LinearSolver solver = LinearSolver::automatic; // other than automatic: for tests
    double beyond = 1; // go on to this part of what tol allows; max_iter is not missed by that
};

constexpr bool is_regression(LinearLoss loss) {
    return loss == LinearLoss::epsilon_insensitive || loss == LinearLoss::squared_epsilon_insensitive;
}
constexpr bool is_squared(LinearLoss loss) {
    return loss == LinearLoss::squared_hinge || loss == LinearLoss::squared_epsilon_insensitive;
}

/// One problem: targets and costs of the rows of a table. A cost of 0 is as good as no row.
struct LinearProblem {
    std::vector<double> target, cost; // (n,)
};

struct LinearSolution {
    std::vector<double> w; // (d + 1,): the last one belongs to the constant feature
    double objective = 0;  // F(w)
    double violation = 0;  // of the optimality conditions, in the measure that is compared to `allowed`
    double allowed = 0;    // what tol asks for
    int n_iter = 0;
    bool converged = false;
};

/// Solves n_problems problems over the same rows, as many at a time as there are threads. make(p) gives problem p and
/// is called from any thread, once a problem. The answers do not depend on the number of threads.
std::vector<LinearSolution> solve_linear(const RunContext& ctx, const Table& X, std::size_t n_problems,
                                         const std::function<LinearProblem(std::size_t)>& make,
                                         const LinearParams& params);

} // namespace mlcore::linear_model::hinge
