#include "metrics/labels/probabilities.hpp"

#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "core/vecmath.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

namespace mlcore::metrics {
namespace {

constexpr std::size_t n_sampled = 1024;

struct BlockSum {
    RowLossSum loss;
    bool known = true;
};

template <class T>
struct Rows {
    const T* data;
    std::ptrdiff_t row_stride, col_stride;
    std::size_t cols;

    T operator()(std::size_t i, std::size_t j) const {
        return data[static_cast<std::ptrdiff_t>(i) * row_stride + static_cast<std::ptrdiff_t>(j) * col_stride];
    }
};

template <class T>
bool is_probability(T p) {
    return p >= T{0} && p <= T{1}; // not NaN
}

/// Losses of rows begin .. begin + n into out (n); column[i] is that of the label of row begin + i.
template <RowLoss kind, class T>
void single_column(const Rows<T>& values, std::size_t begin, std::size_t n, const std::uint32_t* column, double* out,
                   BlockSum& block) {
    constexpr T eps = std::numeric_limits<T>::epsilon();
    bool good = true;
    for (std::size_t i = 0; i < n; ++i) {
        const T x = values(begin + i, 0), positive = static_cast<T>(column[i]), negative = T{1} - positive;
        if constexpr (kind == RowLoss::hinge) {
            good &= std::isfinite(x);
            const double loss = 1 - static_cast<double>(positive - negative) * static_cast<double>(x);
            out[i] = loss > 0 ? loss : 0;
        } else {
            good &= is_probability(x);
            const T other = T{1} - x;
            if constexpr (kind == RowLoss::log) {
                const T q = positive * x + negative * other; // one of them, without a branch that cannot be foreseen
                out[i] = static_cast<double>(std::min(std::max(q, eps), T{1} - eps));
            } else {
                const auto a = static_cast<double>(negative - other), b = static_cast<double>(positive - x);
                out[i] = a * a + b * b;
            }
        }
    }
    block.loss.in_range &= good;
}

template <RowLoss kind, class T>
void several_columns(const Rows<T>& values, std::size_t begin, std::size_t n, const std::uint32_t* column, double* out,
                     BlockSum& block) {
    constexpr T eps = std::numeric_limits<T>::epsilon();
    const double tolerance = 1e-8 + std::sqrt(static_cast<double>(eps));
    bool good = true, sums_to_one = true;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t row = begin + i, label = column[i];
        const T own = values(row, label);
        if constexpr (kind == RowLoss::hinge) {
            T largest = -std::numeric_limits<T>::infinity();
            for (std::size_t j = 0; j < values.cols; ++j) {
                const T x = values(row, j);
                good &= std::isfinite(x);
                if (j != label) largest = std::max(largest, x);
            }
            const T loss = T{1} - (own - largest);
            out[i] = static_cast<double>(loss > T{0} ? loss : T{0});
        } else {
            double sum = 0, squares = 0;
            for (std::size_t j = 0; j < values.cols; ++j) {
                const T x = values(row, j);
                good &= is_probability(x);
                sum += static_cast<double>(x);
                if constexpr (kind == RowLoss::brier) {
                    const double gap = (j == label ? 1.0 : 0.0) - static_cast<double>(x);
                    squares += gap * gap;
                }
            }
            sums_to_one &= std::abs(sum - 1) <= tolerance;
            out[i] = kind == RowLoss::brier ? squares : static_cast<double>(std::min(std::max(own, eps), T{1} - eps));
        }
    }
    block.loss.in_range &= good;
    block.loss.sums_to_one &= sums_to_one;
}

template <RowLoss kind, class T>
BlockSum block_sum(const LabelledRows& rows, const Rows<T>& values, std::span<const double> weight, std::size_t begin,
                   std::size_t end) {
    const std::size_t n = end - begin;
    std::array<std::uint16_t, reduce_block> code;
    std::array<std::uint32_t, reduce_block> column;
    std::array<double, reduce_block> loss;
    BlockSum block;
    block.known =
        narrow_labels(rows.labels, begin, end, rows.low, static_cast<std::uint32_t>(rows.columns.size()), code.data());
    if (!block.known) return block;
    bool unknown = false;
    for (std::size_t i = 0; i < n; ++i) {
        column[i] = rows.columns[code[i]];
        unknown |= column[i] == LabelledRows::unknown;
    }
    block.known = !unknown;
    if (unknown) return block;
    if (values.cols == 1)
        single_column<kind>(values, begin, n, column.data(), loss.data(), block);
    else
        several_columns<kind>(values, begin, n, column.data(), loss.data(), block);
    if constexpr (kind == RowLoss::log) vm::log(loss.data(), loss.data(), n);
    const double sum = weight.empty() ? sum_in_lanes<16>(n, [&](std::size_t i) { return loss[i]; })
                                      : sum_in_lanes<16>(n, [&](std::size_t i) { return loss[i] * weight[begin + i]; });
    block.loss.sum = kind == RowLoss::log ? -sum : sum;
    return block;
}

template <RowLoss kind, class T>
std::optional<RowLossSum> loss_sum(const RunContext& ctx, const LabelledRows& rows, const RowValues& values,
                                   std::span<const double> weight) {
    const Rows<T> typed{static_cast<const T*>(values.data), values.row_stride, values.col_stride, values.cols};
    const BlockSum total = parallel_reduce(
        ctx, values.rows, 3.0 + static_cast<double>(values.cols), BlockSum{},
        [&](std::size_t begin, std::size_t end) { return block_sum<kind>(rows, typed, weight, begin, end); },
        [](const BlockSum& a, const BlockSum& b) {
            return BlockSum{
                {a.loss.sum + b.loss.sum, a.loss.in_range && b.loss.in_range, a.loss.sums_to_one && b.loss.sums_to_one},
                a.known && b.known};
        });
    if (!total.known) return std::nullopt;
    return total.loss;
}

template <RowLoss kind>
std::optional<RowLossSum> loss_sum(const RunContext& ctx, const LabelledRows& rows, const RowValues& values,
                                   std::span<const double> weight) {
    return values.is_double ? loss_sum<kind, double>(ctx, rows, values, weight)
                            : loss_sum<kind, float>(ctx, rows, values, weight);
}

} // namespace

std::optional<RowLossSum> row_loss_sum(const RunContext& ctx, RowLoss loss, const LabelledRows& rows,
                                       const RowValues& values, std::span<const double> weight) {
    switch (loss) {
    case RowLoss::log:
        return loss_sum<RowLoss::log>(ctx, rows, values, weight);
    case RowLoss::brier:
        return loss_sum<RowLoss::brier>(ctx, rows, values, weight);
    default:
        return loss_sum<RowLoss::hinge>(ctx, rows, values, weight);
    }
}

std::vector<std::int64_t> sampled_labels(const RunContext& ctx, const LabelColumn& column) {
    const std::size_t n = std::min(column.size, n_sampled);
    if (n == 0) return {};
    const auto range = label_range(ctx, column, 0, n);
    if (!range || range->width() == 0 || range->width() > 65536) return {};
    std::array<std::uint16_t, n_sampled> code;
    if (!narrow_labels(column, 0, n, range->low, static_cast<std::uint32_t>(range->width()), code.data())) return {};
    std::sort(code.begin(), code.begin() + n);
    const auto end = std::unique(code.begin(), code.begin() + n);
    std::vector<std::int64_t> labels;
    for (auto at = code.begin(); at != end; ++at) labels.push_back(range->low + *at);
    return labels;
}

} // namespace mlcore::metrics
