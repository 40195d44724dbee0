// Areas of many columns of scores at once: one against the rest, labels of a multi-label problem, and one class against
// each other one. A column is sorted by one thread, as many columns at a time as there are threads; one after the other
// by all threads where there are fewer.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"
#include "metrics/ranking/areas.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::metrics {

enum class ColumnMetric { roc_auc, average_precision };

struct ColumnAreas {
    ScoreState state = ScoreState::sorted; // of the worst column
    std::vector<Area> columns;
};

/// Columns one after the other, in one piece. `sums_to_one`, where asked for, tells whether every row does, within
/// 1e-5.
template <class T>
Scratch<T> columns_of(const RunContext& ctx, MatrixView<const T> scores, bool* sums_to_one = nullptr);

/// Each column of scores against the column of labels of the same number.
template <class T>
ColumnAreas areas_of_columns(const RunContext& ctx, ColumnMetric metric, MatrixView<const T> scores,
                             MatrixView<const std::uint8_t> labels, VectorView<const double> weights);

/// Column c of scores, told in one piece as columns_of makes it, against whether a row's class is c.
template <class T>
ColumnAreas areas_of_classes(const RunContext& ctx, ColumnMetric metric, const T* columns, std::size_t n_classes,
                             VectorView<const std::int32_t> classes, VectorView<const double> weights);

/// out[a * n_classes + b]: area of column a among rows of class a (positive) and b; NaN where one has no rows. False
/// where a score is infinite or NaN.
template <class T>
bool areas_of_pairs(const RunContext& ctx, const T* columns, std::size_t n_classes,
                    VectorView<const std::int32_t> classes, double* out);

} // namespace mlcore::metrics
