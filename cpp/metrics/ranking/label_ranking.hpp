// How well the scores of a row put its relevant labels before the others: metrics of multi-label problems (Tsoumakas,
// Katakis and Vlahavas, "Mining multi-label data", 2010) and of lists of candidates. One number a row comes out.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>

namespace mlcore::metrics {

enum class LabelRanking {
    average_precision, // mean over relevant labels of relevant / all labels with that score or more; 1 if all or none
                       // is
    loss,              // pairs (relevant, irrelevant) in the wrong order or tied, of all pairs; 0 if there are none
    coverage,          // labels with at least the lowest score of a relevant one; 0 if none is
};

/// False where a score is infinite or NaN. relevant: 0 or 1.
bool rank_labels(const RunContext& ctx, LabelRanking metric, MatrixView<const std::uint8_t> relevant,
                 MatrixView<const double> scores, double* out);

/// Where scores put one column of each row, 0 the first place; of equal scores the higher column comes first.
bool places_of(const RunContext& ctx, VectorView<const std::int32_t> column, MatrixView<const double> scores,
               std::int64_t* out);

enum class TiedRank { best, average, worst };

/// Rank, from 1, of the relevant column with the highest score among the irrelevant ones, and infinity where there is
/// none: `tied` says where it stands among irrelevant ones of the same score.
bool first_relevant_ranks(const RunContext& ctx, MatrixView<const std::uint8_t> relevant,
                          MatrixView<const double> scores, TiedRank tied, double* out);

} // namespace mlcore::metrics
