// The elastic-net path by the Gram matrix of all features: after the one pass over the table that makes the normal
// equations, everything happens in the space of the features. See elastic_net.hpp.
#pragma once

#include "core/context.hpp"
#include "linalg/normal_equations.hpp"
#include "linear_model/least_squares/elastic_net.hpp"
#include "linear_model/least_squares/gram_descent.hpp"
#include "linear_model/least_squares/path_step.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace mlcore::linear_model {

/// One target at a time; GramPath and ColumnPath have the same members.
class GramPath {
  public:
    GramPath(linalg::NormalEquations& normal, const ElasticNetParams& params)
        : normal_(normal), params_(params), d_(normal.mean.size()), c_(d_) {}

    double weight_sum() const { return normal_.weight_sum; }
    const std::vector<double>& mean() const { return normal_.mean; }
    double target_mean(std::size_t t) const { return normal_.target_mean[t]; }

    void begin_target(const RunContext&, std::size_t t, std::vector<double>& w) {
        problem_ = {normal_.gram.data(),      d_, d_, normal_.cross.data() + t * d_, w.data(), c_.data(),
                    normal_.target_squares[t]};
        for (std::size_t j = 0; j < d_; ++j)
            if (!(square(j) > 0)) w[j] = 0;
        refresh();
        extrapolation_.clear();
    }

    double largest_correlation() const {
        double largest = 0;
        for (std::size_t j = 0; j < d_; ++j)
            if (square(j) > 0) largest = std::max(largest, params_.positive ? c_[j] : std::abs(c_[j]));
        return largest;
    }

    Solution solve(const RunContext& ctx, const Penalty& penalty, double previous_l1, const Philox* order,
                   std::uint64_t& draws) {
        const double enough = params_.tol * problem_.yy, strong = 2 * penalty.l1 - previous_l1;
        work_.clear();
        for (std::size_t j = 0; j < d_; ++j)
            if (square(j) > 0 && (problem_.w[j] != 0 || std::abs(c_[j]) >= strong))
                work_.push_back(static_cast<std::int32_t>(j));
        extrapolation_.guess(penalty.l1, problem_.w);
        refresh();
        Stop stop{inner_share * enough, params_.tol, params_.max_iter};
        Solution solution{};
        for (int round = 0; round < most_rounds; ++round) {
            const int sweeps = descent_.solve(ctx, problem_, penalty, work_, stop, order, draws);
            solution.sweeps += sweeps;
            stop.max_sweeps -= sweeps;
            measure(penalty, solution);
            solution.converged = solution.gap <= enough;
            if (solution.converged || stop.max_sweeps <= 0) break;
            const std::size_t before = work_.size();
            for (std::size_t j = 0; j < d_; ++j)
                if (square(j) > 0 && problem_.w[j] == 0 && std::abs(c_[j]) > penalty.l1 && !in_work(j))
                    added_.push_back(static_cast<std::int32_t>(j));
            work_.insert(work_.end(), added_.begin(), added_.end());
            added_.clear();
            std::sort(work_.begin(), work_.end());
            if (work_.size() != before) continue;
            if (sweeps <= 1 && stop.gap == 0) break; // as far as rounding lets it
            stop.gap = stop.gap > 1e-3 * enough ? 0.1 * stop.gap : 0;
            stop.change *= 0.1;
        }
        extrapolation_.saw(penalty.l1, problem_.w, d_);
        return solution;
    }

  private:
    double square(std::size_t j) const { return normal_.gram[j * d_ + j]; }
    bool in_work(std::size_t j) const {
        return std::binary_search(work_.begin(), work_.end(), static_cast<std::int32_t>(j));
    }

    /// c from w, without what rounding has added up.
    void refresh() {
        std::copy(problem_.b, problem_.b + d_, c_.begin());
        for (std::size_t j = 0; j < d_; ++j)
            if (const double w = problem_.w[j]; w != 0) {
                const double* row = problem_.gram + j * d_;
                for (std::size_t k = 0; k < d_; ++k) c_[k] -= w * row[k];
            }
    }

    void measure(const Penalty& penalty, Solution& solution) const {
        GapParts parts(problem_.yy);
        double wb = 0, wc = 0;
        for (std::size_t j = 0; j < d_; ++j) {
            if (!(square(j) > 0)) continue;
            const double w = problem_.w[j];
            parts.add(w, c_[j], square(j), penalty);
            wb += w * problem_.b[j];
            wc += w * c_[j];
        }
        const double rr = std::max(problem_.yy - wb - wc, 0.0);
        solution.gap = parts.gap(rr, problem_.yy - wb, penalty);
        solution.objective = parts.objective(rr, penalty);
    }

    linalg::NormalEquations& normal_;
    const ElasticNetParams& params_;
    std::size_t d_;
    std::vector<double> c_;
    GramProblem problem_{};
    Extrapolation extrapolation_;
    std::vector<std::int32_t> work_, added_;
    GramDescent descent_;
};

} // namespace mlcore::linear_model
