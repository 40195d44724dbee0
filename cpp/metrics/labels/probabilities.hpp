// Losses of probabilities and of decision values, row by row, against labels. With q_i the probability that row i gives
// to its label (of a single column p, that of the second label: p or 1 - p), clipped to [eps, 1 - eps] of its type:
//   log      -log q_i
//   brier    sum_j (1{j = label of i} - p_ij)^2, over both labels for a single column
//   hinge    max(0, 1 - m_i), m_i = +-d_i for a single column, else d_ij of the label minus the largest of the others
// The result is sum_i w_i loss_i, in float64 and in blocks of fixed size.
#pragma once

#include "metrics/labels/encode.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace mlcore::metrics {

enum class RowLoss { log, brier, hinge };

/// Values (rows, cols) of float or double; strides in items.
struct RowValues {
    const void* data;
    std::size_t rows, cols;
    std::ptrdiff_t row_stride, col_stride;
    bool is_double;
};

/// Labels, and the column of RowValues that each stands for (of a single column: 0 or 1).
struct LabelledRows {
    static constexpr std::uint32_t unknown = std::numeric_limits<std::uint32_t>::max();

    LabelColumn labels;
    std::int64_t low;                   // label at columns[0]
    std::vector<std::uint32_t> columns; // of label low + k; `unknown` for one that has none; at most 65536
};

struct RowLossSum {
    double sum = 0;
    bool in_range = true;    // log, brier: all in [0, 1]; hinge: all finite
    bool sums_to_one = true; // log, brier, several columns: each row, within the root of eps
};

/// Nothing if a label has no column.
std::optional<RowLossSum> row_loss_sum(const RunContext& ctx, RowLoss loss, const LabelledRows& rows,
                                       const RowValues& values, std::span<const double> weight);

/// The distinct labels of the first rows, sorted: likely all there are. Empty if they do not lie close together or a
/// number is not whole.
std::vector<std::int64_t> sampled_labels(const RunContext& ctx, const LabelColumn& column);

} // namespace mlcore::metrics
