// One linear problem on its way: the solvers advance it by one pass or one Newton step at a time, so that many problems
// can take turns on a few threads, and Ctrl-C and progress are heard in between.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "core/context.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "linear_model/hinge/fit.hpp"
#include "linear_model/hinge/rows.hpp"

namespace mlcore::linear_model::hinge {

/// The right to work for a while, on the calling thread (which polls for the others) or another one.
struct Turn {
    const RunContext& ctx;
    bool polls;

    void check() const {
        if (polls) ctx.progress.poll();
        if (ctx.stop.requested()) throw Interrupted();
    }
};

class LinearRun {
  public:
    virtual ~LinearRun() = default;
    /// One pass or step. True when it is over: converged or max_iter reached.
    virtual bool advance(const Turn& turn) = 0;
    /// w (d + 1,), violation, allowed, n_iter, converged; the objective is left to the caller.
    virtual LinearSolution solution() const = 0;
    /// Dual variables (n,) and the violation that a regression is measured by; empty where a solver has none.
    virtual std::vector<double> dual_variables() const { return {}; }
};

/// The parts that solvers of several problems over the same rows share. All of it outlives the runs.
struct LinearTask {
    const AnyRows& rows;
    const LinearParams& params;
    std::span<const double> squared_norms; // (n,), the constant feature included; for the dual
    std::uint64_t seed;
};

std::unique_ptr<LinearRun> dual_descent(const LinearTask& task, const LinearProblem& problem, std::size_t number);
std::unique_ptr<LinearRun> newton(const LinearTask& task, const LinearProblem& problem, bool matrix);
/// Goes on where coordinate descent on the dual has stopped.
std::unique_ptr<LinearRun> proximal_newton(const LinearTask& task, const LinearProblem& problem,
                                           const LinearRun& before, bool matrix);

/// Throws ValueError if a sum of squares of X, or what was made of it, has overflowed.
inline void check_finite(double x) {
    if (!std::isfinite(x)) throw ValueError("values of X are too large: their squares overflow. Scale the features");
}

/// Random orders that only seed, problem and the number of the pass decide.
class Shuffler {
  public:
    Shuffler(std::uint64_t seed, std::size_t problem) : draws_(seed, problem) {}
    /// Fisher and Yates' shuffle of order[0 .. n).
    void shuffle(std::uint32_t* order, std::size_t n);

  private:
    Philox draws_;
    std::uint64_t counter_ = 0;
};

} // namespace mlcore::linear_model::hinge
