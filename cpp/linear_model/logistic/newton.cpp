#include "linear_model/logistic/newton.hpp"

#include "core/parallel.hpp"
#include "linalg/cholesky.hpp"

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

    /// alike: all outputs have the same probabilities, and so the same block.
    void renew(const RunContext& ctx, bool alike) {
        const std::size_t m = loss_.n_cols() + 1;
        if (m > most_block_cols) {
            diagonal_.resize(loss_.n_parameters());
            loss_.hessian_diagonal(ctx, diagonal_.data());
            return;
        }
        const std::vector<linalg::ColumnSet> columns = loss_.whole_table();
        std::vector<Buffer<double>> blocks = loss_.hessian_blocks(ctx, {columns.data(), alike ? 1 : columns.size()});
        factors_.clear();
        factors_.resize(blocks.size());
        const double ns = 0.1 * static_cast<double>(m * m * m);
        parallel_tasks(ctx, blocks.size(), ns,
                       [&](std::size_t k, int) { factors_[k] = linalg::Cholesky(ctx, std::move(blocks[k]), m); });
    }

    void apply(const RunContext& ctx, Vector& v) const {
        if (!diagonal_.empty()) {
            for (std::size_t i = 0; i < v.size(); ++i)
                if (diagonal_[i] > 0) v[i] /= diagonal_[i];
            return;
        }
        const std::size_t m = loss_.n_cols() + 1;
        if (factors_.size() == 1) return factors_[0].solve(v.data(), loss_.n_outputs());
        parallel_tasks(ctx, factors_.size(), static_cast<double>(m * m),
                       [&](std::size_t k, int) { factors_[k].solve(v.data() + k * m); });
    }

  private:
    const LogisticLoss& loss_;
    std::vector<linalg::Cholesky> factors_;
    Vector diagonal_;
};

/// -(Hessian)^-1 gradient but for a residual of `precision` times the gradient's length, in the preconditioner's norm.
/// Counts the products with the Hessian.
Vector conjugate_gradients(const RunContext& ctx, const LogisticLoss& loss, const Preconditioner& metric,
                           const Vector& gradient, double precision, double& products) {
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
        ++products;
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

/// Products with the Hessian that cost as much as the preconditioner's renewal.
double renewal_cost(const LogisticLoss& loss) {
    if (loss.n_cols() + 1 > most_block_cols) return 1;
    const linalg::ColumnSet all(loss.n_cols());
    const auto rows = static_cast<double>(loss.design().n_rows()), K = static_cast<double>(loss.n_outputs());
    const auto m = static_cast<double>(all.size());
    const double product = K * (0.2 * static_cast<double>(loss.design().n_stored()) + 10 * rows);
    return K * (rows * loss.design().products_ns(all, all) + 0.03 * m * m * m) / product;
}

} // namespace

Outcome minimise_newton(const RunContext& ctx, LogisticLoss& loss, Vector& theta, const StopRule& stop) {
    const SmoothFunction f = [&](const double* at, double* gradient) {
        return loss.value_and_gradient(ctx, at, gradient);
    };
    Point at = point_at(f, std::move(theta)), next;
    Record record(ctx, stop, at.value, largest(at.gradient));
    Preconditioner metric(loss);
    const double renewal = 0.6 * renewal_cost(loss);
    double products = renewal; // since the last renewal
    while (record.goes_on()) {
        ctx.checkpoint();
        if (products >= renewal) {
            metric.renew(ctx, largest(at.theta) == 0);
            products = 0;
        }
        const double precision = record.optimality() > 1e-3 ? 0.2 : 0.1; // far from the minimum a rough step does
        Vector towards = conjugate_gradients(ctx, loss, metric, at.gradient, precision, products);
        loss.centre(towards.data(), true); // the blocks know nothing of each other, and leave a common shift
        const double slope = dot(towards, at.gradient);
        if (!(slope < 0) || !search_line(f, at, towards, slope, next)) break; // rounding: as low as it gets
        std::swap(at, next);
        record.iteration(at.value, largest(at.gradient));
    }
    theta = std::move(at.theta);
    return record.take();
}

} // namespace mlcore::linear_model
