// Least squares, part of the submodule `linear_model`: see linear_model/linear_model.cpp.
#include "bindings/linear_model/linear_model.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "linear_model/least_squares/elastic_net.hpp"
#include "linear_model/least_squares/ridge.hpp"

namespace mlcore {
namespace {

using namespace linear_model;
using namespace bindings;

Precompute parse_precompute(const std::string& name) {
    return choose<Precompute>(
        "precompute", name,
        {{"auto", Precompute::by_cost}, {"gram", Precompute::gram}, {"columns", Precompute::columns}});
}

py::dict run_elastic_net_path(py::object X, py::object Y, py::object sample_weight, py::object alphas,
                              std::size_t n_alphas, double eps, py::object start, double l1_ratio, double tol,
                              int max_iter, bool fit_intercept, bool positive, bool random_order,
                              const std::string& precompute, int n_threads, std::uint64_t seed, py::object report) {
    const Table table = table_arg("X", X);
    const auto targets = matrix_arg<double>("Y", Y);
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n_rows(table));
    const auto from = optional_span_arg<double>("start", start, targets.cols * n_cols(table));
    std::variant<AlphaGrid, std::span<const double>> wanted = AlphaGrid{n_alphas, eps};
    if (!alphas.is_none()) wanted = span_arg<double>("alphas", alphas);
    const ElasticNetParams params{
        l1_ratio, tol, max_iter, fit_intercept, positive, random_order, parse_precompute(precompute)};
    ElasticNetPath path = run(n_threads, seed, report, [&](const RunContext& ctx) {
        return elastic_net_path(ctx, table, targets, weight, wanted, from, params);
    });
    const auto t = static_cast<py::ssize_t>(targets.cols), a = static_cast<py::ssize_t>(path.alphas.size()),
               d = static_cast<py::ssize_t>(n_cols(table));
    py::dict result;
    result["alphas"] = to_numpy(std::move(path.alphas));
    result["coef"] = to_numpy(std::move(path.coef), {t, a, d});
    result["intercept"] = to_numpy(std::move(path.intercept), {t, a});
    result["gap"] = to_numpy(std::move(path.gap), {t, a});
    result["objective"] = to_numpy(std::move(path.objective), {t, a});
    result["n_iter"] = to_numpy(std::move(path.n_iter), {t, a});
    result["converged"] = to_numpy(std::move(path.converged), {t, a});
    return result;
}

RidgeSolver parse_solver(const std::string& name) {
    return choose<RidgeSolver>("solver", name,
                               {{"auto", RidgeSolver::by_cost},
                                {"cholesky", RidgeSolver::cholesky},
                                {"sparse_cg", RidgeSolver::conjugate_gradients}});
}

py::dict run_ridge(py::object X, py::object Y, py::object sample_weight, py::object alphas, const std::string& solver,
                   double tol, int max_iter, bool fit_intercept, int n_threads, py::object report) {
    const Table table = table_arg("X", X);
    const auto targets = matrix_arg<double>("Y", Y);
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n_rows(table));
    const auto penalties = span_arg<double>("alphas", alphas, targets.cols);
    const RidgeParams params{parse_solver(solver), tol, max_iter, fit_intercept};
    RidgeFit fit = run(n_threads, 0, report,
                       [&](const RunContext& ctx) { return ridge(ctx, table, targets, weight, penalties, params); });
    py::dict result;
    result["coef"] = to_numpy(std::move(fit.coef),
                              {static_cast<py::ssize_t>(targets.cols), static_cast<py::ssize_t>(n_cols(table))});
    result["intercept"] = to_numpy(std::move(fit.intercept));
    result["residual"] = to_numpy(std::move(fit.residual));
    result["n_iter"] = to_numpy(std::move(fit.n_iter));
    result["solver"] = fit.solver == RidgeSolver::cholesky ? "cholesky" : "sparse_cg";
    return result;
}

} // namespace

void register_linear_model_least_squares(py::module_& m) {
    m.def("elastic_net_path", &run_elastic_net_path, py::arg("X"), py::arg("Y"), py::arg("sample_weight"),
          py::arg("alphas"), py::arg("n_alphas"), py::arg("eps"), py::arg("start"), py::kw_only(), py::arg("l1_ratio"),
          py::arg("tol"), py::arg("max_iter"), py::arg("fit_intercept"), py::arg("positive"), py::arg("random_order"),
          py::arg("precompute"), py::arg("n_threads"), py::arg("seed"), py::arg("report"));
    m.def("ridge", &run_ridge, py::arg("X"), py::arg("Y"), py::arg("sample_weight"), py::arg("alphas"), py::kw_only(),
          py::arg("solver"), py::arg("tol"), py::arg("max_iter"), py::arg("fit_intercept"), py::arg("n_threads"),
          py::arg("report"));
}

} // namespace mlcore
