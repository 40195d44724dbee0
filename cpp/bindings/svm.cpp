// Submodule `svm`: kernel machines. Linear ones are in the submodule `linear_model`.
#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "svm/decision.hpp"
#include "svm/kernel_matrix.hpp"
#include "svm/trainer.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace mlcore {
namespace {

using namespace svm;
using namespace bindings;

Kind kind_arg(const std::string& name) {
    return choose<Kind>("kind", name,
                        {{"c_svc", Kind::c_svc},
                         {"nu_svc", Kind::nu_svc},
                         {"epsilon_svr", Kind::epsilon_svr},
                         {"nu_svr", Kind::nu_svr},
                         {"one_class", Kind::one_class}});
}

Kernel kernel_arg(const std::string& name, double gamma, int degree, double coef0) {
    using Type = Kernel::Type;
    const Type type = choose<Type>("kernel", name,
                                   {{"linear", Type::linear},
                                    {"poly", Type::poly},
                                    {"rbf", Type::rbf},
                                    {"sigmoid", Type::sigmoid},
                                    {"precomputed", Type::precomputed}});
    if (!(gamma >= 0) || std::isinf(gamma)) throw ValueError("gamma must be finite and not negative");
    if (!std::isfinite(coef0)) throw ValueError("coef0 must be finite");
    if (degree < 0) throw ValueError("degree must not be negative");
    return {.type = type, .gamma = gamma, .coef0 = coef0, .degree = degree};
}

/// A table small enough for the 32-bit numbers of its points.
Table points_arg(const char* name, py::handle object) {
    Table X = table_arg(name, object);
    if (n_rows(X) > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) ||
        n_cols(X) > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError(std::string(name) + " must have fewer than 2^31 rows and columns");
    return X;
}

bool dense(const Table& X) {
    return std::visit([](const auto& view) { return is_dense<std::decay_t<decltype(view)>>; }, X);
}

void check_square(const Table& X) {
    if (!dense(X) || n_rows(X) != n_cols(X)) throw ValueError("a precomputed kernel must be a dense square matrix");
}

/// Whole numbers 0 .. k - 1 that all occur, k >= 2.
void check_classes(std::span<const double> y) {
    std::vector<char> seen;
    for (const double c : y) {
        if (!(c >= 0 && c < 1e6) || c != std::floor(c)) throw ValueError("y must hold classes 0.0, 1.0, ...");
        if (seen.size() <= static_cast<std::size_t>(c)) seen.resize(static_cast<std::size_t>(c) + 1);
        seen[static_cast<std::size_t>(c)] = 1;
    }
    if (seen.size() < 2 || std::find(seen.begin(), seen.end(), 0) != seen.end())
        throw ValueError("y must hold two classes or more, and all of 0.0 .. k - 1");
}

py::dict py_train(const std::string& kind, py::object X, py::object y, py::object C, double nu, double epsilon,
                  const std::string& kernel, double gamma, int degree, double coef0, double tol, std::size_t cache_size,
                  bool shrinking, std::int64_t max_iter, int n_threads, py::object report) {
    const Table table = points_arg("X", X);
    const std::size_t n = n_rows(table);
    if (n == 0 || n_cols(table) == 0) throw ValueError("X must have rows and columns");
    const auto target = span_arg<double>("y", y, n), bound = span_arg<double>("C", C, n);
    TrainParams params{.kind = kind_arg(kind),
                       .kernel = kernel_arg(kernel, gamma, degree, coef0),
                       .nu = nu,
                       .epsilon = epsilon,
                       .tol = tol,
                       .cache_bytes = cache_size,
                       .shrinking = shrinking,
                       .max_iter = max_iter};
    if (params.kernel.type == Kernel::Type::precomputed) check_square(table);
    if (params.kind == Kind::c_svc || params.kind == Kind::nu_svc) check_classes(target);
    for (const double c : bound)
        if (!(c > 0) || std::isinf(c)) throw ValueError("C must be positive and finite");
    for (const double t : target)
        if (!std::isfinite(t)) throw ValueError("y must be finite");
    if (!(tol > 0)) throw ValueError("tol must be positive");

    Model model =
        run(n_threads, 0, report, [&](const RunContext& ctx) { return train(ctx, table, target, bound, params); });
    py::dict result;
    const auto n_sv = static_cast<py::ssize_t>(model.support.size());
    const auto n_coef = static_cast<py::ssize_t>(std::max<std::size_t>(model.n_support.size() - 1, 1));
    result["support"] = to_numpy(std::move(model.support));
    result["n_support"] = to_numpy(std::move(model.n_support));
    result["dual_coef"] = to_numpy(std::move(model.dual_coef), {n_coef, n_sv});
    result["intercept"] = to_numpy(std::move(model.intercept));
    result["n_iter"] = to_numpy(std::move(model.n_iter));
    result["gap"] = to_numpy(std::move(model.gap));
    result["objective"] = to_numpy(std::move(model.objective));
    result["converged"] = to_numpy(std::move(model.converged)).attr("astype")("bool");
    result["cache_peak"] = model.cache_peak;
    return result;
}

py::array_t<double> py_decision_function(py::object X, py::object support_vectors, py::object dual_coef,
                                         py::object n_support, py::object intercept, const std::string& kernel,
                                         double gamma, int degree, double coef0, int n_threads) {
    const Table table = points_arg("X", X), vectors = points_arg("support_vectors", support_vectors);
    const auto counts = span_arg<std::int32_t>("n_support", n_support);
    const auto levels = span_arg<double>("intercept", intercept);
    const MatrixView<const double> coef = matrix_arg<double>("dual_coef", dual_coef);
    const Kernel function = kernel_arg(kernel, gamma, degree, coef0);
    const bool precomputed = function.type == Kernel::Type::precomputed;
    const std::size_t n_sv = precomputed ? n_cols(table) : n_rows(vectors), k = counts.size();
    std::size_t total = 0;
    for (const std::int32_t count : counts) {
        if (count < 0) throw ValueError("n_support must not be negative");
        total += static_cast<std::size_t>(count);
    }
    const std::size_t n_pairs = std::max<std::size_t>(k * (k - std::min<std::size_t>(k, 1)) / 2, 1);
    if (k == 0 || total != n_sv || coef.cols != n_sv || coef.rows != std::max<std::size_t>(k - 1, 1) ||
        levels.size() != n_pairs)
        throw ValueError("n_support, dual_coef and intercept do not fit the support vectors");
    if (coef.rows > 0 && coef.cols > 0 &&
        (!coef.rows_contiguous() || coef.row_stride != static_cast<std::ptrdiff_t>(coef.cols)))
        throw ValueError("dual_coef must be in C order");
    if (precomputed && !dense(table)) throw ValueError("a precomputed kernel must be dense");
    if (!precomputed && (n_cols(table) != n_cols(vectors) || dense(table) != dense(vectors)))
        throw ValueError("X must be like support_vectors: as many columns, and dense or sparse as they");
    py::array_t<double> out({static_cast<py::ssize_t>(n_rows(table)), static_cast<py::ssize_t>(n_pairs)});
    double* data = out.mutable_data();
    const DecisionModel model{vectors, function, counts, coef.data, levels};
    run(n_threads, 0, [&](const RunContext& ctx) { decision_function(ctx, table, model, data); });
    return out;
}

py::array_t<double> py_kernel_matrix(py::object X, py::object Z, const std::string& kernel, double gamma, int degree,
                                     double coef0, int n_threads) {
    const Table rows = points_arg("X", X), cols = points_arg("Z", Z);
    const Kernel function = kernel_arg(kernel, gamma, degree, coef0);
    if (function.type == Kernel::Type::precomputed) throw ValueError("a precomputed kernel is there already");
    if (n_cols(rows) != n_cols(cols) || dense(rows) != dense(cols))
        throw ValueError("Z must be like X: as many columns, and dense or sparse as X");
    const std::size_t n = n_rows(rows), m = n_rows(cols);
    py::array_t<double> out({static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(m)});
    double* data = out.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) { kernel_matrix(ctx, rows, cols, function, data); });
    return out;
}

} // namespace

void register_svm(py::module_& parent) {
    auto m = parent.def_submodule("svm", "Support vector machines.");
    m.def("train", &py_train, py::arg("kind"), py::arg("X"), py::arg("y"), py::arg("C"), py::kw_only(), py::arg("nu"),
          py::arg("epsilon"), py::arg("kernel"), py::arg("gamma"), py::arg("degree"), py::arg("coef0"), py::arg("tol"),
          py::arg("cache_size"), py::arg("shrinking"), py::arg("max_iter"), py::arg("n_threads"),
          py::arg("report") = py::none());
    m.def("decision_function", &py_decision_function, py::arg("X"), py::arg("support_vectors"), py::arg("dual_coef"),
          py::arg("n_support"), py::arg("intercept"), py::kw_only(), py::arg("kernel"), py::arg("gamma"),
          py::arg("degree"), py::arg("coef0"), py::arg("n_threads"));
    m.def("kernel_matrix", &py_kernel_matrix, py::arg("X"), py::arg("Z"), py::kw_only(), py::arg("kernel"),
          py::arg("gamma"), py::arg("degree"), py::arg("coef0"), py::arg("n_threads"));
}

} // namespace mlcore
