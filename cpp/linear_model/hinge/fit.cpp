#include "linear_model/hinge/fit.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/linear_scores.hpp"
#include "linear_model/hinge/feature_columns.hpp"
#include "linear_model/hinge/run.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace mlcore::linear_model::hinge {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds turn_time{100}; // of a thread, before progress is told

constexpr std::size_t small_table = std::size_t{1} << 16; // entries
constexpr double small_beyond = 1e-6;
constexpr std::size_t most_matrix_width = 640;          // beyond, H costs more than the steps that it saves
constexpr int least_patience = 10, most_patience = 300; // passes of coordinate descent before Newton's method
constexpr double ns_per_factor = 0.02;                  // of a Cholesky factor, for each cubed feature

double loss_at(const LinearParams& params, double y, double z) {
    const double over = is_regression(params.loss) ? std::abs(y - z) - params.epsilon : 1 - y * z;
    if (over <= 0) return 0;
    return is_squared(params.loss) ? over * over : over;
}

/// F(w).
double objective(const RunContext& ctx, const Table& X, const LinearProblem& problem, const LinearParams& params,
                 const std::vector<double>& w) {
    const std::size_t n = n_rows(X), d = n_cols(X);
    std::vector<double> scores(n);
    const double intercept = w[d] * params.bias;
    linalg::linear_scores(ctx, X, row_major(w.data(), 1, d), {&intercept, 1}, scores.data());
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        if (problem.cost[i] > 0) sum += problem.cost[i] * loss_at(params, problem.target[i], scores[i]);
    for (const double x : w) sum += params.penalty == LinearPenalty::l1 ? std::abs(x) : x * x / 2;
    return sum;
}

/// Coordinate descent on the dual is quick to a few digits where features are of like size, and may need thousands of
/// passes where they are not: Newton's method then ends it.
class DescentThenNewton final : public LinearRun {
  public:
    DescentThenNewton(const LinearTask& task, LinearProblem problem, std::size_t number, bool matrix)
        : task_(task), problem_(std::move(problem)), matrix_(matrix), run_(dual_descent(task, problem_, number)),
          patience_(most_patience) {
        if (!matrix_) return;
        // Where there are few rows, passes are cheap beside a factor of H.
        const auto [pass, width] = std::visit(
            [](const auto& rows) {
                return std::pair(ns_per_row(rows) * static_cast<double>(rows.size), static_cast<double>(rows.features));
            },
            task.rows);
        const double passes = 5 * ns_per_factor * width * width * width / (pass + 1);
        patience_ = static_cast<int>(std::min(least_patience + passes, static_cast<double>(most_patience)));
    }

    bool advance(const Turn& turn) override {
        const bool over = run_->advance(turn);
        if (!over && ++n_passes_ == patience_) run_ = proximal_newton(task_, problem_, *run_, matrix_);
        return over;
    }
    LinearSolution solution() const override { return run_->solution(); }

  private:
    const LinearTask& task_;
    const LinearProblem problem_;
    const bool matrix_;
    std::unique_ptr<LinearRun> run_;
    int n_passes_ = 0, patience_;
};

/// What the problems share: rows or columns, and what is computed once of them.
class Shared {
  public:
    Shared(const RunContext& ctx, const Table& X, const LinearParams& given) : params_(given), seed_(ctx.seed) {
        const std::size_t n = n_rows(X), width = n_cols(X) + 1;
        // Small problems are solved to almost the last digit, which costs next to nothing: what is left to the order of
        // rows, and to weights in place of copies, then does not show.
        if (n * width <= small_table && params_.solver == LinearSolver::automatic) params_.beyond = small_beyond;
        const LinearParams& params = params_;
        const bool fits =
            width <= most_matrix_width && (params.dual || params.penalty == LinearPenalty::l1 || 4 * n >= width);
        const LinearSolver wanted = params.solver;
        matrix_ = wanted == LinearSolver::newton || (wanted == LinearSolver::automatic && fits);
        if (params.penalty == LinearPenalty::l1 && !matrix_) {
            columns_.emplace(ctx, X, params.bias);
            return;
        }
        rows_.emplace(ctx, X, params.bias);
        if (params.dual) {
            norms_.resize(n);
            std::visit(
                [&](const auto& rows) {
                    parallel_ranges(ctx, n, ns_per_row(rows), [&](std::size_t begin, std::size_t end, int) {
                        for (std::size_t i = begin; i < end; ++i) norms_[i] = rows.squared_norm(i);
                    });
                },
                rows_->get());
            for (const double norm : norms_) check_finite(norm);
        }
        task_.emplace(LinearTask{rows_->get(), params_, norms_, seed_});
    }
    Shared(const Shared&) = delete;

    /// The Newton steps use all threads, where there are few problems.
    bool steps_are_parallel() const { return rows_ && !params_.dual; }

    std::unique_ptr<LinearRun> run(const LinearProblem& problem, std::size_t number) const {
        if (columns_) return column_descent(*columns_, params_, seed_, problem, number);
        if (!params_.dual) return newton(*task_, problem, matrix_);
        if (params_.solver != LinearSolver::automatic) return dual_descent(*task_, problem, number);
        return std::make_unique<DescentThenNewton>(*task_, problem, number, matrix_);
    }

  private:
    LinearParams params_;
    const std::uint64_t seed_;
    bool matrix_ = false;
    std::optional<LinearRows> rows_;
    std::optional<LinearColumns> columns_;
    std::vector<double> norms_;
    std::optional<LinearTask> task_;
};

void check(const Table& X, const LinearParams& params) {
    MLCORE_CHECK(n_rows(X) < std::numeric_limits<std::uint32_t>::max(), "too many rows");
    if (params.penalty == LinearPenalty::l1 && (params.loss != LinearLoss::squared_hinge || params.dual))
        throw ValueError("the L1 penalty goes with the squared hinge loss and the primal problem only");
    if (!params.dual && !is_squared(params.loss))
        throw ValueError("the hinge and the epsilon_insensitive loss are solved by the dual problem only");
}

} // namespace

std::vector<LinearSolution> solve_linear(const RunContext& ctx, const Table& X, std::size_t n_problems,
                                         const std::function<LinearProblem(std::size_t)>& make,
                                         const LinearParams& params) {
    check(X, params);
    const Shared shared(ctx, X, params);
    std::vector<LinearSolution> solutions(n_problems);

    struct Place {
        std::unique_ptr<LinearRun> run;
        std::optional<LinearProblem> problem;
        std::size_t number = 0;
        int n_iter = 0;
        double violation = 0;
    };
    const auto n_threads = static_cast<std::size_t>(ctx.n_threads);
    const bool one_by_one = n_problems < n_threads && shared.steps_are_parallel();
    std::vector<Place> places(one_by_one ? 1 : std::min(n_problems, n_threads));
    std::atomic<std::size_t> next{0}, n_done{0};
    std::atomic<std::uint64_t> n_iter{0};

    const auto work = [&](std::size_t k, int thread) {
        Place& place = places[k];
        const Turn turn{ctx, thread == 0};
        for (const auto end = Clock::now() + turn_time; Clock::now() < end;) {
            if (!place.run) {
                place.number = next.fetch_add(1);
                if (place.number >= n_problems) return;
                place.problem.emplace(make(place.number));
                place.run = shared.run(*place.problem, place.number);
            }
            const bool over = place.run->advance(turn);
            n_iter.fetch_add(1, std::memory_order_relaxed);
            if (!over) continue;
            LinearSolution& solution = solutions[place.number];
            solution = place.run->solution();
            solution.objective = objective(ctx, X, *place.problem, params, solution.w);
            place.run.reset();
            place.problem.reset();
            n_done.fetch_add(1);
        }
    };
    while (n_done < n_problems) {
        parallel_tasks(ctx, places.size(), 1e9, work);
        double violation = 0;
        for (const Place& place : places)
            if (place.run) violation = std::max(violation, place.run->solution().violation);
        ctx.progress.iteration(n_problems > 1 ? n_done.load() : n_iter.load(), violation);
    }
    return solutions;
}

} // namespace mlcore::linear_model::hinge
