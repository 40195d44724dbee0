// Submodule `cluster`: Gaussian mixtures.
#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/points_arg.hpp"
#include "bindings/run_guard.hpp"
#include "cluster/mixture/em.hpp"
#include "core/choice.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using mixture::Components;
using mixture::Shape;

Shape shape_arg(const std::string& name) {
    return choose<Shape>(
        "covariance_type", name,
        {{"full", Shape::full}, {"tied", Shape::tied}, {"diag", Shape::diag}, {"spherical", Shape::spherical}});
}

mixture::Rows rows_arg(py::handle points, py::handle weight) {
    const auto view = points_arg("points", points);
    const mixture::Rows rows{view, optional_span_arg<double>("weight", weight, view.rows)};
    double total = rows.weight.empty() ? 1 : 0;
    for (const double w : rows.weight) {
        if (!(w >= 0)) throw ValueError("weight must not be negative");
        total += w;
    }
    if (!(total > 0) || std::isinf(total)) throw ValueError("weight must have a sum that is finite and above 0");
    return rows;
}

/// Any array of float64 in C order, of so many entries.
std::vector<double> entries(const char* name, py::handle object, std::size_t size) {
    const auto array = bindings::detail::array_of<double>(object);
    if (!array) throw TypeError(std::string(name) + " must be an array of float64");
    if (static_cast<std::size_t>(array->size()) != size || (array->flags() & py::array::c_style) == 0)
        throw ValueError(std::string(name) + " must be in C order and have " + std::to_string(size) + " entries");
    const auto* data = static_cast<const double*>(array->data());
    return {data, data + size};
}

Components components_arg(py::handle weights, py::handle means, py::handle factors, const std::string& type,
                          std::size_t d) {
    const Shape shape = shape_arg(type);
    const auto shares = span_arg<double>("weights", weights);
    const std::size_t k = shares.size();
    if (k == 0 || k > std::size_t{1} << 31) throw ValueError("weights must have an entry a component");
    return {shape,
            k,
            d,
            {shares.begin(), shares.end()},
            entries("means", means, k * d),
            {},
            entries("precisions_cholesky", factors, mixture::covariance_entries(shape, k, d))};
}

std::vector<py::ssize_t> covariance_shape(const Components& c) {
    const auto k = static_cast<py::ssize_t>(c.k), d = static_cast<py::ssize_t>(c.d);
    switch (c.shape) {
    case Shape::full:
        return {k, d, d};
    case Shape::tied:
        return {d, d};
    case Shape::diag:
        return {k, d};
    default:
        return {k};
    }
}

py::dict to_dict(Components&& components) {
    py::dict out;
    const auto shape = covariance_shape(components);
    const std::size_t d = components.d;
    out["weights"] = to_numpy(std::move(components.weights));
    out["means"] = rows_to_numpy(std::move(components.means), d);
    out["covariances"] = to_numpy(std::move(components.covariances), shape);
    out["precisions_cholesky"] = to_numpy(std::move(components.precisions_cholesky), shape);
    return out;
}

py::dict py_components(py::object points, py::object weight, py::object labels, py::object responsibilities,
                       std::size_t k, const std::string& covariance_type, double reg_covar, int n_threads) {
    const mixture::Rows rows = rows_arg(points, weight);
    const Shape shape = shape_arg(covariance_type);
    if (k == 0 || k > rows.points.rows) throw ValueError("n_components must be from 1 to the number of rows");
    if (labels.is_none() == responsibilities.is_none())
        throw ValueError("either labels or responsibilities must be given");
    const auto numbers = optional_span_arg<std::int32_t>("labels", labels, rows.points.rows);
    for (const std::int32_t label : numbers)
        if (label < -1 || label >= static_cast<std::int64_t>(k)) throw ValueError("labels must be below n_components");
    const std::span<const double> shares =
        responsibilities.is_none()
            ? std::span<const double>()
            : bindings::rows_arg<double>("responsibilities", responsibilities, k, rows.points.rows);
    return to_dict(run(n_threads, 0, [&](const RunContext& ctx) {
        return mixture::components_of(ctx, rows, numbers, shares, shape, k, reg_covar);
    }));
}

py::dict py_fit(py::object points, py::object weight, py::object weights, py::object means, py::object factors,
                const std::string& covariance_type, double last, double reg_covar, double tol, std::size_t max_iter,
                int n_threads, py::object report) {
    const mixture::Rows rows = rows_arg(points, weight);
    const Components start = components_arg(weights, means, factors, covariance_type, rows.points.cols);
    mixture::Fit fit = run(n_threads, 0, report, [&](const RunContext& ctx) {
        return mixture::fit(ctx, rows, start, last, reg_covar, tol, max_iter);
    });
    py::dict out = to_dict(std::move(fit.components));
    out["lower_bounds"] = to_numpy(std::move(fit.lower_bounds));
    out["converged"] = fit.converged;
    return out;
}

py::object py_predict(py::object points, py::object weights, py::object means, py::object factors,
                      const std::string& covariance_type, const std::string& what, int n_threads) {
    const MatrixView<const double> x = points_arg("points", points);
    const Components components = components_arg(weights, means, factors, covariance_type, x.cols);
    const auto n = static_cast<py::ssize_t>(x.rows), k = static_cast<py::ssize_t>(components.k);
    enum class What { log_density, labels, responsibilities };
    const What wanted = choose<What>(
        "what", what,
        {{"log_density", What::log_density}, {"labels", What::labels}, {"responsibilities", What::responsibilities}});
    const auto call = [&](double* log_density, std::int64_t* labels, double* responsibilities) {
        run(n_threads, 0, [&](const RunContext& ctx) {
            mixture::predict(ctx, x, components, log_density, labels, responsibilities);
        });
    };
    if (wanted == What::labels) {
        py::array_t<std::int64_t> out(n);
        call(nullptr, out.mutable_data(), nullptr);
        return out;
    }
    py::array_t<double> out = wanted == What::log_density ? py::array_t<double>(n) : py::array_t<double>({n, k});
    double* data = out.mutable_data();
    wanted == What::log_density ? call(data, nullptr, nullptr) : call(nullptr, nullptr, data);
    return out;
}

} // namespace

void register_mixture(py::module_& m) {
    m.def("mixture_components", &py_components, py::arg("points"), py::arg("weight"), py::kw_only(), py::arg("labels"),
          py::arg("responsibilities"), py::arg("n_components"), py::arg("covariance_type"), py::arg("reg_covar"),
          py::arg("n_threads"));
    m.def("fit_mixture", &py_fit, py::arg("points"), py::arg("weight"), py::kw_only(), py::arg("weights"),
          py::arg("means"), py::arg("precisions_cholesky"), py::arg("covariance_type"), py::arg("last"),
          py::arg("reg_covar"), py::arg("tol"), py::arg("max_iter"), py::arg("n_threads"),
          py::arg("report") = py::none());
    m.def("predict_mixture", &py_predict, py::arg("points"), py::kw_only(), py::arg("weights"), py::arg("means"),
          py::arg("precisions_cholesky"), py::arg("covariance_type"), py::arg("what"), py::arg("n_threads"));
}

} // namespace mlcore
