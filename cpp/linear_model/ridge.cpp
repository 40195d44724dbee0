#include "linear_model/ridge.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linear_model/normal_equations.hpp"
#include "linear_model/row_products.hpp"

// GCC before 13 takes the deliberately undefined registers of its own AVX-512 header for mistakes of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <variant>

namespace mlcore::linear_model {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double largest_factor = 5000; // rows of a matrix to factorise, if nobody asked for it
constexpr double eps = std::numeric_limits<double>::epsilon();

/// Solves (gram + alpha_t I) x_t = b_t for the columns of b in place. gram (m, m), symmetric.
class RegularisedGram {
  public:
    RegularisedGram(const double* gram, std::size_t m)
        : gram_(gram, static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(m)) {}

    void solve(const RunContext& ctx, std::span<const double> alphas, MatrixXd& b) {
        for (Eigen::Index first = 0; first < b.cols();) {
            ctx.checkpoint();
            const double alpha = alphas[static_cast<std::size_t>(first)];
            Eigen::Index last = first + 1; // targets in a row with the same alpha share a factor
            while (last < b.cols() && alphas[static_cast<std::size_t>(last)] == alpha) ++last;
            auto block = b.middleCols(first, last - first);
            if (!by_cholesky(alpha, block)) by_eigenvalues(alpha, block);
            first = last;
        }
    }

  private:
    template <class Block>
    bool by_cholesky(double alpha, Block&& block) {
        if (alpha != factored_alpha_) {
            MatrixXd A = gram_;
            A.diagonal().array() += alpha;
            const double largest = A.diagonal().cwiseAbs().maxCoeff();
            factor_.compute(A);
            // A pivot that is rounding and no more: the matrix is singular in this precision.
            const auto pivots = factor_.matrixLLT().diagonal().array();
            is_definite_ = factor_.info() == Eigen::Success &&
                           pivots.square().minCoeff() > 10 * eps * static_cast<double>(A.rows()) * largest;
            factored_alpha_ = alpha;
        }
        if (!is_definite_) return false;
        factor_.solveInPlace(block);
        return true;
    }

    template <class Block>
    void by_eigenvalues(double alpha, Block&& block) {
        if (values_.size() == 0) {
            const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(gram_);
            values_ = solver.eigenvalues();
            vectors_ = solver.eigenvectors();
        }
        const double smallest =
            eps * static_cast<double>(values_.size()) * std::max(values_.cwiseAbs().maxCoeff(), alpha);
        VectorXd inverse(values_.size());
        for (Eigen::Index k = 0; k < values_.size(); ++k) {
            const double value = values_[k] + alpha;
            inverse[k] = values_[k] > smallest && value > smallest ? 1 / value : 0;
        }
        block = vectors_ * (inverse.asDiagonal() * (vectors_.transpose() * block));
    }

    Eigen::Map<const MatrixXd> gram_;
    double factored_alpha_ = -1;
    bool is_definite_ = false;
    Eigen::LLT<MatrixXd> factor_;
    VectorXd values_;
    MatrixXd vectors_;
};

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
    const NormalEquations normal = normal_equations(ctx, p.X, p.Y, p.weight, p.params.fit_intercept);
    const auto d = static_cast<Eigen::Index>(normal.mean.size()), t = static_cast<Eigen::Index>(p.Y.cols);
    MatrixXd b = Eigen::Map<const MatrixXd>(normal.cross.data(), d, t);
    RegularisedGram(normal.gram.data(), normal.mean.size()).solve(ctx, p.alphas, b);
    std::copy(b.data(), b.data() + b.size(), fit.coef.begin());
    set_intercepts(fit, normal.mean, normal.target_mean);
}

void by_rows(const RunContext& ctx, const Problem& p, RidgeFit& fit) {
    const std::size_t n = n_rows(p.X), d = n_cols(p.X), t = p.Y.cols;
    std::vector<double> mean, target_mean;
    weighted_means(ctx, p.X, p.Y, p.weight, p.params.fit_intercept, mean, target_mean);
    const auto root = [&](std::size_t i) { return p.weight.empty() ? 1.0 : std::sqrt(p.weight[i]); };
    const Buffer<double> gram = row_gram(ctx, p.X, mean, p.weight);
    MatrixXd b(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(t));
    for (std::size_t c = 0; c < t; ++c)
        for (std::size_t i = 0; i < n; ++i)
            b(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) = root(i) * (p.Y(i, c) - target_mean[c]);
    RegularisedGram(gram.data(), n).solve(ctx, p.alphas, b);
    std::vector<double> u(n);
    for (std::size_t c = 0; c < t; ++c) {
        for (std::size_t i = 0; i < n; ++i) // residual_correlation puts the whole weight on: half of it is taken off
            u[i] = root(i) > 0 ? b(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) / root(i) : 0;
        residual_correlation(ctx, p.X, mean, p.weight, u.data(), nullptr, fit.coef.data() + c * d);
    }
    set_intercepts(fit, mean, target_mean);
}

/// Conjugate gradients for one target: w (d) from zero. y (n) centred.
void conjugate_gradients(const RunContext& ctx, const Problem& p, std::span<const double> mean,
                         std::span<const double> squares, const double* y, std::size_t target, RidgeFit& fit) {
    const std::size_t d = mean.size();
    const double alpha = p.alphas[target];
    double* w = fit.coef.data() + target * d;
    std::vector<double> r(d), z(d), direction(d), product(d), inverse(d);
    const double largest = *std::max_element(squares.begin(), squares.end()) + alpha;
    for (std::size_t j = 0; j < d; ++j) {
        const double diagonal = squares[j] + alpha;
        inverse[j] = diagonal > 1e-13 * largest ? 1 / diagonal : 0; // a constant column without penalty stays at zero
    }
    const auto dot = [&](const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t j = 0; j < d; ++j) sum += a[j] * b[j];
        return sum;
    };
    residual_correlation(ctx, p.X, mean, p.weight, y, nullptr, r.data());
    const double scale = std::sqrt(dot(r, r));
    double rz = 0;
    for (std::size_t j = 0; j < d; ++j) {
        z[j] = inverse[j] * r[j];
        rz += r[j] * z[j];
    }
    direction = z;
    double left = scale > 0 ? 1 : 0;
    int iteration = 0;
    while (left > p.params.tol && iteration < p.params.max_iter && rz > 0) {
        ctx.checkpoint();
        residual_correlation(ctx, p.X, mean, p.weight, nullptr, direction.data(), product.data()); // -X~'S X~ direction
        for (std::size_t j = 0; j < d; ++j) product[j] = alpha * direction[j] - product[j];
        const double curvature = dot(direction, product);
        if (!(curvature > 0)) break;
        const double step = rz / curvature;
        for (std::size_t j = 0; j < d; ++j) {
            w[j] += step * direction[j];
            r[j] -= step * product[j];
            z[j] = inverse[j] * r[j];
        }
        const double before = rz;
        rz = dot(r, z);
        for (std::size_t j = 0; j < d; ++j) direction[j] = z[j] + rz / before * direction[j];
        left = std::sqrt(dot(r, r)) / scale;
        ctx.progress.iteration(static_cast<std::uint64_t>(++iteration), left);
    }
    fit.n_iter[target] = iteration;
    fit.residual[target] = left;
}

void by_conjugate_gradients(const RunContext& ctx, const Problem& p, RidgeFit& fit) {
    const std::size_t n = n_rows(p.X);
    std::vector<double> mean, target_mean;
    weighted_means(ctx, p.X, p.Y, p.weight, p.params.fit_intercept, mean, target_mean);
    const std::vector<double> squares = column_squares(ctx, p.X, mean, p.weight);
    std::vector<double> y(n);
    for (std::size_t t = 0; t < p.Y.cols; ++t) {
        for (std::size_t i = 0; i < n; ++i) y[i] = p.Y(i, t) - target_mean[t];
        conjugate_gradients(ctx, p, mean, squares, y.data(), t, fit);
    }
    set_intercepts(fit, mean, target_mean);
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
    const Problem problem{X, Y, weight, alphas, params};
    check(problem);
    RidgeFit fit;
    fit.coef.resize(Y.cols * n_cols(X));
    fit.intercept.resize(Y.cols);
    fit.residual.resize(Y.cols);
    fit.n_iter.resize(Y.cols);
    fit.solver = params.solver == RidgeSolver::by_cost ? choose(X) : params.solver;
    const bool is_sparse = std::visit([](const auto& x) { return requires { x.n_stored(); }; }, X);
    if (fit.solver == RidgeSolver::conjugate_gradients)
        by_conjugate_gradients(ctx, problem, fit);
    else if (is_sparse || n_cols(X) <= n_rows(X))
        by_features(ctx, problem, fit);
    else
        by_rows(ctx, problem, fit);
    return fit;
}

} // namespace mlcore::linear_model
