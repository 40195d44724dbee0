// Newton's method for losses made of pieces of parabolas, by the primal: O. L. Mangasarian, "A finite Newton method for
// classification" (2002); S. S. Keerthi, D. DeCoste, "A modified finite Newton method for fast solution of large scale
// linear SVMs" (JMLR 6, 2005). For the hinge and the epsilon_insensitive loss, which have corners, the same inside the
// proximal point method on the dual (the augmented Lagrangian): X. Li, D. Sun, K.-C. Toh, "A highly efficient
// semismooth Newton augmented Lagrangian method" (SIAM J. Optim. 28, 2018), whose problem is the lasso.
//
// The losses are those of loss.hpp: repeating with a new prior and a larger kappa leads from the rounded corners
// to the corners. One step solves with H = sum_active h x x^T, and ends exactly at the minimum once the active set is
// right. Rows of H (kept for kappa = 1) are added and taken away as they enter and leave the active set. One sweep of X
// a step: it computes the scores of the full step and, while a row is at hand, its part of the next gradient.
//
// With few features H is a matrix: one Cholesky factor (L2), or coordinate descent on the quadratic model (L1, proximal
// Newton: J. D. Lee, Y. Sun, M. A. Saunders, SIAM J. Optim. 24, 2014). Otherwise conjugate gradients with the diagonal
// as preconditioner (L2).
#include "linear_model/hinge/run.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "linear_model/hinge/hessian.hpp"
#include "linear_model/hinge/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace mlcore::linear_model::hinge {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t most_parts = 32;                                // of a sweep
constexpr double first_kappa = 1, kappa_growth = 3, most_kappa = 1e8; // in units of the target
constexpr std::size_t most_products = 2000;                           // with H in one step
constexpr int few_stuck = 3, most_stuck = 20;                         // steps that do not lower F
constexpr double negligible = 1e-10;                                  // part of F
constexpr double sufficient = 1e-4;                                   // Armijo's constant

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
    return sum;
}
double norm1(const std::vector<double>& a) {
    double sum = 0;
    for (const double x : a) sum += std::abs(x);
    return sum;
}

template <class Rows, bool regression>
class Newton final : public LinearRun {
  public:
    Newton(const Rows& rows, const LinearTask& task, const LinearProblem& problem, bool matrix)
        : rows_(rows), params_(task.params), l1_(task.params.penalty == LinearPenalty::l1),
          loss_(problem, task.params.epsilon), z_(rows.size, 0.0), dz_(rows.size, 0.0), active_(rows.size, 0),
          width_(rows.features + (rows.bias != 0 ? 1 : 0)), w_(padded_width(rows.features), 0.0), step_(w_.size(), 0.0),
          pull_(w_.size(), 0.0) {
        if (matrix) hessian_.emplace(width_);
    }

    /// From the dual variables and w of a coordinate descent.
    Newton(const Rows& rows, const LinearTask& task, const LinearProblem& problem, const LinearRun& before, bool matrix)
        : Newton(rows, task, problem, matrix) {
        const LinearSolution s = before.solution();
        std::copy(s.w.begin(), s.w.end(), w_.begin());
        allowed_ = s.allowed;
        n_iter_ = s.n_iter;
        violation_ = s.violation;
        proximal_ = !is_squared(params_.loss);
        warm_ = true;
        scale_.assign(w_.size(), 0.0);
        for (std::size_t i = 0; i < rows.size; ++i)
            rows.for_each(i, [&](std::size_t j, double x) { scale_[j] = std::max(scale_[j], std::abs(x)); });
        if (!proximal_) return;
        loss_.round_corners(before.dual_variables());
        unit_ = regression ? loss_.mean_target() : 1;
        loss_.set_kappa(first_kappa / unit_);
        // What is left of the gradient must not show in the violation, which is a sum for a regression.
        inner_allowed_ = 0.1 * goal() / (regression ? static_cast<double>(rows.size) : 1.0);
    }

    bool advance(const Turn& turn) override {
        if (converged_ || n_stuck_ >= most_stuck || n_iter_ >= params_.max_iter) return true;
        turn.check();
        const RunContext& ctx = turn.ctx;
        if (!started_) start(ctx);
        if (check()) return true;
        if (converged_inner_) next_prior(ctx);
        if (converged_) return true;
        find_step(turn);
        move(turn);
        ++n_iter_;
        check();
        return converged_ || n_stuck_ >= most_stuck || n_iter_ >= params_.max_iter;
    }

    LinearSolution solution() const override {
        LinearSolution s;
        s.w.assign(w_.begin(), w_.begin() + static_cast<std::ptrdiff_t>(rows_.features) + 1);
        s.violation = violation_;
        s.allowed = allowed_;
        s.n_iter = n_iter_;
        s.converged = converged_ || violation_ <= allowed_;
        return s;
    }

  private:
    double penalty(const std::vector<double>& w) const { return l1_ ? norm1(w) : dot(w, w) / 2; }

    // ---- sweeps of X: the parts are fixed by the data, and summed in order ----

    std::size_t n_parts() const {
        const double worth = static_cast<double>(rows_.entries()) / (2 * static_cast<double>(w_.size()));
        return static_cast<std::size_t>(std::clamp(worth, 1.0, static_cast<double>(most_parts)));
    }

    /// f(begin, end, sum) -> double over parts of the rows; sum (padded width) and what f returns are added up.
    template <class F>
    double sweep(const RunContext& ctx, std::vector<double>& total, F&& f) const {
        const std::size_t parts = n_parts(), width = total.size();
        total.assign(width + 1, 0.0); // and the value
        parallel_sums(ctx, parts, ns_per_row(rows_) * static_cast<double>(rows_.size / parts), total.size(),
                      total.data(), [&](std::size_t p, double* sum, int) {
                          sum[width] += f(rows_.size * p / parts, rows_.size * (p + 1) / parts, sum);
                      });
        const double value = total[width];
        total.resize(width);
        return value;
    }

    /// f(i) -> double summed over all rows, by fixed blocks; without X.
    template <class F>
    double over_rows(const RunContext& ctx, F&& f) const {
        return parallel_reduce(
            ctx, rows_.size, 0.5,
            0.0, // a join of threads for less than some 200 us would only wait for other processes
            [&](std::size_t begin, std::size_t end) {
                double sum = 0;
                for (std::size_t i = begin; i < end; ++i) sum += f(i);
                return sum;
            },
            [](double a, double b) { return a + b; });
    }

    /// pull = sum_i a_i y_i x_i at scores z + t dz; the sum of losses is returned. With fresh dz = X step first.
    template <bool fresh>
    double pull_at(const RunContext& ctx, double t) {
        return sweep(ctx, next_pull_, [&](std::size_t begin, std::size_t end, double* sum) {
            double value = 0;
            for (std::size_t i = begin; i < end; ++i) {
                if constexpr (fresh) dz_[i] = rows_.dot(i, step_.data());
                const auto p = loss_.at(i, z_[i] + t * dz_[i]);
                value += p.value;
                if (p.a != 0) rows_.add(i, p.a * loss_.sign(i), sum);
            }
            return value;
        });
    }

    // ---- the steps ----

    void start(const RunContext& ctx) {
        started_ = true;
        next_pull_.resize(w_.size());
        if (warm_) {
            std::vector<double> none(w_.size());
            sweep(ctx, none, [&](std::size_t begin, std::size_t end, double*) {
                for (std::size_t i = begin; i < end; ++i) z_[i] = rows_.dot(i, w_.data());
                return 0.0;
            });
        }
        value_ = pull_at<false>(ctx, 0);
        pull_ = next_pull_;
        if (!warm_) {
            measure(ctx);
            first_diagonal_ = diagonal_;
            for (const double c : diagonal_) check_finite(c);
            // The rare class counts for how exact the answer must be, as in liblinear.
            allowed_ = params_.tol * loss_.rarer_share() * gradient_size();
            check_finite(allowed_);
        }
    }

    std::vector<double> gradient() const { // of the smooth part
        std::vector<double> g(w_.size());
        for (std::size_t j = 0; j < g.size(); ++j) g[j] = (l1_ ? 0.0 : w_[j]) - pull_[j];
        return g;
    }

    /// Curvature of the loss by each coefficient, on the active rows.
    std::vector<double> curvatures(const RunContext& ctx) const {
        std::vector<double> diagonal(w_.size());
        if (hessian_)
            for (std::size_t j = 0; j < width_; ++j) diagonal[j] = loss_.kappa() * hessian_->data()[j * (width_ + 1)];
        else
            sweep(ctx, diagonal, [&](std::size_t begin, std::size_t end, double* sum) {
                for (std::size_t i = begin; i < end; ++i)
                    if (active_[i])
                        rows_.for_each(i, [&](std::size_t j, double v) { sum[j] += loss_.curvature(i) * v * v; });
                return 0.0;
            });
        return diagonal;
    }

    /// Brings the active set, and what gradients are measured with, to the current scores.
    void measure(const RunContext& ctx) {
        constexpr double least = 1e-12; // of the curvature at w = 0, where hardly a row is active any more
        update_active(ctx);
        if (warm_ && hessian_) return;
        diagonal_ = curvatures(ctx);
        if (warm_) return;
        scale_.assign(w_.size(), 0.0);
        for (std::size_t j = 0; j < width_; ++j) {
            const double first = first_diagonal_.empty() ? diagonal_[j] : first_diagonal_[j];
            const double c = std::max(diagonal_[j], least * first) + (l1_ ? 0 : 1);
            if (c > 0) scale_[j] = 1 / std::sqrt(c);
        }
    }

    /// Size of a gradient, whatever the units of features are. L2: its length where each feature is measured by the
    /// root of the curvature, so that its square is what F can fall by. L1: sum of the smallest subgradients likewise.
    /// After a coordinate descent on the dual: how far it can move the score of a row.
    double size_of(const std::vector<double>& g) const {
        double sum = 0;
        if (warm_) {
            for (std::size_t j = 0; j < width_; ++j) sum += std::abs(g[j]) * scale_[j];
            return sum;
        }
        if (!l1_) {
            for (std::size_t j = 0; j < width_; ++j) sum += g[j] * scale_[j] * (g[j] * scale_[j]);
            return std::sqrt(sum);
        }
        for (std::size_t j = 0; j < width_; ++j)
            sum += scale_[j] * (w_[j] > 0   ? std::abs(g[j] + 1)
                                : w_[j] < 0 ? std::abs(g[j] - 1)
                                            : std::max(std::abs(g[j]) - 1, 0.0));
        return sum;
    }
    double gradient_size() const { return size_of(gradient()); }

    /// Sets converged_, and for the losses with corners converged_inner_.
    bool check() {
        const double size = gradient_size();
        if (proximal_) {
            converged_inner_ = size <= inner_allowed_ || exact_ || n_stuck_ >= few_stuck;
            return false;
        }
        // For a dual problem the measure of the coordinate descent, with a = 2c max(0, m), has no error but w's.
        violation_ = size;
        // Where a feature is so large that rounding alone is a violation: the parabola at hand promises next to
        // nothing.
        const bool at_rounding = n_stuck_ >= few_stuck && promised_ <= negligible * std::abs(value_ + penalty(w_));
        if (at_rounding) violation_ = std::min(violation_, allowed_);
        converged_ = violation_ <= goal() || exact_ || at_rounding || (stuck_ && violation_ <= allowed_);
        return converged_;
    }

    bool active_changes() const {
        for (std::size_t i = 0; i < rows_.size; ++i)
            if (loss_.at(i, z_[i]).active != (active_[i] != 0)) return true;
        return false;
    }

    /// A new prior for the losses with corners; ends if the old one was good enough.
    void next_prior(const RunContext& ctx) {
        violation_ = loss_.dual_violation(z_);
        converged_ = violation_ <= goal() || (loss_.kappa() >= most_kappa / unit_ && violation_ <= allowed_);
        if (converged_) return;
        std::vector<double> a(rows_.size);
        for (std::size_t i = 0; i < rows_.size; ++i) a[i] = loss_.at(i, z_[i]).a;
        loss_.round_corners(std::move(a));
        loss_.set_kappa(std::min(loss_.kappa() * kappa_growth, most_kappa / unit_));
        value_ = pull_at<false>(ctx, 0);
        pull_ = next_pull_;
        converged_inner_ = exact_ = false;
        n_stuck_ = 0;
    }

    /// Brings the active set, and H with it, to the current scores.
    void update_active(const RunContext& ctx) {
        entering_.clear();
        leaving_.clear();
        std::size_t n_active = 0;
        for (std::size_t i = 0; i < rows_.size; ++i) {
            const bool now = loss_.at(i, z_[i]).active;
            n_active += now;
            if (now != (active_[i] != 0)) {
                (now ? entering_ : leaving_).push_back(static_cast<std::uint32_t>(i));
                active_[i] = now;
            }
        }
        if (!hessian_) return;
        if (entering_.size() + leaving_.size() > n_active) { // cheaper from nothing
            entering_.clear();
            leaving_.clear();
            for (std::size_t i = 0; i < rows_.size; ++i)
                if (active_[i]) entering_.push_back(static_cast<std::uint32_t>(i));
            hessian_->clear();
        }
        hessian_->add(ctx, rows_, entering_, loss_.costs(), 1);
        hessian_->add(ctx, rows_, leaving_, loss_.costs(), -1);
    }

    void find_step(const Turn& turn) {
        if (warm_) measure(turn.ctx); // the prior may have changed
        std::vector<double> g = gradient();
        std::fill(step_.begin(), step_.end(), 0.0);
        if (!hessian_) return conjugate_gradients(turn, g);
        if (l1_) {
            const double enough = std::max(0.01 * goal(), 1e-4 * gradient_size());
            return hessian_->l1_step(loss_.kappa(), g, w_, scale_, enough, [&] { turn.check(); }, step_);
        }
        for (std::size_t j = 0; j < width_; ++j) step_[j] = -g[j] / loss_.kappa(); // (I + kappa H) step = -g
        hessian_->solve(1 / loss_.kappa(), {step_.data(), width_});
    }

    /// (I + H) step = -g, to a part of |g| that shrinks with it.
    void conjugate_gradients(const Turn& turn, const std::vector<double>& g) {
        const RunContext& ctx = turn.ctx;
        std::vector<double> r(w_.size()), s(w_.size()), direction(w_.size()), product(w_.size());
        for (std::size_t j = 0; j < r.size(); ++j) {
            r[j] = -g[j];
            s[j] = r[j] / (1 + diagonal_[j]);
        }
        direction = s;
        double rs = dot(r, s);
        const double size = size_of(g);
        const double enough = std::max(size * std::min(0.1, std::sqrt(size / first_size())), 0.1 * goal());
        // H has no more eigenvalues than there are rows or features. A step that ends early goes downhill too.
        const std::size_t most = std::min({4 * width_ + 100, 4 * rows_.size + 100, most_products});
        for (std::size_t k = 0; k < most && size_of(r) > enough; ++k) {
            turn.check();
            sweep(ctx, product, [&](std::size_t begin, std::size_t end, double* sum) {
                for (std::size_t i = begin; i < end; ++i)
                    if (active_[i]) rows_.add(i, loss_.curvature(i) * rows_.dot(i, direction.data()), sum);
                return 0.0;
            });
            for (std::size_t j = 0; j < product.size(); ++j) product[j] += direction[j];
            const double length = rs / dot(direction, product);
            for (std::size_t j = 0; j < r.size(); ++j) {
                step_[j] += length * direction[j];
                r[j] -= length * product[j];
                s[j] = r[j] / (1 + diagonal_[j]);
            }
            const double next = dot(r, s), ratio = next / rs;
            rs = next;
            for (std::size_t j = 0; j < r.size(); ++j) direction[j] = s[j] + ratio * direction[j];
        }
    }

    double goal() const { return params_.beyond * allowed_; }
    double first_size() const { return std::max(allowed_ / params_.tol, 1e-300); }

    /// w += t step with the full step if it lowers F enough, else the best (L2) or a half, a quarter ... (L1) of it.
    void move(const Turn& turn) {
        const RunContext& ctx = turn.ctx;
        const std::vector<double> g = gradient();
        std::vector<double> moved(w_);
        for (std::size_t j = 0; j < moved.size(); ++j) moved[j] += step_[j];
        const double before = value_ + penalty(w_);
        const double slope = dot(g, step_) + (l1_ ? norm1(moved) - norm1(w_) : 0.0);
        const double rounding = 1e-14 * static_cast<double>(n_parts()) * std::abs(before);
        double t = 1, value = pull_at<true>(ctx, 1);
        if (value + penalty(moved) > before + sufficient * slope + rounding) {
            turn.check();
            t = l1_ ? backtrack(ctx, before, slope) : best_length(ctx, slope);
            for (std::size_t j = 0; j < moved.size(); ++j) moved[j] = w_[j] + t * step_[j];
            value = pull_at<false>(ctx, t);
        }
        stuck_ = value + penalty(moved) >= before - rounding;
        n_stuck_ = stuck_ ? n_stuck_ + 1 : 0;
        promised_ = std::abs(slope);
        w_.swap(moved);
        pull_.swap(next_pull_);
        value_ = value;
        parallel_ranges(ctx, rows_.size, 0.3, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i) z_[i] += t * dz_[i];
        });
        // A full step that did not change the active set has ended at the minimum, however small tol is.
        exact_ = t == 1 && !l1_ && hessian_ && !active_changes();
        if (!warm_) measure(ctx);
    }

    double backtrack(const RunContext& ctx, double before, double slope) const {
        double t = 0.5;
        for (; t > 1e-10; t /= 2) {
            double value = over_rows(ctx, [&](std::size_t i) { return loss_.at(i, z_[i] + t * dz_[i]).value; });
            for (std::size_t j = 0; j < width_; ++j) value += std::abs(w_[j] + t * step_[j]);
            if (value <= before + sufficient * t * slope) break;
        }
        return t;
    }

    /// Zero of the derivative along the step, which rises with t, by the secant method inside a bracket (Illinois).
    double best_length(const RunContext& ctx, double first) const {
        const double ws = dot(w_, step_), ss = dot(step_, step_);
        const auto slope_at = [&](double t) {
            return ws + t * ss - over_rows(ctx, [&](std::size_t i) {
                       return loss_.at(i, z_[i] + t * dz_[i]).a * loss_.sign(i) * dz_[i];
                   });
        };
        double low = 0, slope_low = first, high = 1, slope_high = slope_at(1), t = 1;
        if (slope_high <= 0) return 1;
        int side = 0; // that moved last: a second time in a row, the weight of the other one is halved
        for (int k = 0; k < 60 && low < high; ++k) {
            t = (low * slope_high - high * slope_low) / (slope_high - slope_low);
            if (!(t > low && t < high)) t = (low + high) / 2;
            const double slope = slope_at(t);
            if (slope <= 0 ? slope >= 0.1 * first : slope <= -1e-3 * first) return t; // before it F has only fallen
            if (slope > 0) {
                high = t;
                slope_high = slope;
                if (side == 1) slope_low /= 2;
                side = 1;
            } else {
                low = t;
                slope_low = slope;
                if (side == -1) slope_high /= 2;
                side = -1;
            }
        }
        return low > 0 ? low : t;
    }

    const Rows rows_;
    const LinearParams& params_;
    const bool l1_;
    bool proximal_ = false, warm_ = false, started_ = false, converged_ = false, converged_inner_ = false,
         exact_ = false; // exact: the last step has ended at the minimum
    bool stuck_ = false; // the last step lowered F by no more than rounding does
    int n_stuck_ = 0;    // such steps in a row
    LinearPieces<regression> loss_;
    std::vector<double> z_, dz_; // scores, and how they change along the step
    std::vector<std::uint8_t> active_;
    std::vector<std::uint32_t> entering_, leaving_;
    std::size_t width_; // coefficients, that of the constant feature included if there is one
    std::vector<double> w_, step_, pull_, next_pull_;
    std::optional<LinearHessian> hessian_;
    std::vector<double> scale_;                                      // by feature: what a gradient is measured with
    std::vector<double> diagonal_, first_diagonal_;                  // curvatures, and those at w = 0
    double value_ = 0, promised_ = 0, unit_ = 1, inner_allowed_ = 0; // promised: by the slope of the last step
    double violation_ = infinity, allowed_ = 0;
    int n_iter_ = 0;
};

template <class... Arguments>
std::unique_ptr<LinearRun> make(const LinearTask& task, const Arguments&... arguments) {
    return std::visit(
        [&]<class Rows>(const Rows& rows) -> std::unique_ptr<LinearRun> {
            if (is_regression(task.params.loss)) return std::make_unique<Newton<Rows, true>>(rows, task, arguments...);
            return std::make_unique<Newton<Rows, false>>(rows, task, arguments...);
        },
        task.rows);
}

} // namespace

std::unique_ptr<LinearRun> newton(const LinearTask& task, const LinearProblem& problem, bool matrix) {
    return make(task, problem, matrix);
}

std::unique_ptr<LinearRun> proximal_newton(const LinearTask& task, const LinearProblem& problem,
                                           const LinearRun& before, bool matrix) {
    return make(task, problem, before, matrix);
}

} // namespace mlcore::linear_model::hinge
