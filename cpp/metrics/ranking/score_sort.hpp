// One sort of a column of scores, from which all metrics of scores are read: rows in descending order of their scores,
// rows of equal scores in their original order.
//
// The rows are first divided by the highest bits of their keys into parts that fit the second cache, each of which is
// then sorted by one thread: by as many digits as it has rows, and what is left of a digit by insertion (a digit with
// many rows is sorted as the part was). Where the digits lie is told by a sample of the column, so that neither the
// unit of the scores nor outliers matter; the parts depend on the scores alone, not on threads.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "metrics/ranking/score_keys.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::metrics {

/// What became of a column.
enum class ScoreState {
    sorted,
    not_finite, // a score is infinite or NaN
    too_wide,   // scores span too many magnitudes to have keys: sort their ranks instead
};

template <class Row>
struct SortedScores {
    ScoreState state = ScoreState::sorted;
    KeyForm form;
    Scratch<Row> memory;
    std::size_t n = 0;                // rows; those of weight 0 are left out
    std::vector<std::size_t> parts;   // part p is rows parts[p] ... parts[p + 1]; equal scores are in one part
    std::vector<std::size_t> n_above; // positive rows before part p

    std::span<const Row> rows() const { return {memory.data(), n}; }
};

/// labels: one byte a row, 0 or 1. weights: one a row, or none.
template <class Row, class T>
SortedScores<Row> sort_scores(const RunContext& ctx, VectorView<const T> scores, const std::uint8_t* labels,
                              VectorView<const double> weights = {});

/// Sorts rows by their keys, rows of equal keys in their order. `spare` has room for n rows.
template <class Row>
void sort_rows(Row* rows, std::size_t n, Row* spare);

} // namespace mlcore::metrics
