// Linear support vector machines, part of the submodule `linear_model`: see linear_model/linear_model.cpp.
#include "bindings/linear_model/linear_model.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "linear_model/hinge/fit.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace linear_model::hinge;
using namespace bindings;

LinearLoss parse_loss(const std::string& name) {
    return choose<LinearLoss>("loss", name,
                              {{"hinge", LinearLoss::hinge},
                               {"squared_hinge", LinearLoss::squared_hinge},
                               {"epsilon_insensitive", LinearLoss::epsilon_insensitive},
                               {"squared_epsilon_insensitive", LinearLoss::squared_epsilon_insensitive}});
}

LinearPenalty parse_penalty(const std::string& name) {
    return choose<LinearPenalty>("penalty", name, {{"l1", LinearPenalty::l1}, {"l2", LinearPenalty::l2}});
}

LinearSolver parse_solver(const std::string& name) {
    return choose<LinearSolver>("solver", name,
                                {{"auto", LinearSolver::automatic},
                                 {"descent", LinearSolver::descent},
                                 {"newton", LinearSolver::newton},
                                 {"conjugate", LinearSolver::conjugate}});
}

/// coef (problems, d), intercept (problems,), and what became of each problem.
py::dict as_dict(const std::vector<LinearSolution>& solutions, std::size_t d, double bias) {
    const auto n = static_cast<py::ssize_t>(solutions.size());
    py::array_t<double> coef({n, static_cast<py::ssize_t>(d)}), intercept(n), objective(n), violation(n), allowed(n);
    py::array_t<std::int32_t> n_iter(n);
    py::array_t<bool> converged(n);
    for (py::ssize_t k = 0; k < n; ++k) {
        const LinearSolution& s = solutions[static_cast<std::size_t>(k)];
        if (d > 0) std::copy_n(s.w.begin(), d, coef.mutable_data(k, 0));
        intercept.mutable_at(k) = bias * s.w[d];
        objective.mutable_at(k) = s.objective;
        violation.mutable_at(k) = s.violation;
        allowed.mutable_at(k) = s.allowed;
        n_iter.mutable_at(k) = s.n_iter;
        converged.mutable_at(k) = s.converged;
    }
    py::dict out;
    out["coef"] = coef;
    out["intercept"] = intercept;
    out["objective"] = objective;
    out["violation"] = violation;
    out["allowed"] = allowed;
    out["n_iter"] = n_iter;
    out["converged"] = converged;
    return out;
}

py::dict linear_svc(py::object X, py::object y, py::object cost, py::object positive_factor, py::object negative_factor,
                    const std::string& penalty, const std::string& loss, bool dual, double bias, double tol,
                    int max_iter, const std::string& solver, int n_threads, std::uint64_t seed, py::object report) {
    const Table table = table_arg("X", X);
    const std::size_t n = n_rows(table);
    const auto label = span_arg<std::int32_t>("y", y, n);
    const auto weight = span_arg<double>("cost", cost, n);
    const auto of_class = span_arg<double>("positive_factor", positive_factor);
    const auto of_rest = span_arg<double>("negative_factor", negative_factor, of_class.size());
    const LinearParams params{.loss = parse_loss(loss),
                              .penalty = parse_penalty(penalty),
                              .dual = dual,
                              .bias = bias,
                              .tol = tol,
                              .max_iter = max_iter,
                              .solver = parse_solver(solver)};
    if (is_regression(params.loss)) throw ValueError("loss '" + loss + "' is for regression");
    // Problem k: class k against the rest; a single problem: class 1 against class 0.
    const std::size_t n_problems = of_class.size(), first = n_problems == 1 ? 1 : 0;
    const auto make = [&](std::size_t k) {
        LinearProblem p{std::vector<double>(n), std::vector<double>(n)};
        for (std::size_t i = 0; i < n; ++i) {
            const bool positive = label[i] == static_cast<std::int32_t>(k + first);
            p.target[i] = positive ? 1 : -1;
            p.cost[i] = weight[i] * (positive ? of_class[k] : of_rest[k]);
        }
        return p;
    };
    const auto solutions = run(n_threads, seed, report, [&](const RunContext& ctx) {
        return solve_linear(ctx, table, n_problems, make, params);
    });
    return as_dict(solutions, n_cols(table), bias);
}

py::dict linear_svr(py::object X, py::object y, py::object cost, const std::string& loss, double epsilon, bool dual,
                    double bias, double tol, int max_iter, const std::string& solver, int n_threads, std::uint64_t seed,
                    py::object report) {
    const Table table = table_arg("X", X);
    const auto target = span_arg<double>("y", y, n_rows(table));
    const auto weight = span_arg<double>("cost", cost, n_rows(table));
    const LinearParams params{.loss = parse_loss(loss),
                              .dual = dual,
                              .epsilon = epsilon,
                              .bias = bias,
                              .tol = tol,
                              .max_iter = max_iter,
                              .solver = parse_solver(solver)};
    if (!is_regression(params.loss)) throw ValueError("loss '" + loss + "' is for classification");
    const auto make = [&](std::size_t) {
        return LinearProblem{{target.begin(), target.end()}, {weight.begin(), weight.end()}};
    };
    const auto solutions =
        run(n_threads, seed, report, [&](const RunContext& ctx) { return solve_linear(ctx, table, 1, make, params); });
    return as_dict(solutions, n_cols(table), bias);
}

} // namespace

void register_linear_model_hinge(py::module_& m) {
    m.def("linear_svc", &linear_svc, py::arg("X"), py::arg("y"), py::arg("cost"), py::arg("positive_factor"),
          py::arg("negative_factor"), py::kw_only(), py::arg("penalty"), py::arg("loss"), py::arg("dual"),
          py::arg("bias"), py::arg("tol"), py::arg("max_iter"), py::arg("solver"), py::arg("n_threads"),
          py::arg("seed"), py::arg("report"));
    m.def("linear_svr", &linear_svr, py::arg("X"), py::arg("y"), py::arg("cost"), py::kw_only(), py::arg("loss"),
          py::arg("epsilon"), py::arg("dual"), py::arg("bias"), py::arg("tol"), py::arg("max_iter"), py::arg("solver"),
          py::arg("n_threads"), py::arg("seed"), py::arg("report"));
}

} // namespace mlcore
