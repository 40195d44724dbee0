// What all solvers of logistic regression say of a fit, and when they stop.
#pragma once

#include "core/context.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace mlcore::linear_model {

/// When the methods stop.
struct StopRule {
    double tol = 1e-4;  // the largest entry of the gradient is at most this
    int max_iter = 100; // or so many iterations are done
};

/// How a fit ended.
struct Outcome {
    int n_iter = 0;
    double optimality = 0; // largest entry of the gradient; of the (minimum-norm) subgradient with an L1 term
    bool converged = false;
    std::vector<double> losses; // the objective at the start and after each iteration
};

/// The outcome of a minimisation that is under way: told of the start, and of each iteration as it ends.
class Record {
  public:
    Record(const RunContext& ctx, const StopRule& stop, double loss, double optimality) : ctx_(ctx), stop_(stop) {
        add(loss, optimality);
    }

    void iteration(double loss, double optimality) {
        ++outcome_.n_iter;
        add(loss, optimality);
        ctx_.progress.iteration(static_cast<std::uint64_t>(outcome_.n_iter), loss);
    }

    /// Whether there is more to be done.
    bool goes_on() const { return outcome_.optimality > stop_.tol && n_iter() < stop_.max_iter; }
    int n_iter() const { return outcome_.n_iter; }
    double optimality() const { return outcome_.optimality; }
    double loss() const { return outcome_.losses.back(); }
    Outcome take() { return std::move(outcome_); }

  private:
    void add(double loss, double optimality) {
        outcome_.losses.push_back(loss);
        outcome_.optimality = optimality;
        outcome_.converged = optimality <= stop_.tol;
    }

    const RunContext& ctx_;
    const StopRule stop_;
    Outcome outcome_;
};

} // namespace mlcore::linear_model
