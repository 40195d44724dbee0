// Submodule `linear_model`: logistic regression and what all linear models predict by; least squares and support
// vector machines are in the other files of this folder.
#include "bindings/linear_model/linear_model.hpp"
#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/memory.hpp"
#include "linalg/linear_scores.hpp"
#include "linear_model/logistic/fit.hpp"

#include <pybind11/stl.h>

namespace mlcore {
namespace {

using namespace linear_model;
using namespace bindings;

std::size_t outputs_of(std::size_t n_classes) { return n_classes == 2 ? 1 : n_classes; }

py::dict logistic_fit(py::object X, py::object y, py::object sample_weight, py::object start, std::size_t n_classes,
                      double l1, double l2, bool fit_intercept, const std::string& solver, double tol, int max_iter,
                      double learning_rate, std::size_t batch_size, double momentum, int n_threads, std::uint64_t seed,
                      py::object report) {
    const Table table = table_arg("X", X);
    const std::size_t cols = n_cols(table) + 1;
    const auto labels = span_arg<std::int32_t>("y", y, n_rows(table));
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n_rows(table));
    const auto from = rows_arg<double>("start", start, cols, outputs_of(n_classes));
    const LogisticParams params{n_classes,     l1,         l2,      fit_intercept, solver, tol, max_iter,
                                learning_rate, batch_size, momentum};
    LogisticFit fit = run(n_threads, seed, report, [&](const RunContext& ctx) {
        return fit_logistic(ctx, table, labels, weight, from, params);
    });
    py::dict result;
    result["coef"] = rows_to_numpy(std::move(fit.coef), cols);
    result["n_iter"] = fit.n_iter;
    result["optimality"] = fit.optimality;
    result["converged"] = fit.converged;
    result["loss_curve"] = to_numpy(std::move(fit.losses));
    return result;
}

py::tuple value_and_gradient(py::object X, py::object y, py::object sample_weight, py::object coef,
                             std::size_t n_classes, double l2, bool fit_intercept, int n_threads) {
    const Table table = table_arg("X", X);
    const std::size_t cols = n_cols(table) + 1;
    const auto labels = span_arg<std::int32_t>("y", y, n_rows(table));
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n_rows(table));
    const auto theta = rows_arg<double>("coef", coef, cols, outputs_of(n_classes));
    std::vector<double> gradient(theta.size());
    LogisticParams params;
    params.n_classes = n_classes;
    params.l2 = l2;
    params.fit_intercept = fit_intercept;
    const double value = run(n_threads, 0, [&](const RunContext& ctx) {
        return linear_model::logistic_value_and_gradient(ctx, table, labels, weight, params, theta, gradient);
    });
    return py::make_tuple(value, rows_to_numpy(std::move(gradient), cols));
}

py::array_t<double> linear_scores(py::object X, py::object coef, py::object intercept, int n_threads) {
    const Table table = table_arg("X", X);
    const auto w = matrix_arg<double>("coef", coef, n_cols(table));
    const auto b = vector_arg<double>("intercept", intercept, w.rows);
    Buffer<double> scores(n_rows(table) * w.rows);
    run(n_threads, 0, [&](const RunContext& ctx) { linalg::linear_scores(ctx, table, w, b, scores.data()); });
    return to_numpy(std::move(scores), {static_cast<py::ssize_t>(n_rows(table)), static_cast<py::ssize_t>(w.rows)});
}

} // namespace

void register_linear_model(py::module_& parent) {
    auto m = parent.def_submodule("linear_model", "Linear models.");
    m.def("logistic_fit", &logistic_fit, py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("start"),
          py::kw_only(), py::arg("n_classes"), py::arg("l1"), py::arg("l2"), py::arg("fit_intercept"),
          py::arg("solver"), py::arg("tol"), py::arg("max_iter"), py::arg("learning_rate"), py::arg("batch_size"),
          py::arg("momentum"), py::arg("n_threads"), py::arg("seed"), py::arg("report"));
    m.def("logistic_value_and_gradient", &value_and_gradient, py::arg("X"), py::arg("y"), py::arg("sample_weight"),
          py::arg("coef"), py::kw_only(), py::arg("n_classes"), py::arg("l2"), py::arg("fit_intercept"),
          py::arg("n_threads"));
    m.def("linear_scores", &linear_scores, py::arg("X"), py::arg("coef"), py::arg("intercept"), py::kw_only(),
          py::arg("n_threads"));
    register_linear_model_least_squares(m);
    register_linear_model_hinge(m);
}

} // namespace mlcore
