// Metrics of labels. `count_labels` reads both columns and counts; what it returns answers all metrics.
#include "bindings/metrics/label_args.hpp"
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "metrics/labels/counts.hpp"
#include "metrics/labels/scores.hpp"

#include <cmath>

namespace mlcore {
namespace {

using namespace metrics;
using namespace bindings;

py::array label_array(const std::vector<std::int64_t>& labels, char kind) {
    const auto n = static_cast<py::ssize_t>(labels.size());
    if (kind == 'b') {
        py::array_t<bool> out(n);
        std::copy(labels.begin(), labels.end(), out.mutable_data());
        return out;
    }
    if (kind == 'f') {
        py::array_t<double> out(n);
        std::copy(labels.begin(), labels.end(), out.mutable_data());
        return out;
    }
    return py::array_t<std::int64_t>(n, labels.data());
}

/// What two columns of labels say, and what keeps the weights alive.
struct Counted {
    LabelCounts counts;
    std::vector<std::u32string> strings; // the labels, where they are strings
    std::size_t n_rows = 0;
    char kind = 'i';               // b, i, f or U: the type of all labels together
    py::object names = py::none(); // an array of labels where the columns hold positions in it
    double weight_sum = 0;
    py::object weight_owner;
    std::span<const double> weight;

    std::size_t n_labels() const { return counts.labels.size(); }

    /// Whether counts are whole numbers to scikit-learn: without weights, and if some prediction is right.
    bool whole() const { return weight.empty() && counts.any_hit; }

    py::object classes() const {
        if (!names.is_none()) return names.attr("take")(label_array(counts.labels, 'i'));
        return kind == 'U' ? to_string_array(strings) : label_array(counts.labels, kind);
    }

    /// Position of a label, -1 if it does not occur.
    std::int64_t position(py::handle label) const {
        if (label.is_none()) return -1;
        if (!names.is_none()) {
            const py::list found = classes().attr("tolist")();
            for (std::size_t k = 0; k < found.size(); ++k)
                if (py::object(found[k]).equal(py::reinterpret_borrow<py::object>(label)))
                    return static_cast<std::int64_t>(k);
            return -1;
        }
        if (kind == 'U') {
            if (!PyUnicode_Check(label.ptr())) return -1;
            const std::u32string text = characters(label);
            const auto at = std::lower_bound(strings.begin(), strings.end(), text);
            return at != strings.end() && *at == text ? at - strings.begin() : -1;
        }
        if (PyUnicode_Check(label.ptr()) || PyBytes_Check(label.ptr())) return -1;
        const double value = PyFloat_AsDouble(label.ptr());
        if (PyErr_Occurred()) throw py::error_already_set();
        for (std::size_t k = 0; k < counts.labels.size(); ++k)
            if (static_cast<double>(counts.labels[k]) == value) return static_cast<std::int64_t>(k);
        return -1;
    }

    double hit_sum() const { return numpy_sum(counts.hits.data(), counts.hits.size()); }
    double true_sum() const { return numpy_sum(counts.true_sums.data(), counts.true_sums.size()); }

    py::array_t<double> matrix() const {
        const auto k = static_cast<py::ssize_t>(n_labels());
        py::array_t<double> out({k, k});
        confusion(counts, weight, out.mutable_data());
        return out;
    }
};

/// The kind of all labels together, as numpy.asarray makes one array of the distinct ones: a label that both columns
/// hold is of the kind of y_true.
char joint_kind(const LabelCounts& counts, char of_true, char of_predicted) {
    bool any_true = false, any_other = false;
    for (const auto occurs : counts.occurs) (occurs ? any_true : any_other) = true;
    if (!any_other || of_true == of_predicted) return of_true;
    if (!any_true) return of_predicted;
    if (of_true == 'f' || of_predicted == 'f') return 'f';
    return 'i';
}

/// Nothing if the columns are declined. With names, they hold positions in this sorted array.
std::optional<Counted> py_count_labels(py::object y_true, py::object y_pred, py::object sample_weight,
                                       py::object names) {
    auto t = read_labels(y_true), p = read_labels(y_pred);
    if (!t || !p || t->size() != p->size() || t->size() == 0 || (t->kind == 'U') != (p->kind == 'U'))
        return std::nullopt;
    const std::size_t n = t->size();
    const auto weight = read_weights(sample_weight, n);
    if (!weight) return std::nullopt;

    Counted result;
    result.n_rows = n;
    result.names = names;
    result.weight_owner = sample_weight;
    result.weight = *weight;
    const bool complete = run(metric_threads(n), 0, [&](const RunContext& ctx) {
        result.weight_sum = weight->empty() ? static_cast<double>(n) : weight_sum(ctx, *weight);
        if (t->kind != 'U') {
            auto counts =
                count_numbers(ctx, std::get<LabelColumn>(t->column), std::get<LabelColumn>(p->column), *weight);
            if (!counts) return false;
            result.counts = std::move(*counts);
            return true;
        }
        auto a = std::get<Encoded<std::u32string>>(*encode(ctx, *t));
        auto b = std::get<Encoded<std::u32string>>(*encode(ctx, *p));
        result.strings = unite(ctx, a, b);
        result.counts = count_codes(ctx, std::move(a.codes), std::move(b.codes), result.strings.size(), *weight);
        return true;
    });
    if (!complete) return std::nullopt;
    result.kind = t->kind == 'U' ? 'U' : joint_kind(result.counts, t->kind, p->kind);
    return result;
}

/// (classes, codes) of one column, or None if it is declined.
py::object py_encode_labels(py::object y) {
    auto labels = read_labels(y);
    if (!labels) return py::none();
    auto encoded = run(metric_threads(labels->size()), 0, [&](const RunContext& ctx) { return encode(ctx, *labels); });
    if (!encoded) return py::none();
    return std::visit(
        [&](auto& e) -> py::object {
            py::array classes;
            if constexpr (requires { e.labels[0].size(); })
                classes = to_string_array(e.labels);
            else
                classes = label_array(e.labels, labels->kind);
            return py::make_tuple(classes, to_numpy(std::move(e.codes)).view("int32"));
        },
        *encoded);
}

Average average_arg(py::handle average) {
    if (average.is_none()) return Average::none;
    return choose<Average>("average", average.cast<std::string>(),
                           {{"micro", Average::micro},
                            {"macro", Average::macro},
                            {"weighted", Average::weighted},
                            {"samples", Average::samples}});
}

/// (precision, recall, f, jaccard, undefined): floats where there is an average, else arrays; undefined tells which of
/// the four were 0 / 0 somewhere, as bits 1, 2, 4 and 8.
py::tuple scores_tuple(Scores&& scores, bool averaged) {
    const int undefined = scores.precision_undefined + 2 * scores.recall_undefined + 4 * scores.f_undefined +
                          8 * scores.jaccard_undefined;
    const auto figure = [&](std::vector<double>& values) -> py::object {
        if (averaged) return py::float_(values[0]);
        return to_numpy(std::move(values));
    };
    return py::make_tuple(figure(scores.precision), figure(scores.recall), figure(scores.f), figure(scores.jaccard),
                          undefined);
}

std::vector<double> selected(const std::vector<double>& values, std::span<const std::int64_t> positions) {
    std::vector<double> out;
    for (const std::int64_t at : positions) {
        if (at < -1 || at >= static_cast<std::int64_t>(values.size())) throw ValueError("positions are out of range");
        out.push_back(at < 0 ? 0.0 : values[static_cast<std::size_t>(at)]);
    }
    return out;
}

/// positions: None for all labels, an int for one alone, or an array; -1 stands for a label that does not occur.
py::tuple py_scores(const Counted& self, py::object positions, py::object average, double beta, double zero_division) {
    const ScoreOptions options{average_arg(average), beta, zero_division};
    const LabelCounts& c = self.counts;
    if (positions.is_none())
        return scores_tuple(label_scores(c.true_sums, c.predicted_sums, c.hits, {}, options), !average.is_none());
    std::int64_t one = 0;
    std::span<const std::int64_t> at(&one, 1);
    if (PyLong_CheckExact(positions.ptr()))
        one = positions.cast<std::int64_t>();
    else
        at = span_arg<std::int64_t>("positions", positions);
    return scores_tuple(
        label_scores(selected(c.true_sums, at), selected(c.predicted_sums, at), selected(c.hits, at), {}, options),
        !average.is_none());
}

/// The same from counts made elsewhere: of rows or columns of indicator matrices.
py::tuple py_scores_of(py::object true_sums, py::object predicted_sums, py::object hits, py::object row_weight,
                       py::object average, double beta, double zero_division) {
    const auto tp = span_arg<double>("hits", hits);
    return scores_tuple(label_scores(span_arg<double>("true_sums", true_sums, tp.size()),
                                     span_arg<double>("predicted_sums", predicted_sums, tp.size()), tp,
                                     optional_span_arg<double>("row_weight", row_weight, tp.size()),
                                     {average_arg(average), beta, zero_division}),
                        !average.is_none());
}

double py_matthews(const Counted& self) {
    return matthews(self.counts.true_sums, self.counts.predicted_sums, self.counts.hits);
}

/// (disagreement, expected, total)
py::tuple disagreement_tuple(const Disagreement& d) { return py::make_tuple(d.disagreement, d.expected, d.total); }

py::tuple py_disagreement(const Counted& self, py::object weights) {
    const LabelCounts& c = self.counts;
    if (weights.is_none()) return disagreement_tuple(disagreement(c.true_sums, c.predicted_sums, c.hits));
    const bool quadratic = weights.cast<std::string>() == "quadratic";
    if (!c.cells.empty()) return disagreement_tuple(weighted_disagreement(c.cells.data(), self.n_labels(), quadratic));
    return disagreement_tuple(weighted_disagreement(self.matrix().data(), self.n_labels(), quadratic));
}

py::tuple py_disagreement_of(py::object confusion_matrix, py::object weights) {
    const auto C = matrix_arg<double>("confusion_matrix", confusion_matrix);
    const std::size_t k = C.rows;
    const auto cells = rows_arg<double>("confusion_matrix", confusion_matrix, k, k);
    if (!weights.is_none())
        return disagreement_tuple(weighted_disagreement(cells.data(), k, weights.cast<std::string>() == "quadratic"));
    std::vector<double> true_sums(k, 0.0), predicted_sums(k, 0.0), hits(k);
    for (std::size_t i = 0; i < k; ++i) {
        hits[i] = cells[i * k + i];
        for (std::size_t j = 0; j < k; ++j) {
            true_sums[i] += cells[i * k + j];
            predicted_sums[j] += cells[i * k + j];
        }
    }
    return disagreement_tuple(disagreement(true_sums, predicted_sums, hits));
}

/// Recall of each label that occurs, averaged: (score, labels averaged, labels in all).
py::tuple py_balanced(const Counted& self) {
    std::vector<double> recall;
    for (std::size_t i = 0; i < self.n_labels(); ++i) {
        const double share = self.counts.hits[i] / self.counts.true_sums[i];
        if (!std::isnan(share)) recall.push_back(share);
    }
    const double score = numpy_sum(recall.data(), recall.size()) / static_cast<double>(recall.size());
    return py::make_tuple(score, recall.size(), self.n_labels());
}

py::array_t<double> copy_of(const std::vector<double>& values) {
    return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

} // namespace

void register_metrics_labels(py::module_& m) {
    using namespace py::literals;
    py::class_<Counted>(m, "LabelCounts", "How often each label occurs, is predicted, and both.")
        .def_readonly("n_rows", &Counted::n_rows)
        .def_property_readonly("n_labels", &Counted::n_labels)
        .def_property_readonly("whole", &Counted::whole)
        .def_readonly("weight_sum", &Counted::weight_sum)
        .def_property_readonly("weighted", [](const Counted& c) { return !c.weight.empty(); })
        .def_property_readonly("hit_sum", &Counted::hit_sum)
        .def_property_readonly("true_sum", &Counted::true_sum)
        .def_property_readonly("classes", &Counted::classes)
        .def_property_readonly("true_sums", [](const Counted& c) { return copy_of(c.counts.true_sums); })
        .def_property_readonly("predicted_sums", [](const Counted& c) { return copy_of(c.counts.predicted_sums); })
        .def_property_readonly("hits", [](const Counted& c) { return copy_of(c.counts.hits); })
        .def(
            "occurs",
            [](const Counted& c, std::size_t k) { return k < c.counts.occurs.size() && c.counts.occurs[k] != 0; },
            "position"_a)
        .def("position", &Counted::position, "label"_a)
        .def("matrix", &Counted::matrix)
        .def("scores", py_scores, "positions"_a, "average"_a, "beta"_a, "zero_division"_a)
        .def("matthews", py_matthews)
        .def("balanced", py_balanced)
        .def("disagreement", py_disagreement, "weights"_a);
    m.def("count_labels", py_count_labels, "y_true"_a, "y_pred"_a, "sample_weight"_a, "names"_a = py::none());
    m.def("encode_labels", py_encode_labels, "y"_a);
    m.def("scores_of", py_scores_of, "true_sums"_a, "predicted_sums"_a, "hits"_a, "row_weight"_a, "average"_a, "beta"_a,
          "zero_division"_a);
    m.def("disagreement_of", py_disagreement_of, "confusion_matrix"_a, "weights"_a);
}

} // namespace mlcore
