// k-means: rows as points, first centers, iterations.
#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "cluster/kmeans/lloyd.hpp"
#include "cluster/kmeans/plus_plus.hpp"
#include "core/choice.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;

/// Points, and the arrays that they look into.
struct KMeansPoints {
    py::object X, weights;
    std::unique_ptr<kmeans::Points> points;

    std::size_t size() const { return points->size(); }
    std::size_t dim() const { return points->dim(); }
};

Table rows_of(const py::object& X) {
    Table table = table_arg("X", X);
    if (n_rows(table) == 0 || n_cols(table) == 0) throw ValueError("X must have rows and columns");
    if (n_rows(table) > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("X must have fewer than 2^31 rows");
    std::visit(
        [](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                if (!view.rows_contiguous()) throw ValueError("the rows of X must be contiguous");
        },
        table);
    return table;
}

std::unique_ptr<KMeansPoints> py_points(py::object X, py::object sample_weight, int n_threads) {
    const Table table = rows_of(X);
    const auto weights = optional_span_arg<double>("sample_weight", sample_weight, n_rows(table));
    for (const double w : weights)
        if (!(w >= 0) || std::isinf(w)) throw ValueError("sample_weight must be finite and not negative");
    auto points =
        run(n_threads, 0, [&](const RunContext& ctx) { return std::make_unique<kmeans::Points>(ctx, table, weights); });
    return std::make_unique<KMeansPoints>(KMeansPoints{std::move(X), std::move(sample_weight), std::move(points)});
}

std::vector<double> centers_arg(const KMeansPoints& self, const py::object& centers) {
    const auto values = rows_arg<double>("centers", centers, self.dim());
    const std::size_t k = values.size() / self.dim();
    if (k == 0 || k > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("centers must have from 1 to 2^31 - 1 rows");
    for (const double c : values)
        if (!std::isfinite(c)) throw ValueError("centers must be finite");
    return {values.begin(), values.end()};
}

py::array_t<std::int64_t> py_plus_plus(const KMeansPoints& self, std::size_t k, std::uint64_t seed,
                                       std::size_t n_local_trials, int n_threads) {
    if (k < 1 || k > self.size()) throw ValueError("k must be from 1 to the number of points");
    if (n_local_trials < 1) throw ValueError("n_local_trials must be at least 1");
    auto rows = run(n_threads, seed,
                    [&](const RunContext& ctx) { return kmeans::plus_plus(ctx, *self.points, k, n_local_trials); });
    return to_numpy(std::move(rows));
}

py::tuple py_fit(const KMeansPoints& self, py::object centers, std::size_t max_iter, double tol,
                 const std::string& algorithm, int n_threads, py::object report) {
    if (max_iter < 1) throw ValueError("max_iter must be at least 1");
    if (!(tol >= 0)) throw ValueError("tol must not be negative");
    const bool bounds = choose<bool>("algorithm", algorithm, {{"auto", true}, {"lloyd", false}});
    auto start = centers_arg(self, centers);
    auto found = run(n_threads, 0, report, [&](const RunContext& ctx) {
        return kmeans::fit(ctx, *self.points, std::move(start), {max_iter, tol, bounds});
    });
    return py::make_tuple(to_numpy(std::move(found.labels)), rows_to_numpy(std::move(found.centers), self.dim()),
                          found.inertia, found.n_iter);
}

py::tuple py_assign(const KMeansPoints& self, py::object centers, int n_threads) {
    const auto values = centers_arg(self, centers);
    auto found = run(n_threads, 0, [&](const RunContext& ctx) { return kmeans::assign(ctx, *self.points, values); });
    return py::make_tuple(to_numpy(std::move(found.labels)), to_numpy(std::move(found.squared_distances)));
}

py::array_t<double> py_distances(const KMeansPoints& self, py::object centers, int n_threads) {
    const auto values = centers_arg(self, centers);
    const std::size_t k = values.size() / self.dim();
    py::array_t<double> out({static_cast<py::ssize_t>(self.size()), static_cast<py::ssize_t>(k)});
    double* data = out.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) { kmeans::distances(ctx, *self.points, values, data); });
    return out;
}

} // namespace

void register_kmeans(py::module_& m) {
    py::class_<KMeansPoints>(m, "KMeansPoints")
        .def(py::init(&py_points), py::arg("X"), py::arg("sample_weight") = py::none(), py::kw_only(),
             py::arg("n_threads"))
        .def("plus_plus", &py_plus_plus, py::arg("k"), py::kw_only(), py::arg("seed"), py::arg("n_local_trials"),
             py::arg("n_threads"))
        .def("fit", &py_fit, py::arg("centers"), py::kw_only(), py::arg("max_iter"), py::arg("tol"),
             py::arg("algorithm"), py::arg("n_threads"), py::arg("report") = py::none())
        .def("assign", &py_assign, py::arg("centers"), py::kw_only(), py::arg("n_threads"))
        .def("distances", &py_distances, py::arg("centers"), py::kw_only(), py::arg("n_threads"));
}

} // namespace mlcore
