// Minimum spanning trees, part of the submodule `neighbors`.
#include "neighbors/spanning_tree.hpp"
#include "bindings/neighbors_parts.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"

#include <pybind11/stl.h>

#include <string>
#include <utility>

namespace mlcore {
namespace {

using namespace bindings;

py::tuple to_tuple(neighbors::SpanningTree tree) {
    return py::make_tuple(to_numpy(std::move(tree.from)), to_numpy(std::move(tree.to)),
                          to_numpy(std::move(tree.weights)));
}

py::tuple spanning_tree(const py::object& points, const py::object& core_distances, double alpha,
                        const std::string& metric_name, int n_threads) {
    const auto metric = neighbors::parse_metric(metric_name);
    const auto view = matrix_arg<double>("points", points);
    const auto cores = optional_span_arg<double>("core_distances", core_distances, view.rows);
    return to_tuple(
        run(n_threads, 0, [&](const RunContext& ctx) { return neighbors::prim(ctx, view, cores, alpha, metric); }));
}

py::tuple spanning_tree_of_distances(const py::object& distances, const py::object& core_distances, double alpha) {
    const auto view = matrix_arg<double>("distances", distances);
    const auto cores = optional_span_arg<double>("core_distances", core_distances, view.rows);
    return to_tuple(
        run(1, 0, [&](const RunContext& ctx) { return neighbors::prim_of_distances(ctx, view, cores, alpha); }));
}

} // namespace

void register_spanning_tree(py::module_& m) {
    m.def("spanning_tree", spanning_tree, py::arg("points"), py::arg("core_distances").none(true), py::kw_only(),
          py::arg("alpha") = 1.0, py::arg("metric") = "euclidean", py::arg("n_threads"),
          "Minimum spanning tree of points (n, d) float64 under the distance max(core_i, core_j, d_ij / alpha), d_ij "
          "alone where core_distances is None: (from, to, weights), n - 1 edges, ascending by (weight, from, to), "
          "from < to. Among edges of one weight the shorter ones come into the tree, then those of lower (from, to).");
    m.def("spanning_tree_of_distances", spanning_tree_of_distances, py::arg("distances"),
          py::arg("core_distances").none(true), py::arg("alpha") = 1.0,
          "The same of a symmetric matrix of distances (n, n) float64, whose diagonal is not read.");
}

} // namespace mlcore
