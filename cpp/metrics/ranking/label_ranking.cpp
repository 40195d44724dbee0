#include "metrics/ranking/label_ranking.hpp"

#include "metrics/ranking/table_rows.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

namespace mlcore::metrics {
namespace {

/// Average precision or loss of a row from its labels in descending order of their scores; value: 1 where the label is
/// relevant.
double rank_row(LabelRanking metric, const ScoredValue* sorted, std::size_t n) {
    double n_relevant = 0;
    for (std::size_t j = 0; j < n; ++j) n_relevant += sorted[j].value;
    const double n_others = static_cast<double>(n) - n_relevant;
    const bool nothing_to_rank = n_relevant == 0 || n_others == 0;
    if (nothing_to_rank) return metric == LabelRanking::loss ? 0 : 1;

    double relevant_above = 0, sum = 0;
    for_each_tie(sorted, n, [&](std::size_t begin, std::size_t end) {
        double relevant = 0;
        for (std::size_t j = begin; j < end; ++j) relevant += sorted[j].value;
        if (metric == LabelRanking::loss) // irrelevant labels here, above or beside relevant ones
            sum += (static_cast<double>(end - begin) - relevant) * (n_relevant - relevant_above);
        else
            sum += relevant * ((relevant_above + relevant) / static_cast<double>(end));
        relevant_above += relevant;
    });
    return sum / (metric == LabelRanking::loss ? n_relevant * n_others : n_relevant);
}

/// Labels with at least the lowest score of a relevant one; needs no order.
double coverage(VectorView<const std::uint8_t> relevant, VectorView<const double> scores) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double lowest = infinity;
    for (std::size_t j = 0; j < scores.size; ++j) lowest = std::min(lowest, relevant[j] != 0 ? scores[j] : infinity);
    std::size_t n_covering = 0;
    for (std::size_t j = 0; j < scores.size; ++j) n_covering += scores[j] >= lowest;
    return static_cast<double>(n_covering);
}

} // namespace

bool rank_labels(const RunContext& ctx, LabelRanking metric, MatrixView<const std::uint8_t> relevant,
                 MatrixView<const double> scores, double* out) {
    std::atomic<bool> finite{true};
    for_each_row(ctx, scores.rows, scores.cols, 10, [&](std::size_t i, ScoredValue* memory) {
        if (!all_finite(scores.row(i))) return finite.store(false, std::memory_order_relaxed);
        if (metric == LabelRanking::coverage) {
            out[i] = coverage(relevant.row(i), scores.row(i));
            return;
        }
        for (std::size_t j = 0; j < scores.cols; ++j) memory[j] = ScoredValue::make(scores(i, j), relevant(i, j));
        sort_rows(memory, scores.cols, memory + scores.cols);
        out[i] = rank_row(metric, memory, scores.cols);
    });
    return finite.load();
}

bool places_of(const RunContext& ctx, VectorView<const std::int32_t> column, MatrixView<const double> scores,
               std::int64_t* out) {
    std::atomic<bool> finite{true};
    const double ns_per_row = static_cast<double>(scores.cols) + 5;
    parallel_tasks(ctx, scores.rows, ns_per_row, [&](std::size_t i, int) {
        const auto row = scores.row(i);
        if (!all_finite(row)) return finite.store(false, std::memory_order_relaxed);
        const auto own = static_cast<std::size_t>(column[i]);
        const double score = row[own];
        std::int64_t before = 0;
        for (std::size_t j = 0; j <= own; ++j) before += row[j] > score;
        for (std::size_t j = own + 1; j < row.size; ++j) before += row[j] >= score;
        out[i] = before;
    });
    return finite.load();
}

bool first_relevant_ranks(const RunContext& ctx, MatrixView<const std::uint8_t> relevant,
                          MatrixView<const double> scores, TiedRank tied, double* out) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::atomic<bool> finite{true};
    const double ns_per_row = 3 * static_cast<double>(scores.cols) + 5;
    parallel_tasks(ctx, scores.rows, ns_per_row, [&](std::size_t i, int) {
        const auto row = scores.row(i);
        if (!all_finite(row)) return finite.store(false, std::memory_order_relaxed);
        double highest = -infinity;
        for (std::size_t j = 0; j < row.size; ++j)
            if (relevant(i, j) != 0) highest = std::max(highest, row[j]);
        std::size_t above = 0, beside = 0;
        for (std::size_t j = 0; j < row.size; ++j) {
            above += row[j] > highest;
            beside += static_cast<std::size_t>(row[j] == highest) & static_cast<std::size_t>(relevant(i, j) == 0);
        }
        const double share = tied == TiedRank::best ? 0 : tied == TiedRank::average ? 0.5 : 1;
        out[i] = highest == -infinity ? infinity : 1 + static_cast<double>(above) + share * static_cast<double>(beside);
    });
    return finite.load();
}

} // namespace mlcore::metrics
