// Coordinate descent on the primal of a squared hinge with L1 penalty: one Newton step on one coefficient at a time,
// shortened until F falls. K.-W. Chang, C.-J. Hsieh, C.-J. Lin, "Coordinate descent method for large-scale L2-loss
// linear support vector machines" (JMLR 9, 2008), with the L1 penalty of G.-X. Yuan, K.-W. Chang, C.-J. Hsieh, C.-J.
// Lin, "A comparison of optimization methods and software for large-scale L1-regularized linear classification" (JMLR
// 11, 2010).
//
// A coefficient of zero whose gradient is well inside [-1, 1] is left out until the others are optimal.
#include "linear_model/hinge/feature_columns.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::linear_model::hinge {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double sufficient = 0.01; // Armijo's constant
constexpr int most_halvings = 30;

class ColumnDescent final : public LinearRun {
  public:
    ColumnDescent(const LinearColumns& columns, const LinearParams& params, std::uint64_t seed,
                  const LinearProblem& problem, std::size_t number)
        : columns_(columns), params_(params), shuffler_(seed, number), target_(problem.target), cost_(problem.cost),
          margin_(columns.rows(), 1.0), w_(columns.features() + 1, 0.0), order_(columns.width()) {
        double n_used = 0, n_positive = 0;
        for (std::size_t i = 0; i < cost_.size(); ++i) {
            if (cost_[i] == 0) continue;
            n_used += 1;
            n_positive += target_[i] > 0;
        }
        smaller_ = std::max(std::min(n_positive, n_used - n_positive), 1.0) / std::max(n_used, 1.0);
        n_used_ = n_used;
        for (std::size_t j = 0; j < order_.size(); ++j) order_[j] = static_cast<std::uint32_t>(j);
        active_ = order_.size();
    }

    bool advance(const Turn& turn) override {
        if (converged_ || n_iter_ >= params_.max_iter) return true;
        shuffler_.shuffle(order_.data(), active_);
        const bool all = active_ == order_.size();
        double largest = 0;
        violation_ = 0;
        for (std::size_t s = 0; s < active_; ++s) {
            turn.check();
            const std::size_t j = order_[s];
            const double violation = descend(j);
            if (violation < 0) {
                std::swap(order_[s], order_[--active_]);
                --s;
                continue;
            }
            violation_ += violation; // in the units of newton.cpp
            largest = std::max(largest, violation);
        }
        if (++n_iter_ == 1) check_finite(allowed_ = params_.tol * smaller_ * violation_);
        inside_ = largest / std::max(n_used_, 1.0);
        reached_ = reached_ || (all && violation_ <= allowed_);
        if (violation_ <= params_.beyond * allowed_) {
            converged_ = all;
            active_ = order_.size();
            inside_ = infinity;
        }
        return converged_ || n_iter_ >= params_.max_iter;
    }

    LinearSolution solution() const override {
        LinearSolution s;
        s.w = w_;
        s.violation = violation_;
        s.allowed = allowed_;
        s.n_iter = n_iter_;
        s.converged = converged_ || reached_;
        return s;
    }

  private:
    /// One step on coefficient j; its violation before, or -1 to leave it out.
    double descend(std::size_t j) {
        double slope = 0, curvature = 0, of_all = 0;
        columns_.for_each(j, [&](std::size_t i, double x) {
            const double m = std::max(margin_[i], 0.0), c = cost_[i], h = 2 * c * x * x;
            slope -= 2 * c * target_[i] * x * m;
            curvature += m > 0 ? h : 0.0;
            of_all += h;
        });
        const double least = 1e-12 * of_all; // where no row of the column is within the margin
        if (of_all == 0 && w_[j] == 0) return 0;
        curvature = std::max(curvature, least);
        const double scale = curvature > 0 ? 1 / std::sqrt(curvature) : 0; // as in newton.cpp
        const double w = w_[j], above = slope + 1, below = slope - 1;
        double violation;
        if (w == 0) {
            if (scale * above > inside_ && scale * below < -inside_) return -1;
            violation = scale * std::max(0.0, std::max(-above, below));
        } else {
            violation = scale * std::abs(w > 0 ? above : below);
        }
        const double full = above < curvature * w   ? -above / curvature
                            : below > curvature * w ? -below / curvature
                                                    : -w;
        if (full == 0) return violation;
        const double promised = std::abs(w + full) - std::abs(w) + slope * full;
        double t = 1;
        for (int k = 0; k < most_halvings; ++k, t /= 2) {
            const double step = t * full;
            double change = std::abs(w + step) - std::abs(w);
            columns_.for_each(j, [&](std::size_t i, double x) {
                const double before = std::max(margin_[i], 0.0);
                const double after = std::max(margin_[i] - target_[i] * x * step, 0.0);
                change += cost_[i] * (after - before) * (after + before);
            });
            if (change <= sufficient * t * promised) break;
        }
        const double next = w + t * full, step = next - w;
        columns_.for_each(j, [&](std::size_t i, double x) { margin_[i] -= target_[i] * x * step; });
        w_[j] = next;
        return violation;
    }

    const LinearColumns& columns_;
    const LinearParams& params_;
    Shuffler shuffler_;
    std::vector<double> target_, cost_, margin_; // 1 - y z
    std::vector<double> w_;
    std::vector<std::uint32_t> order_;
    std::size_t active_ = 0;
    double smaller_ = 1, n_used_ = 0, inside_ = infinity, violation_ = infinity, allowed_ = 0;
    int n_iter_ = 0;
    bool converged_ = false, reached_ = false; // reached: what tol allows
};

} // namespace

LinearColumns::LinearColumns(const RunContext& ctx, const Table& X, double bias)
    : rows_(n_rows(X)), features_(n_cols(X)), bias_(bias) {
    std::visit(
        [&]<class View>(const View& x) {
            using T = typename ValueOf<View>::type;
            if constexpr (is_dense<View>) {
                if (x.cols_contiguous()) {
                    values_ = x.data;
                    stride_ = x.col_stride;
                    return;
                }
                Buffer<T> copy(x.rows * x.cols);
                parallel_ranges(ctx, x.rows, 1.0 + static_cast<double>(x.cols),
                                [&](std::size_t begin, std::size_t end, int) {
                                    for (std::size_t j = 0; j < x.cols; ++j)
                                        for (std::size_t i = begin; i < end; ++i) copy[j * x.rows + i] = x(i, j);
                                });
                values_ = static_cast<const T*>(copy.data());
                stride_ = static_cast<std::ptrdiff_t>(x.rows);
                copy_ = std::move(copy);
            } else {
                start_ = Buffer<std::size_t>(x.cols + 1, std::size_t{0});
                for (std::size_t k = 0; k < x.n_stored(); ++k) ++start_[static_cast<std::size_t>(x.indices[k]) + 1];
                for (std::size_t j = 0; j < x.cols; ++j) start_[j + 1] += start_[j];
                row_ = Buffer<std::uint32_t>(x.n_stored() + 1);
                Buffer<T> copy(x.n_stored());
                std::vector<std::size_t> next(start_.begin(), start_.end());
                for (std::size_t i = 0; i < x.rows; ++i)
                    for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
                        const std::size_t place = next[static_cast<std::size_t>(x.indices[k])]++;
                        row_[place] = static_cast<std::uint32_t>(i);
                        copy[place] = x.data[k];
                    }
                values_ = static_cast<const T*>(copy.data());
                copy_ = std::move(copy);
            }
        },
        X);
}

std::unique_ptr<LinearRun> column_descent(const LinearColumns& columns, const LinearParams& params, std::uint64_t seed,
                                          const LinearProblem& problem, std::size_t number) {
    return std::make_unique<ColumnDescent>(columns, params, seed, problem, number);
}

} // namespace mlcore::linear_model::hinge
