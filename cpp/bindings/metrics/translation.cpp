// Metrics of translations.
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "bindings/text/characters.hpp"
#include "core/choice.hpp"
#include "metrics/translation/bleu.hpp"
#include "metrics/translation/bootstrap.hpp"
#include "metrics/translation/chrf.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace metrics;

py::object checked(PyObject* result) {
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

/// None, or what is not equal to itself: NaN and what pandas and polars have for it.
bool stands_for_nothing(py::handle item) {
    if (item.is_none()) return true;
    const py::object differs = checked(PyObject_RichCompare(item.ptr(), item.ptr(), Py_NE));
    const int truth = PyObject_IsTrue(differs.ptr());
    if (truth >= 0) return truth == 1;
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
    PyErr_Clear(); // pandas' NA has no truth value
    return true;
}

/// Hypotheses and references in place. Holds references to the str, because other threads may change the lists.
class TextsOfSegments {
  public:
    TextsOfSegments(const py::list& hypotheses, const py::list& references, bool lowercase) : lowercase_(lowercase) {
        hypotheses_ = read("hypotheses", hypotheses, hypotheses.size(), false);
        std::size_t number = 0;
        for (const py::handle stream : references) {
            const std::string name = "references[" + std::to_string(number++) + "]";
            if (!py::isinstance<py::list>(stream)) throw TypeError(name + " must be a list, got " + describe(stream));
            references_.push_back(read(name, py::reinterpret_borrow<py::list>(stream), hypotheses_.size(), true));
        }
        count_references();
    }

    Segments segments() const { return {hypotheses_, references_, n_characters_}; }
    int width() const { return width_; }
    /// References to the segments with the fewest and the most of them.
    std::size_t fewest() const { return fewest_; }
    std::size_t most() const { return most_; }
    /// Hypotheses that end in " .", as they do where somebody has divided them into tokens.
    std::size_t n_tokenized() const { return n_tokenized_; }

  private:
    std::vector<text::Document> read(const std::string& name, const py::list& list, std::size_t size,
                                     bool may_be_missing) {
        std::vector<text::Document> documents;
        documents.reserve(size);
        held_.reserve(held_.size() + size);
        // The size is asked for again and again: str.lower() and comparisons of others may run meanwhile.
        for (std::size_t i = 0; i < list.size(); ++i) {
            auto item = py::reinterpret_borrow<py::object>(PyList_GET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i)));
            if (!PyUnicode_Check(item.ptr())) {
                if (!may_be_missing || !stands_for_nothing(item)) wrong_item(name, i, may_be_missing, item);
                documents.emplace_back();
                continue;
            }
            if (!may_be_missing) n_tokenized_ += ends_in_tokenized_stop(document_of(item));
            if (lowercase_) {
                item = checked(PyObject_CallMethodNoArgs(item.ptr(), lower_.ptr()));
                if (!PyUnicode_Check(item.ptr())) wrong_item(name, i, may_be_missing, item);
            }
            const text::Document document = document_of(item);
            width_ = std::max(width_, document.width);
            n_characters_ += document.size;
            documents.push_back(document);
            held_.push_back(std::move(item));
        }
        if (documents.size() != size)
            throw ValueError(name + " must hold " + std::to_string(size) + " texts, one a hypothesis, got " +
                             std::to_string(documents.size()));
        return documents;
    }

    [[noreturn]] static void wrong_item(const std::string& name, std::size_t i, bool may_be_missing, py::handle item) {
        throw TypeError(name + "[" + std::to_string(i) + "] must be a str" + (may_be_missing ? " or None" : "") +
                        ", got " + describe(item));
    }

    static bool ends_in_tokenized_stop(const text::Document& document) {
        return document.size >= 2 && document[document.size - 1] == U'.' && document[document.size - 2] == U' ';
    }

    void count_references() {
        fewest_ = references_.size();
        for (std::size_t i = 0; i < hypotheses_.size(); ++i) {
            const auto there = static_cast<std::size_t>(std::count_if(
                references_.begin(), references_.end(), [&](const auto& stream) { return !is_missing(stream[i]); }));
            if (there == 0) throw ValueError("hypothesis " + std::to_string(i) + " has no reference");
            fewest_ = std::min(fewest_, there);
            most_ = std::max(most_, there);
        }
    }

    const bool lowercase_;
    const py::str lower_{"lower"};
    std::vector<py::object> held_;
    std::vector<text::Document> hypotheses_;
    std::vector<std::vector<text::Document>> references_;
    std::size_t n_characters_ = 0, fewest_ = 0, most_ = 0, n_tokenized_ = 0;
    int width_ = 1;
};

std::size_t order_arg(const char* name, int order, int least) {
    constexpr int most = 100;
    if (order < least || order > most)
        throw ValueError(std::string(name) + " must be an int from " + std::to_string(least) + " to " +
                         std::to_string(most) + ", got " + std::to_string(order));
    return static_cast<std::size_t>(order);
}

/// Rows of statistics, or the one row of their sums.
py::object rows_or_sums(std::vector<std::int64_t>&& statistics, std::size_t columns, bool sums) {
    if (!sums) return rows_to_numpy(std::move(statistics), columns);
    std::vector<std::int64_t> total(columns);
    for (std::size_t i = 0; i < statistics.size(); i += columns)
        for (std::size_t c = 0; c < columns; ++c) total[c] += statistics[i + c];
    py::list list;
    for (const std::int64_t value : total) list.append(value);
    return list;
}

py::tuple bleu_statistics_of(const py::list& hypotheses, const py::list& references, const std::string& tokenize,
                             bool lowercase, int max_ngram_order, bool sums, int n_threads) {
    const auto tokenization = choose<Tokenization>("tokenize", tokenize,
                                                   {{"13a", Tokenization::v13a},
                                                    {"intl", Tokenization::intl},
                                                    {"zh", Tokenization::zh},
                                                    {"char", Tokenization::character},
                                                    {"none", Tokenization::none}});
    const std::size_t max_order = order_arg("max_ngram_order", max_ngram_order, 1);
    const TextsOfSegments texts(hypotheses, references, lowercase);
    const TokenClasses classes(tokenization, tokenization == Tokenization::intl
                                                 ? &character_table(texts.width(), Facts::categories)
                                                 : nullptr);
    auto statistics = run(n_threads, 0, [&](const RunContext& ctx) {
        return bleu_statistics(ctx, texts.segments(), classes, max_order);
    });
    return py::make_tuple(rows_or_sums(std::move(statistics), bleu_columns(max_order), sums), texts.fewest(),
                          texts.most(), texts.n_tokenized());
}

ChrfOptions chrf_options(int char_order, int word_order, double beta, bool whitespace, bool eps_smoothing) {
    const ChrfOptions options{order_arg("char_order", char_order, 0), order_arg("word_order", word_order, 0), beta,
                              whitespace, eps_smoothing};
    if (options.columns() == 0) throw ValueError("char_order and word_order must not both be 0");
    if (!std::isfinite(beta) || beta < 0) throw ValueError("beta must be finite and not negative");
    return options;
}

py::tuple chrf_statistics_of(const py::list& hypotheses, const py::list& references, bool lowercase, int char_order,
                             int word_order, double beta, bool whitespace, bool eps_smoothing, bool sums,
                             int n_threads) {
    const ChrfOptions options = chrf_options(char_order, word_order, beta, whitespace, eps_smoothing);
    const TextsOfSegments texts(hypotheses, references, lowercase);
    auto statistics =
        run(n_threads, 0, [&](const RunContext& ctx) { return chrf_statistics(ctx, texts.segments(), options); });
    return py::make_tuple(rows_or_sums(std::move(statistics), options.columns(), sums), texts.fewest(), texts.most());
}

BleuOptions bleu_options(const std::string& smooth_method, double smooth_value, bool effective_order) {
    return {choose<Smoothing>("smooth_method", smooth_method,
                              {{"exp", Smoothing::exp},
                               {"floor", Smoothing::floor},
                               {"add-k", Smoothing::add_k},
                               {"none", Smoothing::none}}),
            smooth_value, effective_order};
}

py::tuple bleu_score_of(const std::vector<std::int64_t>& sums, const std::string& smooth_method, double smooth_value,
                        bool effective_order) {
    if (sums.size() < 4 || sums.size() % 2 != 0) throw ValueError("sums must be those of bleu_statistics");
    const BleuScore score = bleu_score(sums, bleu_options(smooth_method, smooth_value, effective_order));
    py::list precisions;
    for (const double precision : score.precisions) precisions.append(precision);
    return py::make_tuple(score.score, precisions, score.brevity_penalty);
}

/// score(row) of each row of a 2-D array of int64.
template <class F>
py::array_t<double> scores_of_rows(py::handle sums, F&& score) {
    const MatrixView<const std::int64_t> rows = matrix_arg<std::int64_t>("sums", sums);
    std::vector<double> scores(rows.rows);
    std::vector<std::int64_t> row(rows.cols);
    for (std::size_t i = 0; i < rows.rows; ++i) {
        for (std::size_t c = 0; c < rows.cols; ++c) row[c] = rows(i, c);
        scores[i] = score(row);
    }
    return to_numpy(std::move(scores));
}

py::array_t<double> bleu_scores_of(py::handle sums, const std::string& smooth_method, double smooth_value,
                                   bool effective_order) {
    const BleuOptions options = bleu_options(smooth_method, smooth_value, effective_order);
    return scores_of_rows(sums, [&](std::span<const std::int64_t> row) {
        if (row.size() < 4 || row.size() % 2 != 0) throw ValueError("sums must be those of bleu_statistics");
        return bleu_score(row, options).score;
    });
}

py::array_t<double> chrf_scores_of(py::handle sums, int char_order, int word_order, double beta, bool whitespace,
                                   bool eps_smoothing) {
    const ChrfOptions options = chrf_options(char_order, word_order, beta, whitespace, eps_smoothing);
    return scores_of_rows(sums, [&](std::span<const std::int64_t> row) {
        if (row.size() != options.columns()) throw ValueError("sums must be those of chrf_statistics");
        return chrf_score(row, options);
    });
}

py::array_t<std::int64_t> bootstrap_sums_of(const py::array& statistics, std::size_t n_resamples,
                                            std::uint64_t state_high, std::uint64_t state_low,
                                            std::uint64_t increment_high, std::uint64_t increment_low, int n_threads) {
    if (statistics.ndim() != 2 || statistics.shape(0) == 0 || statistics.shape(1) == 0)
        throw ValueError("statistics must be a 2-D array with rows and columns");
    const auto columns = static_cast<std::size_t>(statistics.shape(1));
    const std::span<const std::int64_t> values = rows_arg<std::int64_t>("statistics", statistics, columns);
    if (std::any_of(values.begin(), values.end(),
                    [](std::int64_t value) { return value < 0 || value > std::numeric_limits<std::int32_t>::max(); }))
        throw ValueError("statistics must lie in [0, 2^31)");
    auto sums = run(n_threads, 0, [&](const RunContext& ctx) {
        return bootstrap_sums(ctx, values, columns, n_resamples,
                              {state_high, state_low, increment_high, increment_low});
    });
    return rows_to_numpy(std::move(sums), columns);
}

} // namespace

void register_metrics_translation(pybind11::module_& m) {
    using py::arg;
    m.def("bleu_statistics", bleu_statistics_of, arg("hypotheses"), arg("references"), arg("tokenize"),
          arg("lowercase"), arg("max_ngram_order"), arg("sums"), arg("n_threads"));
    m.def("bleu_score", bleu_score_of, arg("sums"), arg("smooth_method"), arg("smooth_value"), arg("effective_order"));
    m.def("bleu_scores", bleu_scores_of, arg("sums"), arg("smooth_method"), arg("smooth_value"),
          arg("effective_order"));
    m.def("chrf_statistics", chrf_statistics_of, arg("hypotheses"), arg("references"), arg("lowercase"),
          arg("char_order"), arg("word_order"), arg("beta"), arg("whitespace"), arg("eps_smoothing"), arg("sums"),
          arg("n_threads"));
    m.def("chrf_scores", chrf_scores_of, arg("sums"), arg("char_order"), arg("word_order"), arg("beta"),
          arg("whitespace"), arg("eps_smoothing"));
    m.def("bootstrap_sums", bootstrap_sums_of, arg("statistics"), arg("n_resamples"), arg("state_high"),
          arg("state_low"), arg("increment_high"), arg("increment_low"), arg("n_threads"));
}

} // namespace mlcore
