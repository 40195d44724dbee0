#include "linear_model/newton.hpp"

#include "core/parallel.hpp"
#include "linear_model/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace mlcore::linear_model {
namespace {

constexpr std::size_t most_block_cols = 2000; // columns of a block that is factorised

/// An approximate inverse of the Hessian: of its diagonal blocks, or of its diagonal.
class Preconditioner {
  public:
    explicit Preconditioner(const LogisticLoss& loss) : loss_(loss) {}

    void renew(const RunContext& ctx) {
        const std::size_t m = loss_.n_cols() + 1, K = loss_.n_outputs();
        if (m > most_block_cols) {
            diagonal_.resize(loss_.n_parameters());
            loss_.hessian_diagonal(ctx, diagonal_.data());
            return;
        }
        std::vector<Buffer<double>> blocks = loss_.hessian_blocks(ctx, loss_.whole_table());
        factors_.resize(K);
        const double ns = 0.1 * static_cast<double>(m * m * m);
        parallel_tasks(ctx, K, ns, [&](std::size_t k, int) { factors_[k] = Cholesky(std::move(blocks[k]), m); });
    }

    void apply(const RunContext& ctx, Vector& v) const {
        if (!diagonal_.empty()) {
            for (std::size_t i = 0; i < v.size(); ++i)
                if (diagonal_[i] > 0) v[i] /= diagonal_[i];
            return;
        }
        const std::size_t m = loss_.n_cols() + 1;
        parallel_tasks(ctx, factors_.size(), static_cast<double>(m * m),
                       [&](std::size_t k, int) { factors_[k].solve(v.data() + k * m); });
    }

  private:
    const LogisticLoss& loss_;
    std::vector<Cholesky> factors_;
    Vector diagonal_;
};

/// -(Hessian)^-1 gradient but for a residual of `precision` times the gradient's length, in the preconditioner's norm.
Vector conjugate_gradients(const RunContext& ctx, const LogisticLoss& loss, const Preconditioner& metric,
                           const Vector& gradient, double precision) {
    constexpr int most_products = 200;
    Vector step(gradient.size()), residual = gradient, product(gradient.size());
    for (double& r : residual) r = -r;
    Vector scaled = residual;
    metric.apply(ctx, scaled);
    Vector towards = scaled;
    double length = dot(residual, scaled);
    const double enough = precision * precision * length;
    for (int i = 0; i < most_products && length > enough; ++i) {
        ctx.checkpoint();
        loss.hessian_product(ctx, towards.data(), product.data());
        const double curvature = dot(towards, product);
        if (!(curvature > 0)) break;
        const double along = length / curvature;
        add(along, towards, step);
        add(-along, product, residual);
        scaled = residual;
        metric.apply(ctx, scaled);
        const double next = dot(residual, scaled);
        for (std::size_t j = 0; j < towards.size(); ++j) towards[j] = scaled[j] + next / length * towards[j];
        length = next;
    }
    return step;
}

/// Whether one factorisation of the whole Hessian costs less than conjugate gradients would.
bool whole_is_cheaper(const LogisticLoss& loss) {
    const auto K = static_cast<double>(loss.n_outputs()), m = static_cast<double>(loss.n_cols() + 1);
    if (loss.n_outputs() == 1) return loss.n_cols() < most_block_cols;
    if (K * m > 4000) return false;
    const ColumnSet all(loss.n_cols());
    const double rows = static_cast<double>(loss.design().n_rows()) * loss.design().products_ns(all, all);
    const double whole = rows * K * (K + 1) / 2 + 0.03 * K * m * K * m * K * m;
    const double sweeps = 20 * static_cast<double>(loss.design().n_stored()) * K * 0.2;
    return whole < rows * K / 3 + sweeps;
}

} // namespace

Outcome minimise_newton(const RunContext& ctx, LogisticLoss& loss, Vector& theta, const StopRule& stop) {
    const SmoothFunction f = [&](const double* at, double* gradient) {
        return loss.value_and_gradient(ctx, at, gradient);
    };
    Outcome out;
    Point at = point_at(f, std::move(theta)), next;
    out.losses.push_back(at.value);
    out.optimality = largest(at.gradient);
    bool whole = whole_is_cheaper(loss);
    Preconditioner metric(loss);
    int renewed = 0;
    while (out.optimality > stop.tol && out.n_iter < stop.max_iter) {
        ctx.checkpoint();
        Vector towards;
        if (whole) {
            towards = at.gradient;
            for (double& x : towards) x = -x;
            Cholesky(loss.hessian(ctx, loss.whole_table()), towards.size()).solve(towards.data());
        } else {
            if (out.n_iter == renewed) {
                metric.renew(ctx);
                renewed = out.n_iter + 3;
            }
            towards = conjugate_gradients(ctx, loss, metric, at.gradient, out.optimality > 1e-3 ? 0.2 : 0.1);
        }
        const double slope = dot(towards, at.gradient);
        if (!(slope < 0) || !search_line(f, at, towards, slope, next)) break; // rounding: as low as it gets
        std::swap(at, next);
        ++out.n_iter;
        out.losses.push_back(at.value);
        out.optimality = largest(at.gradient);
        ctx.progress.iteration(static_cast<std::uint64_t>(out.n_iter), at.value);
    }
    out.converged = out.optimality <= stop.tol;
    theta = std::move(at.theta);
    return out;
}

} // namespace mlcore::linear_model
