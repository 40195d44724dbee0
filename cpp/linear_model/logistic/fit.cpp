#include "linear_model/logistic/fit.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "linalg/near_zero.hpp"
#include "linalg/row_products.hpp"
#include "linear_model/logistic/first_order.hpp"
#include "linear_model/logistic/lbfgs.hpp"
#include "linear_model/logistic/loss.hpp"
#include "linear_model/logistic/newton.hpp"
#include "linear_model/logistic/proximal_newton.hpp"
#include "linear_model/logistic/saga.hpp"

#include <cmath>

namespace mlcore::linear_model {
namespace {

Outcome by_lbfgs(const RunContext& ctx, LogisticLoss& loss, Vector& theta, const StopRule& stop) {
    return minimise_lbfgs(
        ctx, theta, [&](const double* at, double* gradient) { return loss.value_and_gradient(ctx, at, gradient); },
        stop);
}

constexpr double far_from_zero = 1e3; // mean over deviation: products of columns lose the square of that

/// The rows that solvers work on: columns far from zero moved to it, and what is known of them then.
class Rows {
  public:
    Rows(const RunContext& ctx, const Table& X, std::span<const double> weight, bool fit_intercept)
        : moved_(ctx, X, weight, fit_intercept),
          moments_(linalg::table_moments(ctx, moved_.table(), weight, fit_intercept)) {
        const std::size_t d = moments_.mean.size();
        bool is_far = false;
        for (std::size_t j = 0; j < d; ++j)
            if (const double square = moments_.squares[j]; square > 0)
                is_far |=
                    moments_.weight_sum * moments_.mean[j] * moments_.mean[j] > far_from_zero * far_from_zero * square;
        if (is_far && X.index() < 2) {
            moved_.move_dense(moments_.mean);
            moments_ = linalg::table_moments(ctx, moved_.table(), weight, fit_intercept);
        }
    }

    const Table& table() const { return moved_.table(); }
    const linalg::TableMoments& moments() const { return moments_; }

    /// Coefficients (K, d + 1) of the table as it was: those of the moved one, in place (sign 1), or back (-1).
    void move(double sign, std::vector<double>& theta) const {
        const std::size_t d = moments_.mean.size();
        for (std::size_t at = 0; at < theta.size(); at += d + 1) theta[at + d] += sign * moved_.offset(&theta[at]);
    }

  private:
    linalg::NearZero moved_;
    linalg::TableMoments moments_;
};

} // namespace

LogisticFit fit_logistic(const RunContext& ctx, const Table& X, std::span<const std::int32_t> y,
                         std::span<const double> weight, std::span<const double> start, const LogisticParams& params) {
    if (!(params.l1 >= 0) || !(params.l2 >= 0)) throw ValueError("l1 and l2 must not be negative");
    if (!(params.tol >= 0)) throw ValueError("tol must not be negative");
    if (!weight.empty() && weight.size() != n_rows(X))
        throw ValueError("sample_weight must have " + std::to_string(n_rows(X)) + " entries, got " +
                         std::to_string(weight.size()));
    const Rows rows(ctx, X, weight, params.fit_intercept);
    const auto design = linalg::make_design(rows.table());
    LogisticLoss loss(*design, y, weight, params.n_classes, params.fit_intercept, params.l2);
    loss.standardise(rows.moments());
    if (start.size() != loss.n_parameters())
        throw ValueError("start must have " + std::to_string(loss.n_parameters()) + " entries, got " +
                         std::to_string(start.size()));
    std::vector<double> theta(start.begin(), start.end());
    if (!params.fit_intercept)
        for (std::size_t k = 0; k < loss.n_outputs(); ++k) theta[(k + 1) * (loss.n_cols() + 1) - 1] = 0;
    rows.move(1, theta);
    loss.from_table(theta.data());
    loss.centre(theta.data(), params.l1 == 0);
    const StopRule stop{params.tol, params.max_iter};
    const bool smooth_only = params.solver == "lbfgs" || params.solver == "newton-cholesky";
    if (smooth_only && params.l1 > 0)
        throw ValueError("solver '" + params.solver + "' cannot minimise an objective with an L1 term");
    LogisticFit fit;
    Outcome& outcome = fit;
    if (params.solver == "lbfgs")
        outcome = by_lbfgs(ctx, loss, theta, stop);
    else if (params.solver == "newton-cholesky")
        outcome = minimise_newton(ctx, loss, theta, stop);
    else if (params.solver == "coordinate_descent")
        outcome = minimise_proximal_newton(ctx, loss, params.l1, theta, stop);
    else if (params.solver == "saga")
        outcome = minimise_saga(ctx, loss, params.l1, theta, stop);
    else if (is_first_order(params.solver))
        outcome = minimise_first_order(
            ctx, loss, rows.table(), theta,
            {params.solver, params.l1, params.learning_rate, params.batch_size, params.momentum}, stop);
    else
        throw ValueError("unknown solver '" + params.solver + "'");
    loss.to_table(theta.data());
    rows.move(-1, theta);
    loss.centre(theta.data(), false);
    fit.coef = std::move(theta);
    return fit;
}

double logistic_value_and_gradient(const RunContext& ctx, const Table& X, std::span<const std::int32_t> y,
                                   std::span<const double> weight, const LogisticParams& params,
                                   std::span<const double> theta, std::span<double> gradient) {
    const auto design = linalg::make_design(X);
    LogisticLoss loss(*design, y, weight, params.n_classes, params.fit_intercept, params.l2);
    return loss.value_and_gradient(ctx, theta.data(), gradient.data());
}

} // namespace mlcore::linear_model
