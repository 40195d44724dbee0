#include "metrics/ranking/score_columns.hpp"

#include "core/parallel.hpp"
#include "metrics/ranking/table_rows.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_row = 12; // of one column
constexpr std::size_t block_rows = 256;

template <class Row, class T>
ScoreState column_area(const RunContext& ctx, ColumnMetric metric, VectorView<const T> scores,
                       const std::uint8_t* labels, VectorView<const double> weights, Area& out) {
    const auto sorted = sort_scores<Row, T>(ctx, scores, labels, weights);
    if (sorted.state == ScoreState::sorted)
        out = metric == ColumnMetric::roc_auc ? roc_area(ctx, sorted) : average_precision(ctx, sorted);
    return sorted.state;
}

/// Areas of n_columns columns: scores_of(c) is a view, read_labels(c, codes) writes n_rows codes.
template <class T, class Scores, class Labels>
ColumnAreas areas(const RunContext& ctx, ColumnMetric metric, std::size_t n_rows, std::size_t n_columns,
                  VectorView<const double> weights, Scores&& scores_of, Labels&& read_labels) {
    ColumnAreas out;
    out.columns.resize(n_columns);
    std::atomic<bool> not_finite{false}, too_wide{false};
    const auto work = [&](std::size_t c, std::uint8_t* codes) {
        read_labels(c, codes);
        const ScoreState state =
            weights.data ? column_area<WeightedKey, T>(ctx, metric, scores_of(c), codes, weights, out.columns[c])
                         : column_area<LabelledKey, T>(ctx, metric, scores_of(c), codes, weights, out.columns[c]);
        if (state == ScoreState::not_finite) not_finite.store(true, std::memory_order_relaxed);
        if (state == ScoreState::too_wide) too_wide.store(true, std::memory_order_relaxed);
    };
    const double ns_per_column = ns_per_row * static_cast<double>(n_rows) + 100;
    const auto n_workers = static_cast<std::size_t>(threads_for(ctx, ns_per_column * static_cast<double>(n_columns)));
    if (n_columns < n_workers) {
        Scratch<std::uint8_t> codes(n_rows);
        for (std::size_t c = 0; c < n_columns; ++c) work(c, codes.data());
    } else {
        Scratch<std::uint8_t> codes(n_rows * n_workers);
        parallel_tasks(ctx, n_columns, ns_per_column, [&](std::size_t c, int thread) {
            work(c, codes.data() + n_rows * static_cast<std::size_t>(thread));
        });
    }
    if (too_wide) out.state = ScoreState::too_wide;
    if (not_finite) out.state = ScoreState::not_finite;
    return out;
}

} // namespace

template <class T>
Scratch<T> columns_of(const RunContext& ctx, MatrixView<const T> scores, bool* sums_to_one) {
    const std::size_t n = scores.rows;
    Scratch<T> columns(n * scores.cols);
    std::atomic<bool> all_sum{true};
    const std::size_t n_blocks = (n + block_rows - 1) / block_rows;
    parallel_tasks(ctx, n_blocks, 1.0 * block_rows * static_cast<double>(scores.cols), [&](std::size_t block, int) {
        const std::size_t begin = block * block_rows, end = std::min(begin + block_rows, n);
        double sums[block_rows] = {};
        for (std::size_t c = 0; c < scores.cols; ++c) {
            T* column = columns.data() + c * n;
            for (std::size_t i = begin; i < end; ++i) {
                column[i] = scores(i, c);
                sums[i - begin] += static_cast<double>(column[i]);
            }
        }
        bool sum = true;
        for (std::size_t i = begin; i < end; ++i) {
            const double s = sums[i - begin];
            sum &= !(std::abs(1 - s) > 1e-8 + 1e-5 * std::abs(s)); // NaN is found by the sort
        }
        if (!sum) all_sum.store(false, std::memory_order_relaxed);
    });
    if (sums_to_one) *sums_to_one = all_sum.load();
    return columns;
}

template <class T>
ColumnAreas areas_of_columns(const RunContext& ctx, ColumnMetric metric, MatrixView<const T> scores,
                             MatrixView<const std::uint8_t> labels, VectorView<const double> weights) {
    return areas<T>(
        ctx, metric, scores.rows, scores.cols, weights, [&](std::size_t c) { return scores.col(c); },
        [&](std::size_t c, std::uint8_t* codes) {
            for (std::size_t i = 0; i < labels.rows; ++i) codes[i] = labels(i, c);
        });
}

template <class T>
ColumnAreas areas_of_classes(const RunContext& ctx, ColumnMetric metric, const T* columns, std::size_t n_classes,
                             VectorView<const std::int32_t> classes, VectorView<const double> weights) {
    const std::size_t n = classes.size;
    return areas<T>(
        ctx, metric, n, n_classes, weights, [&](std::size_t c) { return VectorView<const T>{columns + c * n, n, 1}; },
        [&](std::size_t c, std::uint8_t* codes) {
            const auto own = static_cast<std::int32_t>(c);
            for (std::size_t i = 0; i < n; ++i) codes[i] = classes[i] == own;
        });
}

template <class T>
bool areas_of_pairs(const RunContext& ctx, const T* columns, std::size_t n_classes,
                    VectorView<const std::int32_t> classes, double* out) {
    const std::size_t n = classes.size;
    std::vector<double> rows_of(n_classes, 0);
    for (std::size_t i = 0; i < n; ++i) ++rows_of[static_cast<std::size_t>(classes[i])];
    std::atomic<bool> finite{true};
    for_each_row(ctx, n_classes, n, 15, [&](std::size_t a, ScoredValue* sorted) {
        const T* scores = columns + a * n;
        for (std::size_t i = 0; i < n; ++i) {
            if (!std::isfinite(scores[i])) return finite.store(false, std::memory_order_relaxed);
            sorted[i] = ScoredValue::make(static_cast<double>(scores[i]), classes[i]);
        }
        sort_rows(sorted, n, sorted + n);
        // Twice the area of each pair at once: a row of class b lies under the rows of class a before it.
        std::vector<std::uint64_t> twice(n_classes, 0);
        const auto own = static_cast<double>(a);
        std::uint64_t above = 0;
        for_each_tie(sorted, n, [&](std::size_t begin, std::size_t end) {
            std::uint64_t here = 0;
            for (std::size_t i = begin; i < end; ++i) here += sorted[i].value == own;
            for (std::size_t i = begin; i < end; ++i)
                twice[static_cast<std::size_t>(sorted[i].value)] += 2 * above + here;
            above += here;
        });
        for (std::size_t b = 0; b < n_classes; ++b)
            out[a * n_classes + b] = static_cast<double>(twice[b]) / (2 * rows_of[a] * rows_of[b]);
    });
    return finite.load();
}

#define MLCORE_COLUMNS(T)                                                                                              \
    template Scratch<T> columns_of(const RunContext&, MatrixView<const T>, bool*);                                     \
    template ColumnAreas areas_of_columns(const RunContext&, ColumnMetric, MatrixView<const T>,                        \
                                          MatrixView<const std::uint8_t>, VectorView<const double>);                   \
    template ColumnAreas areas_of_classes(const RunContext&, ColumnMetric, const T*, std::size_t,                      \
                                          VectorView<const std::int32_t>, VectorView<const double>);                   \
    template bool areas_of_pairs(const RunContext&, const T*, std::size_t, VectorView<const std::int32_t>, double*);
MLCORE_COLUMNS(double)
MLCORE_COLUMNS(float)
#undef MLCORE_COLUMNS

} // namespace mlcore::metrics
