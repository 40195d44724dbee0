#include "linear_model/least_squares/ridge.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/near_zero.hpp"
#include "linalg/normal_equations.hpp"
#include "linalg/row_products.hpp"
#include "linear_model/least_squares/regularised_gram.hpp"
#include "linear_model/least_squares/ridge_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <variant>

namespace mlcore::linear_model {
namespace {

constexpr double largest_factor = 5000;      // rows of a matrix to factorise, if nobody asked for it
constexpr std::size_t largest_uneven = 2000; // columns of a wide table to factorise, where they are uneven
constexpr double uneven = 1e10; // between squares of columns: what is left of 16 digits of the smaller one is 6

/// What the two solvers share: means, and the arrays of the result.
struct Problem {
    const Table& X;
    MatrixView<const double> Y;
    std::span<const double> weight, alphas;
    const RidgeParams& params;
};

void set_intercepts(RidgeFit& fit, std::span<const double> mean, std::span<const double> target_mean) {
    const std::size_t d = mean.size();
    for (std::size_t t = 0; t < target_mean.size(); ++t) {
        fit.intercept[t] = target_mean[t];
        for (std::size_t j = 0; j < d; ++j) fit.intercept[t] -= fit.coef[t * d + j] * mean[j];
    }
}

void by_features(const RunContext& ctx, const Problem& p, RidgeFit& fit) {
    const linalg::NormalEquations normal = linalg::normal_equations(ctx, p.X, p.Y, p.weight, p.params.fit_intercept);
    std::copy(normal.cross.begin(), normal.cross.end(), fit.coef.begin());
    solve_regularised(ctx, GramOf::columns, normal.gram.data(), normal.mean.size(), p.alphas, fit.coef.data());
    set_intercepts(fit, normal.mean, normal.target_mean);
}

void by_rows(const RunContext& ctx, const Problem& p, RidgeFit& fit) {
    const std::size_t n = n_rows(p.X), d = n_cols(p.X), t = p.Y.cols;
    std::vector<double> mean, target_mean;
    linalg::weighted_means(ctx, p.X, p.Y, p.weight, p.params.fit_intercept, mean, target_mean);
    const auto root = [&](std::size_t i) { return p.weight.empty() ? 1.0 : std::sqrt(p.weight[i]); };
    const Buffer<double> gram = linalg::row_gram(ctx, p.X, mean, p.weight);
    std::vector<double> u(t * n);
    for (std::size_t c = 0; c < t; ++c)
        for (std::size_t i = 0; i < n; ++i) u[c * n + i] = root(i) * (p.Y(i, c) - target_mean[c]);
    solve_regularised(ctx, GramOf::rows, gram.data(), n, p.alphas, u.data());
    for (std::size_t c = 0; c < t; ++c) {
        for (std::size_t i = 0; i < n; ++i) // residual_correlation puts the whole weight on: half of it is taken off
            u[c * n + i] = root(i) > 0 ? u[c * n + i] / root(i) : 0;
        linalg::residual_correlation(ctx, p.X, mean, p.weight, u.data() + c * n, nullptr, fit.coef.data() + c * d);
    }
    set_intercepts(fit, mean, target_mean);
}

void by_gradients(const RunContext& ctx, const Problem& p, double tol, RidgeFit& fit) {
    const std::size_t n = n_rows(p.X), d = n_cols(p.X);
    std::vector<double> mean, target_mean;
    linalg::weighted_means(ctx, p.X, p.Y, p.weight, p.params.fit_intercept, mean, target_mean);
    const std::vector<double> squares = linalg::column_squares(ctx, p.X, mean, p.weight);
    std::vector<double> y(n);
    for (std::size_t t = 0; t < p.Y.cols; ++t) {
        for (std::size_t i = 0; i < n; ++i) y[i] = p.Y(i, t) - target_mean[t];
        const auto [n_iter, left] = ridge_gradients(ctx, p.X, mean, squares, p.weight, y.data(), p.alphas[t], tol,
                                                    p.params.max_iter, fit.coef.data() + t * d);
        fit.n_iter[t] = n_iter;
        fit.residual[t] = left;
    }
    set_intercepts(fit, mean, target_mean);
}

/// Whether the matrix of rows, a sum over columns, would lose the small columns beside the large ones.
bool is_uneven(const RunContext& ctx, const Problem& p) {
    std::vector<double> mean, target_mean;
    linalg::weighted_means(ctx, p.X, p.Y, p.weight, p.params.fit_intercept, mean, target_mean);
    double low = 0, high = 0;
    for (const double square : linalg::column_squares(ctx, p.X, mean, p.weight)) {
        if (square == 0) continue;
        low = low == 0 ? square : std::min(low, square);
        high = std::max(high, square);
    }
    return high > uneven * low;
}

/// Cholesky unless neither matrix is small or the table is so sparse that passes over it are nearly free.
RidgeSolver choose(const Table& X) {
    const double n = static_cast<double>(n_rows(X)), d = static_cast<double>(n_cols(X));
    const bool good = std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); }) {
                const double stored = static_cast<double>(x.n_stored());
                return d <= 2000 && d * d <= std::max(4 * stored, 65536.0) && stored / n <= 200;
            } else {
                return std::min(n, d) <= largest_factor;
            }
        },
        X);
    return good ? RidgeSolver::cholesky : RidgeSolver::conjugate_gradients;
}

void check(const Problem& p) {
    if (n_rows(p.X) == 0 || n_cols(p.X) == 0) throw ValueError("X must have rows and columns");
    if (p.Y.rows != n_rows(p.X))
        throw ValueError("Y has " + std::to_string(p.Y.rows) + " rows, but X has " + std::to_string(n_rows(p.X)));
    if (p.alphas.size() != p.Y.cols)
        throw ValueError("alphas must have an entry for each of " + std::to_string(p.Y.cols) + " targets, got " +
                         std::to_string(p.alphas.size()));
    for (const double alpha : p.alphas)
        if (!(alpha >= 0) || std::isinf(alpha)) throw ValueError("alphas must be finite and not negative");
    if (!(p.params.tol >= 0) || p.params.max_iter < 1) throw ValueError("tol must not be negative, max_iter positive");
    if (p.weight.empty()) return;
    double sum = 0;
    for (const double s : p.weight) {
        if (!(s >= 0)) throw ValueError("weights of rows must not be negative, got " + std::to_string(s));
        sum += s;
    }
    if (!(sum > 0) || std::isinf(sum)) throw ValueError("the sum of the weights of rows must be positive and finite");
}

} // namespace

RidgeFit ridge(const RunContext& ctx, const Table& X, MatrixView<const double> Y, std::span<const double> weight,
               std::span<const double> alphas, const RidgeParams& params) {
    check({X, Y, weight, alphas, params});
    const linalg::NearZero moved(ctx, X, weight, params.fit_intercept);
    const Problem problem{moved.table(), Y, weight, alphas, params};
    RidgeFit fit;
    fit.coef.resize(Y.cols * n_cols(X));
    fit.intercept.resize(Y.cols);
    fit.residual.resize(Y.cols);
    fit.n_iter.resize(Y.cols);
    fit.solver = params.solver == RidgeSolver::by_cost ? choose(X) : params.solver;
    const bool is_sparse = std::visit([](const auto& x) { return requires { x.n_stored(); }; }, X);
    const bool has_few_columns = is_sparse || n_cols(X) <= n_rows(X);
    const bool by_all_columns = !has_few_columns && fit.solver == RidgeSolver::cholesky && is_uneven(ctx, problem);
    if (by_all_columns && n_cols(X) > largest_uneven) fit.solver = RidgeSolver::conjugate_gradients;
    if (fit.solver == RidgeSolver::conjugate_gradients)
        by_gradients(ctx, problem, by_all_columns ? std::min(params.tol, 1e-10) : params.tol, fit);
    else if (has_few_columns || by_all_columns)
        by_features(ctx, problem, fit);
    else
        by_rows(ctx, problem, fit);
    moved.restore(fit.coef, fit.intercept);
    return fit;
}

} // namespace mlcore::linear_model
