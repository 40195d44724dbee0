// What metrics of rows of a table share: a loop over rows with memory for one of them a thread, and the mean of a
// number a row.
#pragma once

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/view.hpp"
#include "metrics/ranking/score_keys.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::metrics {

/// f(row, memory) for every row; memory has room for 2 * cols scored values.
template <class F>
void for_each_row(const RunContext& ctx, std::size_t n_rows, std::size_t cols, double ns_per_cell, F&& f) {
    const double ns_per_row = ns_per_cell * static_cast<double>(cols) + 20;
    const auto n_workers = static_cast<std::size_t>(threads_for(ctx, ns_per_row * static_cast<double>(n_rows)));
    Scratch<ScoredValue> memory(2 * cols * n_workers);
    parallel_tasks(ctx, n_rows, ns_per_row, [&](std::size_t row, int thread) {
        f(row, memory.data() + 2 * cols * static_cast<std::size_t>(thread));
    });
}

/// f(begin, end) for each group of equal scores among n sorted ones.
template <class F>
void for_each_tie(const ScoredValue* sorted, std::size_t n, F&& f) {
    for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
        for (end = begin + 1; end < n && sorted[end].order == sorted[begin].order;) ++end;
        f(begin, end);
    }
}

/// Sum of weight times value over the sum of weights; in the order of the rows.
inline double mean_of_rows(const double* values, std::size_t n, VectorView<const double> weights) {
    double sum = 0, total = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double weight = weights.data ? weights[i] : 1.0;
        sum += weight * values[i];
        total += weight;
    }
    return sum / total;
}

/// False where an entry is infinite or NaN.
inline bool all_finite(VectorView<const double> values) {
    double sum = 0;
    for (std::size_t j = 0; j < values.size; ++j) sum += values[j] - values[j]; // NaN for those, else 0
    return sum == 0;
}

} // namespace mlcore::metrics
