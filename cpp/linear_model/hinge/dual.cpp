// Coordinate descent on the dual of a linear machine with L2 penalty.
//
// Classification: C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. S. Keerthi, S. Sundararajan, "A dual coordinate descent
// method for large-scale linear SVM" (ICML 2008). Regression: C.-H. Ho, C.-J. Lin, "Large-scale linear support vector
// regression" (JMLR 13, 2012).
//
//   min over a   |sum_i a_i y_i x_i|^2 / 2 + sum_i (shift_i a_i^2 / 2 - a_i)              0 <= a_i <= bound_i
//   min over a   |sum_i a_i x_i|^2 / 2     + sum_i (shift_i a_i^2 / 2 - y_i a_i + epsilon |a_i|)    |a_i| <= bound_i
//
// with (shift, bound) = (0, c) for the hinge and the epsilon_insensitive loss, (1 / (2c), infinity) for their squares.
// w = sum_i a_i y_i x_i is kept up to date, so that one step reads one row: a product with w, the minimum over a_i in
// closed form, and w moved along the row. Each pass takes the rows in a new random order. Variables that sit at a bound
// with a gradient that presses them against it harder than any was pressed in the last pass are left out (shrinking);
// once the others are optimal, one pass over all decides.
#include "linear_model/hinge/run.hpp"

#include "core/memory.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::linear_model::hinge {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t look_ahead = 6;           // rows that are on their way from memory
constexpr std::size_t cached_bytes = 512 << 10; // a table that stays in the cache needs no such help

/// What a step needs to know of a row, in half a cache line.
struct Variable {
    double a;
    double inverse; // 1 / (|x|^2 + shift)
    double limit;   // bound or shift, whichever the loss has
    double target;
};

template <class Rows, bool regression>
class DualDescent final : public LinearRun {
  public:
    DualDescent(const Rows& rows, const LinearTask& task, const LinearProblem& problem, std::size_t number)
        : rows_(rows), params_(task.params), squared_(is_squared(task.params.loss)), shuffler_(task.seed, number),
          w_(padded_width(rows.features), 0.0), variables_(rows.size), order_(rows.size), left_out_(rows.size) {
        for (std::size_t i = 0; i < rows.size; ++i) {
            const double cost = problem.cost[i];
            const double shift = squared_ ? 0.5 / cost : 0.0;
            // A row of zeros has no curvature: the tiny one sends its variable to the bound, where it belongs.
            variables_[i] = {0.0, 1 / std::max(task.squared_norms[i] + shift, 1e-300), squared_ ? shift : cost,
                             problem.target[i]};
            if (cost > 0) order_[n_used_++] = static_cast<std::uint32_t>(i);
        }
        active_ = n_used_;
        helped_ = rows.entries() * 8 > cached_bytes;
    }

    bool advance(const Turn& turn) override {
        if (converged_ || n_iter_ >= params_.max_iter) return true;
        shuffler_.shuffle(order_.data(), active_);
        if (squared_)
            pass<true>(turn);
        else
            pass<false>(turn);
        ++n_iter_;
        if constexpr (regression) {
            if (n_iter_ == 1) allowed_ = params_.tol * total_;
            violation_ = total_;
        } else {
            allowed_ = params_.tol;
            violation_ = largest_ - smallest_;
        }
        const bool was_all = active_ + n_left_out_ == n_used_;
        reached_ = reached_ || (was_all && violation_ <= allowed_);
        if (violation_ <= params_.beyond * allowed_) {
            if (was_all) {
                converged_ = true;
            } else { // what was left out has its say
                active_ = n_used_;
                upper_ = infinity;
                lower_ = -infinity;
                return n_iter_ >= params_.max_iter;
            }
        }
        if constexpr (regression) {
            upper_ = largest_;
        } else {
            upper_ = largest_ > 0 ? largest_ : infinity;
            lower_ = smallest_ < 0 ? smallest_ : -infinity;
        }
        return converged_ || n_iter_ >= params_.max_iter;
    }

    LinearSolution solution() const override {
        LinearSolution s;
        s.w.assign(w_.begin(), w_.begin() + rows_.features + 1);
        s.violation = violation_;
        s.allowed = allowed_;
        s.n_iter = n_iter_;
        s.converged = converged_ || reached_;
        return s;
    }

    std::vector<double> dual_variables() const override {
        std::vector<double> a(rows_.size);
        for (std::size_t i = 0; i < rows_.size; ++i) a[i] = variables_[i].a;
        return a;
    }

  private:
    template <bool squared>
    void pass(const Turn& turn) {
        largest_ = smallest_ = 0;
        total_ = 0;
        n_left_out_ = 0;
        std::size_t kept = 0;
        const auto piece = static_cast<std::size_t>(100e3 / ns_per_row(rows_)) + 1;
        for (std::size_t begin = 0; begin < active_; begin += piece) {
            turn.check();
            const std::size_t end = std::min(begin + piece, active_);
            for (std::size_t s = begin; s < end; ++s) {
                if (helped_ && s + look_ahead < active_) {
                    const std::size_t next = order_[s + look_ahead];
                    __builtin_prefetch(&variables_[next], 1);
                    rows_.prefetch(next);
                }
                const std::uint32_t i = order_[s];
                if (step<squared>(i))
                    order_[kept++] = i;
                else
                    left_out_[n_left_out_++] = i;
            }
        }
        std::copy_n(left_out_.begin(), n_left_out_, order_.begin() + kept);
        active_ = kept;
    }

    /// False: leave the variable out from now on.
    template <bool squared>
    [[gnu::always_inline]] bool step(std::size_t i) {
        Variable& v = variables_[i];
        const double bound = squared ? infinity : v.limit, shift = squared ? v.limit : 0.0;
        const double score = rows_.dot(i, w_.data());
        double next;
        if constexpr (regression) {
            const double g = score - v.target + shift * v.a;
            const double up = g + params_.epsilon, down = g - params_.epsilon; // slopes for a > 0 and a < 0
            double violation;
            if (v.a == 0) {
                violation = std::max(0.0, std::max(-up, down));
                if (up > upper_ && down < -upper_) return false;
            } else if (v.a > 0) {
                violation = v.a >= bound ? std::max(up, 0.0) : std::abs(up);
                if (v.a >= bound && up < -upper_) return false;
            } else {
                violation = v.a <= -bound ? std::max(-down, 0.0) : std::abs(down);
                if (v.a <= -bound && down > upper_) return false;
            }
            largest_ = std::max(largest_, violation);
            total_ += violation;
            const double moved = v.a - g * v.inverse, threshold = params_.epsilon * v.inverse;
            next = moved > threshold ? moved - threshold : moved < -threshold ? moved + threshold : 0.0;
            next = std::clamp(next, -bound, bound);
        } else {
            const double g = v.target * score - 1 + shift * v.a;
            double pressed = g; // the gradient as far as the bounds let it act
            if (v.a <= 0) {
                if (g > upper_) return false;
                pressed = std::min(g, 0.0);
            } else if (v.a >= bound) {
                if (g < lower_) return false;
                pressed = std::max(g, 0.0);
            }
            largest_ = std::max(largest_, pressed);
            smallest_ = std::min(smallest_, pressed);
            if (pressed == 0) return true;
            next = std::clamp(v.a - g * v.inverse, 0.0, bound);
        }
        const double change = next - v.a;
        if (change != 0) {
            v.a = next;
            rows_.add(i, regression ? change : change * v.target, w_.data());
        }
        return true;
    }

    const Rows rows_;
    const LinearParams& params_;
    const bool squared_;
    Shuffler shuffler_;
    std::vector<double> w_;
    Buffer<Variable> variables_;
    Buffer<std::uint32_t> order_; // the active ones, then those left out
    Buffer<std::uint32_t> left_out_;
    std::size_t n_used_ = 0, active_ = 0, n_left_out_ = 0;
    bool helped_ = false, converged_ = false, reached_ = false; // reached: what tol allows
    int n_iter_ = 0;
    double upper_ = infinity, lower_ = -infinity; // beyond these, variables at their bounds are left out
    double largest_ = 0, smallest_ = 0, total_ = 0;
    double violation_ = infinity, allowed_ = 0;
};

} // namespace

std::unique_ptr<LinearRun> dual_descent(const LinearTask& task, const LinearProblem& problem, std::size_t number) {
    return std::visit(
        [&]<class Rows>(const Rows& rows) -> std::unique_ptr<LinearRun> {
            if (is_regression(task.params.loss))
                return std::make_unique<DualDescent<Rows, true>>(rows, task, problem, number);
            return std::make_unique<DualDescent<Rows, false>>(rows, task, problem, number);
        },
        task.rows);
}

void Shuffler::shuffle(std::uint32_t* order, std::size_t n) {
    // Four draws a block. Their bias, below n / 2^32, does no harm to a shuffle.
    Philox::Block block{};
    for (std::size_t left = n, k = 0; left > 1; --left, ++k) {
        if (k % 4 == 0) block = draws_.block(counter_++);
        const auto pick = static_cast<std::size_t>((static_cast<std::uint64_t>(block[k % 4]) * left) >> 32);
        std::swap(order[left - 1], order[pick]);
    }
}

} // namespace mlcore::linear_model::hinge
