// Minimum spanning trees, part of the submodule `neighbors`.
#include "neighbors/spanning_tree.hpp"
#include "bindings/neighbors_parts.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "neighbors/brute.hpp"
#include "neighbors/distance_graph.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/search.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace mlcore {
namespace {

using namespace neighbors;
using namespace bindings;

py::tuple to_tuple(SpanningTree tree) {
    return py::make_tuple(to_numpy(std::move(tree.from)), to_numpy(std::move(tree.to)),
                          to_numpy(std::move(tree.weights)));
}

py::tuple with_cores(std::vector<double> cores, SpanningTree tree) {
    return py::make_tuple(to_numpy(std::move(cores))) + to_tuple(std::move(tree));
}

/// Rows of neighbours (n, k) in k_nearest's form, int64 as it gives them to Python, with their range checked.
std::vector<std::int32_t> neighbors_arg(const py::object& neighbors, std::size_t n) {
    if (neighbors.is_none()) return {};
    const auto view = matrix_arg<std::int64_t>("neighbors", neighbors);
    if (view.rows != n) throw ValueError("neighbors must have " + std::to_string(n) + " rows");
    std::vector<std::int32_t> rows;
    rows.reserve(view.rows * view.cols);
    for (std::size_t i = 0; i < view.rows; ++i)
        for (std::size_t j = 0; j < view.cols; ++j) {
            if (view(i, j) < 0 || static_cast<std::size_t>(view(i, j)) >= n)
                throw ValueError("neighbors must be rows of the points, got " + std::to_string(view(i, j)));
            rows.push_back(static_cast<std::int32_t>(view(i, j)));
        }
    return rows;
}

py::tuple spanning_tree(const py::object& points, const py::object& core_distances, double alpha,
                        const std::string& metric, const py::object& neighbors, int n_threads) {
    if (py::isinstance<KdTree>(points)) {
        const auto& tree = points.cast<const KdTree&>();
        const auto cores = optional_span_arg<double>("core_distances", core_distances, tree.size());
        const auto rows = neighbors_arg(neighbors, tree.size());
        return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) {
            if (!rows.empty()) return boruvka(ctx, tree, cores, alpha, rows);
            const Neighbors nearest = k_nearest(ctx, tree, std::min<std::size_t>(4, tree.size()));
            return boruvka(ctx, tree, cores, alpha, nearest.indices.span());
        }));
    }
    const auto view = matrix_arg<double>("points", points);
    const auto cores = optional_span_arg<double>("core_distances", core_distances, view.rows);
    const Metric kind = parse_metric(metric);
    return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) { return prim(ctx, view, cores, alpha, kind); }));
}

/// Core distances and the tree in one call: neighbours stay in the core.
py::tuple reachability_tree(const py::object& points, std::size_t k, double alpha, const std::string& metric,
                            int n_threads) {
    std::vector<double> cores;
    const auto read_cores = [&](const Neighbors& nearest) {
        cores.resize(nearest.distances.size() / k);
        for (std::size_t i = 0; i < cores.size(); ++i) cores[i] = nearest.distances[i * k + k - 1];
    };
    SpanningTree result;
    if (py::isinstance<KdTree>(points)) {
        const auto& tree = points.cast<const KdTree&>();
        result = run(n_threads, 0, [&](const RunContext& ctx) {
            const Neighbors nearest = k_nearest(ctx, tree, k);
            read_cores(nearest);
            return boruvka(ctx, tree, cores, alpha, nearest.indices.span());
        });
    } else {
        const auto view = matrix_arg<double>("points", points);
        const Metric kind = parse_metric(metric);
        result = run(n_threads, 0, [&](const RunContext& ctx) {
            read_cores(k_nearest(ctx, view, k, kind));
            return prim(ctx, view, cores, alpha, kind);
        });
    }
    return with_cores(std::move(cores), std::move(result));
}

py::tuple reachability_tree_of_graph(const py::object& distances, std::size_t k, double alpha, int n_threads) {
    const Table table = table_arg("distances", distances);
    return std::visit(
        [&](const auto& view) -> py::tuple {
            using View = std::decay_t<decltype(view)>;
            if constexpr (std::is_same_v<View, CsrView<double, std::int32_t>> ||
                          std::is_same_v<View, CsrView<double, std::int64_t>>) {
                std::vector<double> cores;
                SpanningTree tree = run(n_threads, 0, [&](const RunContext& ctx) {
                    DistanceGraph graph = read_distance_graph(ctx, view);
                    cores = core_distances(ctx, graph, k);
                    return boruvka(ctx, std::move(graph), cores, alpha);
                });
                return with_cores(std::move(cores), std::move(tree));
            } else {
                throw TypeError("distances must be a CSR matrix of float64");
            }
        },
        table);
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
          py::arg("alpha") = 1.0, py::arg("metric") = "euclidean", py::arg("neighbors") = py::none(),
          py::arg("n_threads"),
          "Minimum spanning tree of points (n, d) float64 under the distance max(core_i, core_j, d_ij / alpha), d_ij "
          "alone where core_distances is None; of a KdTree, which has a metric, by Boruvka's algorithm: neighbors (n, "
          "k) int64 are what its k_nearest(None, k) gave, if that is known: (from, to, weights), n - 1 edges, "
          "ascending by (weight, distance, from, to), "
          "from < to. Among edges of one weight the shorter ones come into the tree, then those of lower (from, to).");
    m.def("reachability_tree", reachability_tree, py::arg("points"), py::arg("k"), py::kw_only(),
          py::arg("alpha") = 1.0, py::arg("metric") = "euclidean", py::arg("n_threads"),
          "(core_distances, from, to, weights): distances to the k-th nearest, the point itself the first, and the "
          "spanning_tree of points or of a KdTree with them.");
    m.def("spanning_tree_of_distances", spanning_tree_of_distances, py::arg("distances"),
          py::arg("core_distances").none(true), py::arg("alpha") = 1.0,
          "The same of a symmetric matrix of distances (n, n) float64, whose diagonal is not read.");
    m.def("reachability_tree_of_graph", reachability_tree_of_graph, py::arg("distances"), py::arg("k"), py::kw_only(),
          py::arg("alpha") = 1.0, py::arg("n_threads"),
          "reachability_tree of the CSR matrix (data, indices, indptr, shape) of distances, whose columns ascend: what "
          "is stored on one side counts for both, what is not stored is infinitely far, the diagonal is not read.");
}

} // namespace mlcore
