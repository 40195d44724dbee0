#include "svm/trainer.hpp"

#include "core/parallel.hpp"
#include "svm/solver.hpp"
#include "svm/tolerance.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

namespace mlcore::svm {
namespace {

using Ids = std::vector<std::int32_t>;

/// Spreads `sum` over variables, from the first on, as far as their bounds allow.
void fill_up(std::span<double> alpha, std::span<const double> C, double sum) {
    for (std::size_t v = 0; v < alpha.size(); ++v) {
        alpha[v] = std::min(sum, C[v]);
        sum -= alpha[v];
    }
}

/// The part of a problem that does not depend on the points: y, C, e and a feasible alpha, for the points `ids`.
/// label: 1 or -1 for each of them (classification);
/// middle: is taken off the targets (regression).
Problem formulate(const TrainParams& params, const Ids& ids, std::span<const double> target, std::span<const double> C,
                  const std::vector<double>& label, double middle) {
    const std::size_t n = ids.size();
    Problem problem;
    problem.doubled = params.kind == Kind::epsilon_svr || params.kind == Kind::nu_svr;
    problem.split = params.kind == Kind::nu_svc || params.kind == Kind::nu_svr;
    for (const std::int32_t id : ids) problem.C.push_back(C[static_cast<std::size_t>(id)]);
    if (problem.doubled)
        problem.C.insert(problem.C.end(), problem.C.begin(), problem.C.begin() + static_cast<std::ptrdiff_t>(n));
    problem.alpha.assign(problem.C.size(), 0);
    const double sum = std::accumulate(problem.C.begin(), problem.C.begin() + static_cast<std::ptrdiff_t>(n), 0.0);

    switch (params.kind) {
    case Kind::c_svc:
        problem.y = label;
        for (const double y : label) problem.e.push_back(-y);
        break;
    case Kind::nu_svc: {
        problem.y = label;
        problem.e.assign(n, 0);
        std::array<double, 2> left{params.nu * sum / 2, params.nu * sum / 2};
        for (std::size_t v = 0; v < n; ++v) {
            double& rest = left[label[v] > 0 ? 0 : 1];
            problem.alpha[v] = std::min(rest, problem.C[v]);
            rest -= problem.alpha[v];
        }
        break;
    }
    case Kind::one_class:
        problem.y.assign(n, 1);
        problem.e.assign(n, 0);
        fill_up(problem.alpha, problem.C, params.nu * sum);
        break;
    case Kind::epsilon_svr:
    case Kind::nu_svr: {
        const double epsilon = params.kind == Kind::epsilon_svr ? params.epsilon : 0;
        for (const double y : {1.0, -1.0})
            for (const std::int32_t id : ids) {
                problem.y.push_back(y);
                problem.e.push_back(y * epsilon - (target[static_cast<std::size_t>(id)] - middle));
            }
        if (params.kind == Kind::nu_svr)
            for (std::size_t half = 0; half < 2; ++half)
                fill_up(std::span(problem.alpha).subspan(half * n, n), std::span(problem.C).first(n),
                        params.nu * sum / 2);
        break;
    }
    }
    return problem;
}

/// One set for each list of points, with caches that share the memory by the length of their rows: all hold as many.
std::vector<ColumnSet> column_sets(const RunContext& ctx, const Points& points, std::vector<Ids> lists,
                                   std::size_t max_bytes) {
    std::vector<ColumnSet> sets;
    std::size_t copied = 0, total = 0;
    for (Ids& ids : lists) {
        sets.push_back({std::make_shared<const Columns>(ctx, points, std::move(ids)), nullptr});
        copied += sets.back().columns->bytes();
        total += padded(sets.back().columns->size());
    }
    // The copy of the points counts too, and another that shrinking makes of some, as long as they leave the rows half.
    const std::size_t bytes = std::max(max_bytes - std::min(max_bytes, 2 * copied), max_bytes / 2);
    const std::size_t n_slots = bytes / (total * sizeof(float));
    for (ColumnSet& set : sets)
        set.cache = std::make_shared<RowCache>(points.size(), set.columns->size(),
                                               n_slots * padded(set.columns->size()) * sizeof(float), 2);
    return sets;
}

/// sum over v of y alpha times what `of_point` is for the point of v.
double sum_over(const Problem& problem, const std::vector<double>& alpha, const Ids& ids,
                const std::vector<double>& of_point) {
    double sum = 0;
    for (std::size_t v = 0; v < alpha.size(); ++v)
        sum += problem.y[v] * alpha[v] * of_point[static_cast<std::size_t>(ids[v % ids.size()])];
    return sum;
}

/// The solution of a problem within tol of its unit, or within what can be told apart.
Solution solve_within(const RunContext& ctx, const Points& points, const Problem& problem, SolverParams params,
                      double unit, double unresolved, Kind kind, bool report) {
    constexpr double resolved = 1e-15; // of the largest linear term
    const double tol = params.tol;
    const std::int64_t max_iter = params.max_iter;
    double largest = 0;
    for (const double e : problem.e) largest = std::max(largest, std::abs(e));
    const double floor = std::max(resolved * largest, std::numeric_limits<double>::min());
    params.tol = std::max({tol * unit, floor, unresolved});
    Solution solution = solve(ctx, points, problem, params, report);
    // The margin of nu-SVC is what decision values are divided by: where it is small, the gap shall be a part of it.
    // Classes that mix may have no margin but what rounding of kernel values makes, so the search for it has an end.
    constexpr std::int64_t patience = 100, some_steps = 10000;
    const std::int64_t most = patience * solution.n_iter + some_steps;
    SolverParams finer = params;
    while (kind == Kind::nu_svc && solution.converged && finer.tol > floor &&
           solution.gap > tol * std::min(unit, solution.scale)) {
        finer.tol = std::max({tol * std::min(unit, solution.scale / 2), finer.tol / 100, floor});
        finer.max_iter = max_iter >= 0 ? std::min(most, max_iter - solution.n_iter) : most;
        Problem again = problem;
        again.alpha = solution.alpha;
        Solution next = solve(ctx, points, std::move(again), finer, report);
        const std::int64_t steps = solution.n_iter + next.n_iter;
        const bool ended = !next.converged;
        if (next.gap < solution.gap) solution = std::move(next); // the gap does not fall from step to step
        solution.n_iter = steps;
        solution.converged = true; // the gap is what was asked for, or what can be told apart
        if (ended) break;
    }
    solution.gap *= tol / params.tol; // in the unit of tol
    return solution;
}

/// Coefficients of the points: y alpha, over the margin for nu-SVC.
std::vector<double> coefficients(const TrainParams& params, const Problem& problem, const Solution& solution) {
    const std::size_t n = problem.doubled ? problem.y.size() / 2 : problem.y.size();
    std::vector<double> coef(n);
    for (std::size_t v = 0; v < problem.y.size(); ++v) coef[v % n] += problem.y[v] * solution.alpha[v];
    if (params.kind == Kind::nu_svc)
        for (double& c : coef) c /= solution.scale;
    return coef;
}

} // namespace

Model train(const RunContext& ctx, const Table& X, std::span<const double> y, std::span<const double> C,
            const TrainParams& params) {
    const std::size_t n = n_rows(X);
    const Points points(ctx, X, params.kernel, Points::View::from_midst);
    const bool classes = params.kind == Kind::c_svc || params.kind == Kind::nu_svc;
    const std::size_t k = classes ? static_cast<std::size_t>(*std::max_element(y.begin(), y.end())) + 1 : 1;
    std::vector<Ids> members(k);
    for (std::size_t i = 0; i < n; ++i)
        members[classes ? static_cast<std::size_t>(y[i]) : 0].push_back(static_cast<std::int32_t>(i));

    // Sets of columns: one of all points where there is one problem, else one for each class.
    const bool paired = k > 2;
    Ids all(n);
    std::iota(all.begin(), all.end(), 0);
    const std::vector<ColumnSet> sets =
        column_sets(ctx, points, paired ? members : std::vector<Ids>{std::move(all)}, params.cache_bytes);

    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = i + 1; j < k; ++j) pairs.emplace_back(i, j);
    if (pairs.empty()) pairs.emplace_back(0, 0);

    // The size of a working set must not depend on the number of threads; how many pairs run side by side may.
    std::size_t slots = n, longest = 0;
    for (const ColumnSet& set : sets) {
        slots = std::min(slots, set.cache->n_slots());
        longest = std::max(longest, set.columns->size());
    }
    const std::size_t rows_in_use = std::min(slots, working_set_size(2 * longest));
    const int sharers = static_cast<int>(std::min(static_cast<std::size_t>(ctx.n_threads), slots / rows_in_use));
    const bool side_by_side = sharers > 1 && pairs.size() >= 2 * static_cast<std::size_t>(sharers);
    const SolverParams solver{
        .tol = params.tol, .max_iter = params.max_iter, .shrinking = params.shrinking, .max_rows = slots};

    TargetScale targets;
    if (params.kind == Kind::epsilon_svr || params.kind == Kind::nu_svr) targets = target_scale(y, C);

    Model model;
    std::vector<std::vector<double>> coef(pairs.size());
    model.intercept.resize(pairs.size());
    model.gap.resize(pairs.size());
    model.objective.resize(pairs.size());
    model.n_iter.resize(pairs.size());
    model.converged.resize(pairs.size());
    const auto solve_pair = [&](std::size_t p, bool report) {
        const auto [i, j] = pairs[p];
        std::vector<ColumnSet> used = paired ? std::vector{sets[i], sets[j]} : sets;
        Ids ids;
        for (const ColumnSet& set : used) ids.insert(ids.end(), set.columns->ids().begin(), set.columns->ids().end());
        std::vector<double> label;
        if (classes)
            for (const std::int32_t id : ids)
                label.push_back(y[static_cast<std::size_t>(id)] == static_cast<double>(i) ? 1 : -1);
        Problem problem = formulate(params, ids, y, C, label, targets.middle);
        problem.sets = std::move(used);
        const std::span<const double> bounds = std::span(problem.C).first(ids.size());
        const double unit = tolerance_unit(params, points.reference(), bounds, label, targets.unit);
        // The kernel that is seen from the midst of the points lacks sums of offsets: reference.hpp.
        const bool moved = !points.offsets().empty();
        const std::vector<double> ones(moved ? n : 0, 1.0);
        if (moved) {
            const double sum = sum_over(problem, problem.alpha, ids, ones);
            for (std::size_t v = 0; v < problem.e.size(); ++v)
                problem.e[v] += sum * points.offsets()[static_cast<std::size_t>(ids[v % ids.size()])];
        }
        Solution solution =
            solve_within(ctx, points, problem, solver, unit, unresolved_gap(params, points.reference(), bounds, moved),
                         params.kind, report);
        if (moved)
            solution.rho += sum_over(problem, solution.alpha, ids, points.offsets()) +
                            sum_over(problem, solution.alpha, ids, ones) * points.self();
        solution.rho -= targets.middle;
        const bool scaled = params.kind == Kind::nu_svc;
        coef[p] = coefficients(params, problem, solution);
        model.intercept[p] = -solution.rho / (scaled ? solution.scale : 1);
        model.objective[p] = solution.objective / (scaled ? solution.scale * solution.scale : 1);
        model.gap[p] = solution.gap;
        model.n_iter[p] = solution.n_iter;
        model.converged[p] = solution.converged;
    };
    if (side_by_side) {
        std::atomic<std::size_t> done{0};
        const RunContext outer{sharers, ctx.seed, ctx.progress, ctx.stop};
        parallel_tasks(outer, pairs.size(), 1e6, [&](std::size_t p, int thread) {
            solve_pair(p, false);
            const std::size_t now = ++done;
            if (thread == 0) ctx.progress.iteration(now, static_cast<double>(pairs.size() - now));
        });
    } else {
        for (std::size_t p = 0; p < pairs.size(); ++p) {
            solve_pair(p, !paired);
            if (paired) ctx.progress.iteration(p + 1, static_cast<double>(pairs.size() - p - 1));
        }
    }

    // A support vector is a point with a coefficient in any pair.
    const std::size_t n_coef = std::max<std::size_t>(k - 1, 1);
    std::vector<double> table(n * n_coef); // (point, other class)
    for (std::size_t p = 0; p < pairs.size(); ++p) {
        const auto [i, j] = pairs[p];
        if (!classes || !paired) {
            for (std::size_t v = 0; v < n; ++v) table[v] = coef[p][v];
            continue;
        }
        for (std::size_t v = 0; v < members[i].size(); ++v)
            table[static_cast<std::size_t>(members[i][v]) * n_coef + j - 1] = coef[p][v];
        for (std::size_t v = 0; v < members[j].size(); ++v)
            table[static_cast<std::size_t>(members[j][v]) * n_coef + i] = coef[p][members[i].size() + v];
    }
    for (const Ids& ids : members) {
        const std::size_t before = model.support.size();
        for (const std::int32_t id : ids) {
            const double* row = table.data() + static_cast<std::size_t>(id) * n_coef;
            if (std::any_of(row, row + n_coef, [](double c) { return c != 0; })) model.support.push_back(id);
        }
        model.n_support.push_back(static_cast<std::int32_t>(model.support.size() - before));
    }
    for (std::size_t o = 0; o < n_coef; ++o)
        for (const std::int32_t id : model.support)
            model.dual_coef.push_back(table[static_cast<std::size_t>(id) * n_coef + o]);
    for (const ColumnSet& set : sets) model.cache_peak += set.cache->peak();
    return model;
}

} // namespace mlcore::svm
