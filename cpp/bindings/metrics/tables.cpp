// Metrics of tables of scores: a column for each class or label, or a row for each query.
#include "bindings/metrics/metrics.hpp"
#include "bindings/metrics/score_args.hpp"
#include "core/choice.hpp"
#include "metrics/ranking/discounted_gain.hpp"
#include "metrics/ranking/label_ranking.hpp"
#include "metrics/ranking/probability_bins.hpp"
#include "metrics/ranking/score_columns.hpp"
#include "metrics/ranking/table_rows.hpp"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace metrics;

template <class A, class B>
void check_same_shape(MatrixView<A> y_true, MatrixView<B> y_score) {
    if (y_true.rows != y_score.rows || y_true.cols != y_score.cols)
        throw ValueError("y_true and y_score must have the same shape, got " + std::to_string(y_true.rows) + " x " +
                         std::to_string(y_true.cols) + " and " + std::to_string(y_score.rows) + " x " +
                         std::to_string(y_score.cols));
    if (y_true.rows == 0) throw ValueError("y_true and y_score must hold at least one row, got none");
}

VectorView<const double> optional_weights(py::handle object, std::size_t n) {
    if (object.is_none()) return {};
    const auto view = vector_arg<double>("sample_weight", object);
    bindings::detail::check_length("sample_weight", view.size, n);
    return view;
}

ColumnMetric parse_column_metric(const std::string& name) {
    return choose<ColumnMetric>(
        "metric", name, {{"roc_auc", ColumnMetric::roc_auc}, {"average_precision", ColumnMetric::average_precision}});
}

/// (values, weights of positive rows, weights of negative rows), or None where the scores of a column have no keys.
py::object give_columns(const ColumnAreas& areas) {
    if (areas.state == ScoreState::not_finite) not_finite();
    if (areas.state == ScoreState::too_wide) return py::none();
    std::vector<double> values, positive, negative;
    for (const Area& area : areas.columns) {
        values.push_back(area.descends ? std::numeric_limits<double>::quiet_NaN() : area.value);
        positive.push_back(area.totals.positive);
        negative.push_back(area.totals.negative);
    }
    return py::make_tuple(to_numpy(std::move(values)), to_numpy(std::move(positive)), to_numpy(std::move(negative)));
}

/// f(matrix) for a table of float64 or float32.
template <class F>
auto with_scores(py::handle y_score, F&& f) {
    if (bindings::detail::array_of<float>(y_score)) return f(matrix_arg<float>("y_score", y_score));
    return f(matrix_arg<double>("y_score", y_score));
}

py::object column_areas(const std::string& metric_name, py::handle y_true, py::handle y_score, py::handle sample_weight,
                        int n_threads) {
    const ColumnMetric metric = parse_column_metric(metric_name);
    const auto labels = matrix_arg<std::uint8_t>("y_true", y_true);
    const auto weights = weights_arg(sample_weight, labels.rows);
    return with_scores(y_score, [&]<class T>(MatrixView<const T> scores) {
        check_same_shape(labels, scores);
        return give_columns(run(n_threads, 0, [&](const RunContext& ctx) {
            if (scores.cols_contiguous()) return areas_of_columns(ctx, metric, scores, labels, weights);
            const auto columns = columns_of(ctx, scores);
            const MatrixView<const T> view{columns.data(), scores.rows, scores.cols, 1,
                                           static_cast<std::ptrdiff_t>(scores.rows)};
            return areas_of_columns(ctx, metric, view, labels, weights);
        }));
    });
}

/// Classes as numbers of columns; checked.
VectorView<const std::int32_t> classes_arg(py::handle object, std::size_t rows, std::size_t n_classes) {
    const auto classes = vector_arg<std::int32_t>("classes", object, rows);
    for (std::size_t i = 0; i < rows; ++i)
        if (classes[i] < 0 || static_cast<std::size_t>(classes[i]) >= n_classes)
            throw ValueError("classes must be numbers of columns of y_score");
    return classes;
}

void check_probabilities(bool sum_to_one) {
    if (!sum_to_one)
        throw ValueError("y_score must hold probabilities for multiclass roc_auc: each row must sum up to 1 over the "
                         "classes");
}

py::object class_areas(const std::string& metric_name, py::handle classes, py::handle y_score, py::handle sample_weight,
                       bool probabilities, int n_threads) {
    const ColumnMetric metric = parse_column_metric(metric_name);
    return with_scores(y_score, [&]<class T>(MatrixView<const T> scores) {
        const auto codes = classes_arg(classes, scores.rows, scores.cols);
        const auto weights = weights_arg(sample_weight, scores.rows);
        bool sum_to_one = true;
        const auto areas = run(n_threads, 0, [&](const RunContext& ctx) {
            const auto columns = columns_of(ctx, scores, &sum_to_one);
            if (probabilities && !sum_to_one) return ColumnAreas{};
            return areas_of_classes(ctx, metric, columns.data(), scores.cols, codes, weights);
        });
        if (areas.state == ScoreState::not_finite) not_finite();
        check_probabilities(sum_to_one || !probabilities);
        return give_columns(areas);
    });
}

py::array_t<double> pair_areas(py::handle classes, py::handle y_score, int n_threads) {
    return with_scores(y_score, [&]<class T>(MatrixView<const T> scores) {
        const auto codes = classes_arg(classes, scores.rows, scores.cols);
        bool sum_to_one = true, finite = true;
        Buffer<double> out(scores.cols * scores.cols);
        run(n_threads, 0, [&](const RunContext& ctx) {
            const auto columns = columns_of(ctx, scores, &sum_to_one);
            finite = !sum_to_one || areas_of_pairs(ctx, columns.data(), scores.cols, codes, out.data());
        });
        check_probabilities(sum_to_one);
        if (!finite) not_finite();
        return rows_to_numpy(std::move(out), scores.cols);
    });
}

double mean_gain(py::handle y_true, py::handle y_score, py::handle discount, bool ignore_ties, bool normalized,
                 py::handle sample_weight, int n_threads) {
    const auto gains = matrix_arg<double>("y_true", y_true), scores = matrix_arg<double>("y_score", y_score);
    check_same_shape(gains, scores);
    const auto weights = optional_weights(sample_weight, gains.rows);
    const GainOptions options{span_arg<double>("discount", discount), ignore_ties, normalized};
    if (options.discount.empty() || options.discount.size() > gains.cols)
        throw ValueError("discount must have 1 to n_labels entries");
    Scratch<double> of_row(gains.rows);
    const GainState state = run(n_threads, 0, [&](const RunContext& ctx) {
        return discounted_gains(ctx, gains, scores, options, of_row.data());
    });
    if (!state.finite) throw ValueError("y_true or y_score contains NaN or infinity");
    if (normalized && state.negative) throw ValueError("y_true of ndcg_score must not be negative");
    return mean_of_rows(of_row.data(), gains.rows, weights);
}

double label_ranking(const std::string& metric_name, py::handle y_true, py::handle y_score, py::handle sample_weight,
                     int n_threads) {
    const auto metric = choose<LabelRanking>("metric", metric_name,
                                             {{"average_precision", LabelRanking::average_precision},
                                              {"loss", LabelRanking::loss},
                                              {"coverage", LabelRanking::coverage}});
    const auto labels = matrix_arg<std::uint8_t>("y_true", y_true);
    const auto scores = matrix_arg<double>("y_score", y_score);
    check_same_shape(labels, scores);
    const auto weights = optional_weights(sample_weight, labels.rows);
    Scratch<double> of_row(labels.rows);
    if (!run(n_threads, 0,
             [&](const RunContext& ctx) { return rank_labels(ctx, metric, labels, scores, of_row.data()); }))
        not_finite();
    return mean_of_rows(of_row.data(), labels.rows, weights);
}

py::array_t<std::int64_t> class_places(py::handle classes, py::handle y_score, int n_threads) {
    const auto scores = matrix_arg<double>("y_score", y_score);
    const auto codes = classes_arg(classes, scores.rows, scores.cols);
    Buffer<std::int64_t> out(scores.rows);
    if (!run(n_threads, 0, [&](const RunContext& ctx) { return places_of(ctx, codes, scores, out.data()); }))
        not_finite();
    return to_numpy(std::move(out));
}

py::array_t<double> first_ranks(py::handle y_true, py::handle y_score, const std::string& ties, int n_threads) {
    const auto tied = choose<TiedRank>(
        "ties", ties, {{"best", TiedRank::best}, {"average", TiedRank::average}, {"worst", TiedRank::worst}});
    const auto labels = matrix_arg<std::uint8_t>("y_true", y_true);
    const auto scores = matrix_arg<double>("y_score", y_score);
    check_same_shape(labels, scores);
    Buffer<double> out(labels.rows);
    if (!run(n_threads, 0,
             [&](const RunContext& ctx) { return first_relevant_ranks(ctx, labels, scores, tied, out.data()); }))
        not_finite();
    return to_numpy(std::move(out));
}

py::array_t<double> probability_bins(py::handle came_true, py::handle probability, py::handle inner_edges,
                                     int n_threads) {
    const auto truth = span_arg<std::uint8_t>("came_true", came_true);
    const auto p = vector_arg<double>("probability", probability, truth.size());
    const auto edges = span_arg<double>("inner_edges", inner_edges);
    Buffer<double> out(3 * (edges.size() + 1));
    run(n_threads, 0, [&](const RunContext& ctx) { fill_bins(ctx, p, truth.data(), edges, out.span()); });
    return rows_to_numpy(std::move(out), 3);
}

} // namespace

void register_metrics_tables(pybind11::module_& m) {
    using py::arg;
    m.def("column_areas", column_areas, arg("metric"), arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("n_threads"));
    m.def("class_areas", class_areas, arg("metric"), arg("classes"), arg("y_score"), arg("sample_weight"),
          arg("probabilities"), arg("n_threads"));
    m.def("pair_areas", pair_areas, arg("classes"), arg("y_score"), arg("n_threads"));
    m.def("mean_gain", mean_gain, arg("y_true"), arg("y_score"), arg("discount"), arg("ignore_ties"), arg("normalized"),
          arg("sample_weight"), arg("n_threads"));
    m.def("label_ranking", label_ranking, arg("metric"), arg("y_true"), arg("y_score"), arg("sample_weight"),
          arg("n_threads"));
    m.def("class_places", class_places, arg("classes"), arg("y_score"), arg("n_threads"));
    m.def("first_ranks", first_ranks, arg("y_true"), arg("y_score"), arg("ties"), arg("n_threads"));
    m.def("probability_bins", probability_bins, arg("came_true"), arg("probability"), arg("inner_edges"),
          arg("n_threads"));
}

} // namespace mlcore
