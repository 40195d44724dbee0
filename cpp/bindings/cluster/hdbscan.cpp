// HDBSCAN* from the single linkage tree on: the condensed tree, clusters, labels, predictions, centers.
#include "cluster/hdbscan/centers.hpp"
#include "cluster/hdbscan/cluster_tree.hpp"
#include "cluster/hdbscan/condensed_tree.hpp"
#include "cluster/hdbscan/cut.hpp"
#include "cluster/hdbscan/labels.hpp"
#include "cluster/hdbscan/membership.hpp"
#include "cluster/hdbscan/prediction.hpp"
#include "cluster/hdbscan/selection.hpp"

#include "bindings/cluster/cluster.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/points_arg.hpp"
#include "bindings/run_guard.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace cluster;
using namespace bindings;

std::span<const Merge> merges_arg(py::handle linkage) {
    const std::span<const double> values = rows_arg<double>("linkage", linkage, 4);
    const std::span<const Merge> merges(reinterpret_cast<const Merge*>(values.data()), values.size() / 4);
    static_assert(sizeof(Merge) == 4 * sizeof(double));
    check_merges(merges);
    return merges;
}

std::size_t size_arg(const char* name, std::int64_t size, std::int64_t least) {
    if (size < least) throw ValueError(std::string(name) + " must be at least " + std::to_string(least));
    return static_cast<std::size_t>(size);
}

double number_arg(const char* name, double value) {
    if (!(value >= 0)) throw ValueError(std::string(name) + " must not be negative or NaN");
    return value;
}

py::tuple py_condense(py::object linkage, std::int64_t min_cluster_size, double persistence) {
    const std::span<const Merge> merges = merges_arg(linkage);
    const std::size_t least = size_arg("min_cluster_size", min_cluster_size, 2);
    number_arg("persistence", persistence);
    CondensedTree tree = run(1, 0, [&](const RunContext&) {
        CondensedTree found = condense(merges, least);
        return persistence > 0 ? simplify(found, persistence) : found;
    });
    return py::make_tuple(to_numpy(std::move(tree.parent)), to_numpy(std::move(tree.child)),
                          to_numpy(std::move(tree.lambda)), to_numpy(std::move(tree.size)));
}

py::array_t<std::int64_t> py_labels_at_cut(py::object linkage, double distance, std::int64_t min_cluster_size) {
    const std::span<const Merge> merges = merges_arg(linkage);
    number_arg("distance", distance);
    const std::size_t least = size_arg("min_cluster_size", min_cluster_size, 1);
    return to_numpy(run(1, 0, [&](const RunContext&) { return labels_at_cut(merges, distance, least); }));
}

py::tuple py_nearest_reachable(py::object distances, py::object indices, py::object core_distances,
                               std::int64_t own_rank, double alpha, int n_threads) {
    const auto far = matrix_arg<double>("distances", distances);
    const auto who = matrix_arg<std::int64_t>("indices", indices, far.cols);
    if (who.rows != far.rows || far.cols == 0)
        throw ValueError("distances and indices must have the same shape (q, k)");
    const auto core = span_arg<double>("core_distances", core_distances);
    const std::size_t rank = size_arg("own_rank", own_rank, 0);
    if (rank > far.cols) throw ValueError("own_rank must be at most k");
    if (!(alpha > 0)) throw ValueError("alpha must be positive");
    Reachable found =
        run(n_threads, 0, [&](const RunContext& ctx) { return nearest_reachable(ctx, far, who, core, rank, alpha); });
    return py::make_tuple(to_numpy(std::move(found.points)), to_numpy(std::move(found.distances)),
                          to_numpy(std::move(found.is_certain)).attr("astype")("bool"));
}

/// A condensed tree that was checked, for as many questions as there are.
class PyTree {
  public:
    PyTree(py::object parent, py::object child, py::object lambda, py::object size, std::int64_t n_points) {
        CondensedView rows;
        rows.child = span_arg<std::int32_t>("child", child);
        rows.parent = span_arg<std::int32_t>("parent", parent, rows.child.size());
        rows.lambda = span_arg<double>("lambda", lambda, rows.child.size());
        rows.size = span_arg<std::int32_t>("size", size, rows.child.size());
        const std::size_t n = size_arg("n_points", n_points, 2);
        tree_ = run(1, 0, [&](const RunContext&) { return cluster_tree(rows, n); });
    }

    std::size_t n_points() const { return tree_.n_points(); }
    std::size_t n_clusters() const { return tree_.n_clusters(); }

    py::dict cluster_points(const std::string& method, double epsilon, std::int64_t max_size, bool allow_single) const {
        const Selection by{parse_selection_method(method), number_arg("epsilon", epsilon), max_size, allow_single};
        struct Found {
            std::vector<std::int32_t> selected;
            PointLabels points;
            std::vector<double> scores, persistence;
        };
        Found found = run(1, 0, [&](const RunContext&) {
            const LabelledTree labelled(tree_, select(tree_, by), epsilon);
            Found all{labelled.selected, label_points(labelled), outlier_scores(tree_), {}};
            all.persistence = persistence(labelled, all.points.labels);
            const auto& labels = all.points.labels;
            if (std::all_of(labels.begin(), labels.end(), [](std::int64_t label) { return label < 0; }))
                all.selected.clear(), all.persistence.clear(); // the root, of which no point is a member
            return all;
        });
        py::dict result;
        result["selected"] = to_numpy(std::move(found.selected));
        result["labels"] = to_numpy(std::move(found.points.labels));
        result["probabilities"] = to_numpy(std::move(found.points.probabilities));
        result["outlier_scores"] = to_numpy(std::move(found.scores));
        result["persistence"] = to_numpy(std::move(found.persistence));
        return result;
    }

    py::tuple exemplars_of(py::object selected) const {
        PointLists lists = exemplars(labelled(selected, 0));
        return py::make_tuple(to_numpy(std::move(lists.offsets)), to_numpy(std::move(lists.points)));
    }

    py::tuple predict(py::object selected, py::object neighbours, py::object distances, double epsilon,
                      int n_threads) const {
        const LabelledTree with = labelled(selected, epsilon);
        const auto who = span_arg<std::int64_t>("neighbours", neighbours);
        const auto far = span_arg<double>("distances", distances, who.size());
        auto [points, scores] = run(n_threads, 0, [&](const RunContext& ctx) {
            const Joined joined = join(ctx, tree_, who, far);
            return std::pair(label_joined(ctx, with, joined), score_joined(tree_, joined));
        });
        return py::make_tuple(to_numpy(std::move(points.labels)), to_numpy(std::move(points.probabilities)),
                              to_numpy(std::move(scores)));
    }

    /// Memberships of new points, or of those of the tree where neighbours is None.
    py::array_t<double> memberships_of(py::object selected, py::object neighbours, py::object distances,
                                       py::object exemplar_distances, int n_threads) const {
        const LabelledTree with = labelled(selected, 0);
        const std::size_t k = with.selected.size();
        const bool are_own = neighbours.is_none();
        const auto who = optional_span_arg<std::int64_t>("neighbours", neighbours);
        const auto far = are_own ? std::span<const double>{} : span_arg<double>("distances", distances, who.size());
        const std::size_t q = are_own ? tree_.n_points() : who.size();
        const auto given = rows_arg<double>("exemplar_distances", exemplar_distances, k, q);
        std::vector<double> values(given.begin(), given.end());
        run(n_threads, 0, [&](const RunContext& ctx) {
            const MatrixView<double> view = row_major(values.data(), q, k);
            if (are_own) return memberships(ctx, with, tree_.point_cluster, tree_.point_lambda, view);
            const Joined joined = join(ctx, tree_, who, far);
            memberships(ctx, with, joined.cluster, joined.lambda, view);
        });
        return to_numpy(std::move(values), {static_cast<py::ssize_t>(q), static_cast<py::ssize_t>(k)});
    }

  private:
    LabelledTree labelled(py::handle selected, double epsilon) const {
        number_arg("epsilon", epsilon);
        const auto given = span_arg<std::int32_t>("selected", selected);
        std::vector<std::int32_t> numbers(given.begin(), given.end());
        std::int32_t before = -1;
        for (const std::int32_t c : numbers) {
            if (c <= before || static_cast<std::size_t>(c) >= tree_.n_clusters())
                throw ValueError("selected clusters must be numbers of clusters, ascending");
            before = c;
        }
        std::vector<char> covered(tree_.n_clusters(), 0); // selected, or within such a one; parents come first
        for (const std::int32_t c : numbers) covered[static_cast<std::size_t>(c)] = 1;
        for (std::size_t c = 1; c < covered.size(); ++c) {
            if (!covered[static_cast<std::size_t>(tree_.parent[c])]) continue;
            if (covered[c]) throw ValueError("a selected cluster lies within another one");
            covered[c] = 1;
        }
        return {tree_, std::move(numbers), epsilon};
    }

    ClusterTree tree_;
};

py::array_t<double> py_centroids(py::object points, py::object labels, py::object weights, std::int64_t n_clusters,
                                 int n_threads) {
    const auto X = points_arg("points", points);
    const auto of = span_arg<std::int64_t>("labels", labels, X.rows);
    const auto w = span_arg<double>("weights", weights, X.rows);
    const std::size_t k = size_arg("n_clusters", n_clusters, 0);
    for (const std::int64_t label : of)
        if (label >= n_clusters) throw ValueError("labels must be below n_clusters");
    auto found = run(n_threads, 0, [&](const RunContext& ctx) { return centroids(ctx, X, members_of(of, k), w); });
    return to_numpy(std::move(found), {static_cast<py::ssize_t>(k), static_cast<py::ssize_t>(X.cols)});
}

py::array_t<std::int64_t> py_medoids(py::object points, py::object labels, py::object weights, std::int64_t n_clusters,
                                     const std::string& metric, int n_threads) {
    const auto X = points_arg("points", points);
    const auto of = span_arg<std::int64_t>("labels", labels, X.rows);
    const auto w = span_arg<double>("weights", weights, X.rows);
    const std::size_t k = size_arg("n_clusters", n_clusters, 0);
    for (const std::int64_t label : of)
        if (label >= n_clusters) throw ValueError("labels must be below n_clusters");
    const auto by = neighbors::parse_metric(metric);
    return to_numpy(
        run(n_threads, 0, [&](const RunContext& ctx) { return medoids(ctx, X, members_of(of, k), w, by); }));
}

py::array_t<double> py_nearest_of_lists(py::object queries, py::object points, py::object offsets, py::object members,
                                        const std::string& metric, int n_threads) {
    const auto X = points_arg("points", points);
    const auto Q = points_arg("queries", queries, X.cols);
    const auto cuts = span_arg<std::int64_t>("offsets", offsets);
    const auto who = span_arg<std::int64_t>("members", members);
    if (cuts.empty() || cuts.front() != 0 || cuts.back() != static_cast<std::int64_t>(who.size()) ||
        !std::is_sorted(cuts.begin(), cuts.end()))
        throw ValueError("offsets must go from 0 to the number of members");
    for (const std::int64_t i : who)
        if (i < 0 || static_cast<std::size_t>(i) >= X.rows) throw ValueError("members must be rows of points");
    const PointLists lists{{cuts.begin(), cuts.end()}, {who.begin(), who.end()}};
    const auto by = neighbors::parse_metric(metric);
    auto found = run(n_threads, 0, [&](const RunContext& ctx) { return nearest_of_lists(ctx, Q, X, lists, by); });
    return to_numpy(std::move(found), {static_cast<py::ssize_t>(Q.rows), static_cast<py::ssize_t>(cuts.size() - 1)});
}

} // namespace

void register_hdbscan(pybind11::module_& m) {
    using namespace pybind11::literals;
    m.def("condense", &py_condense, "linkage"_a, "min_cluster_size"_a, py::kw_only(), "persistence"_a);
    m.def("labels_at_cut", &py_labels_at_cut, "linkage"_a, "distance"_a, "min_cluster_size"_a);
    m.def("nearest_reachable", &py_nearest_reachable, "distances"_a, "indices"_a, "core_distances"_a, py::kw_only(),
          "own_rank"_a, "alpha"_a, "n_threads"_a);
    m.def("centroids", &py_centroids, "points"_a, "labels"_a, "weights"_a, "n_clusters"_a, py::kw_only(),
          "n_threads"_a);
    m.def("medoids", &py_medoids, "points"_a, "labels"_a, "weights"_a, "n_clusters"_a, py::kw_only(), "metric"_a,
          "n_threads"_a);
    m.def("nearest_of_lists", &py_nearest_of_lists, "queries"_a, "points"_a, "offsets"_a, "members"_a, py::kw_only(),
          "metric"_a, "n_threads"_a);
    py::class_<PyTree>(m, "CondensedTree")
        .def(py::init<py::object, py::object, py::object, py::object, std::int64_t>(), "parent"_a, "child"_a,
             "lambda_val"_a, "child_size"_a, "n_points"_a)
        .def_property_readonly("n_points", &PyTree::n_points)
        .def_property_readonly("n_clusters", &PyTree::n_clusters)
        .def("cluster_points", &PyTree::cluster_points, py::kw_only(), "method"_a, "epsilon"_a, "max_size"_a,
             "allow_single"_a)
        .def("exemplars", &PyTree::exemplars_of, "selected"_a)
        .def("predict", &PyTree::predict, "selected"_a, "neighbours"_a, "distances"_a, py::kw_only(), "epsilon"_a,
             "n_threads"_a)
        .def("memberships", &PyTree::memberships_of, "selected"_a, "neighbours"_a, "distances"_a,
             "exemplar_distances"_a, py::kw_only(), "n_threads"_a);
}

} // namespace mlcore
