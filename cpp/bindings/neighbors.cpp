// Submodule `neighbors`: search for the nearest points, and the spanning tree of them.
#include "bindings/module.hpp"
#include "bindings/neighbors_parts.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/points_arg.hpp"
#include "bindings/run_guard.hpp"
#include "neighbors/brute.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/metric.hpp"
#include "neighbors/search.hpp"

#include <algorithm>
#include <memory>
#include <string>

namespace mlcore {
namespace {

using namespace neighbors;
using namespace bindings;

/// Index arrays in Python are int64, as scikit-learn's.
py::array_t<std::int64_t> long_indices(const Buffer<std::int32_t>& indices, std::vector<py::ssize_t> shape) {
    py::array_t<std::int64_t> out(std::move(shape));
    std::copy(indices.begin(), indices.end(), out.mutable_data());
    return out;
}

py::tuple nearest_tuple(Neighbors&& found, std::size_t k) {
    const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(found.indices.size() / k),
                                         static_cast<py::ssize_t>(k)};
    auto indices = long_indices(found.indices, shape);
    return py::make_tuple(to_numpy(std::move(found.distances), shape), indices);
}

py::tuple within_tuple(Within&& found) {
    auto indices = long_indices(found.indices, {static_cast<py::ssize_t>(found.indices.size())});
    return py::make_tuple(to_numpy(std::move(found.offsets)), indices, to_numpy(std::move(found.distances)));
}

std::unique_ptr<KdTree> make_tree(py::object points, const std::string& metric, std::size_t leaf_size, int n_threads) {
    const MatrixView<const double> view = points_arg("points", points);
    const Metric kind = parse_metric(metric);
    return run(n_threads, 0,
               [&](const RunContext& ctx) { return std::make_unique<KdTree>(ctx, view, kind, leaf_size); });
}

py::tuple tree_k_nearest(const KdTree& tree, py::object queries, std::size_t k, int n_threads) {
    if (queries.is_none())
        return nearest_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return k_nearest(ctx, tree, k); }), k);
    const auto view = points_arg("queries", queries, tree.dim());
    return nearest_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return k_nearest(ctx, tree, view, k); }), k);
}

py::tuple tree_within(const KdTree& tree, py::object queries, double radius, int n_threads) {
    if (queries.is_none())
        return within_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return within(ctx, tree, radius); }));
    const auto view = points_arg("queries", queries, tree.dim());
    return within_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return within(ctx, tree, view, radius); }));
}

double tree_scanned_share(const KdTree& tree, std::size_t k, int n_threads) {
    return run(n_threads, 0, [&](const RunContext& ctx) { return scanned_share(ctx, tree, k); });
}

py::tuple brute_k_nearest(py::object points, py::object queries, std::size_t k, const std::string& metric,
                          int n_threads) {
    const auto all = points_arg("points", points);
    const Metric kind = parse_metric(metric);
    if (queries.is_none())
        return nearest_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return k_nearest(ctx, all, k, kind); }), k);
    const auto view = points_arg("queries", queries, all.cols);
    return nearest_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return k_nearest(ctx, all, view, k, kind); }),
                         k);
}

py::tuple brute_within(py::object points, py::object queries, double radius, const std::string& metric, int n_threads) {
    const auto all = points_arg("points", points);
    const Metric kind = parse_metric(metric);
    if (queries.is_none())
        return within_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return within(ctx, all, radius, kind); }));
    const auto view = points_arg("queries", queries, all.cols);
    return within_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return within(ctx, all, view, radius, kind); }));
}

} // namespace

void register_neighbors(pybind11::module_& m) {
    auto sub = m.def_submodule("neighbors", "Search for the nearest points, and the spanning tree of them.");
    py::class_<KdTree>(sub, "KdTree")
        .def(py::init(&make_tree), py::arg("points"), py::kw_only(), py::arg("metric"), py::arg("leaf_size"),
             py::arg("n_threads"))
        .def("k_nearest", &tree_k_nearest, py::arg("queries").none(true), py::arg("k"), py::kw_only(),
             py::arg("n_threads"))
        .def("scanned_share", &tree_scanned_share, py::arg("k"), py::kw_only(), py::arg("n_threads"))
        .def("within", &tree_within, py::arg("queries").none(true), py::arg("radius"), py::kw_only(),
             py::arg("n_threads"));
    sub.def("k_nearest", &brute_k_nearest, py::arg("points"), py::arg("queries").none(true), py::arg("k"),
            py::kw_only(), py::arg("metric"), py::arg("n_threads"));
    sub.def("within", &brute_within, py::arg("points"), py::arg("queries").none(true), py::arg("radius"), py::kw_only(),
            py::arg("metric"), py::arg("n_threads"));
    register_spanning_tree(sub);
}

} // namespace mlcore
