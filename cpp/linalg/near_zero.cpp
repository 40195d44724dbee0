#include "linalg/near_zero.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "linalg/weights.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace mlcore::linalg {
namespace {

constexpr double nearly_all = 0.99; // share of the weight of rows in which a column has an entry

/// Columns with entries in nearly all rows. One of them is missing in 1% of the weight at most, so it is in half of any
/// rows that have 2% of it: the first ones tell which columns have to be counted at all, usually none.
template <class T, class I>
std::vector<std::size_t> full_columns(const CsrView<T, I>& x, std::span<const double> weight) {
    const double total = sum_of_weights(weight, x.rows);
    std::vector<double> seen(x.cols, 0.0);
    double looked_at = 0;
    std::size_t i = 0;
    const auto count = [&] {
        const double s = weight_of(weight, i);
        for (std::size_t k = x.begin(i); k < x.end(i); ++k) seen[static_cast<std::size_t>(x.indices[k])] += s;
        looked_at += s;
    };
    for (; i < x.rows && looked_at < 2 * (1 - nearly_all) * total; ++i) count();
    constexpr double rounding = 1e-9;
    const auto some_reach = [&](double share) {
        return std::any_of(seen.begin(), seen.end(), [&](double s) { return s > share * (1 - rounding) * looked_at; });
    };
    std::vector<std::size_t> full;
    if (!(looked_at > 0) || !some_reach(0.5)) return full;
    for (; i < x.rows; ++i) count();
    for (std::size_t j = 0; j < x.cols; ++j)
        if (seen[j] > nearly_all * looked_at) full.push_back(j);
    return full;
}

} // namespace

template <>
std::vector<float>& NearZero::values<float>() {
    return floats_;
}
template <>
std::vector<double>& NearZero::values<double>() {
    return doubles_;
}

NearZero::NearZero(const RunContext& ctx, const Table& X, std::span<const double> weight, bool fit_intercept)
    : table_(X) {
    if (!fit_intercept) return;
    std::visit(
        [&](const auto& x) {
            if constexpr (requires { x.n_stored(); }) {
                const std::vector<std::size_t> columns = full_columns(x, weight);
                if (!columns.empty()) move_sparse(ctx, x, columns);
            }
        },
        X);
}

template <class T, class I>
void NearZero::move_sparse(const RunContext& ctx, const CsrView<T, I>& x, const std::vector<std::size_t>& columns) {
    constexpr std::size_t not_moved = static_cast<std::size_t>(-1);
    std::vector<std::size_t> place(x.cols, not_moved), last_row(columns.size(), not_moved);
    for (std::size_t k = 0; k < columns.size(); ++k) place[columns[k]] = k;
    // c: the median. It is a value of the column, so that differences of values near it are exact, and no outlier.
    std::vector<std::vector<T>> found(columns.size());
    for (std::size_t i = 0; i < x.rows; ++i) {
        if (i % 65536 == 0) ctx.checkpoint();
        for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
            const std::size_t at = place[static_cast<std::size_t>(x.indices[k])];
            if (at == not_moved) continue;
            if (last_row[at] == i)
                found[at].back() += x.data[k]; // an entry may come in parts
            else
                found[at].push_back(x.data[k]);
            last_row[at] = i;
        }
    }
    std::vector<T> c;
    for (std::vector<T>& all : found) {
        const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
        std::nth_element(all.begin(), middle, all.end());
        c.push_back(*middle);
    }
    std::fill(last_row.begin(), last_row.end(), not_moved);

    std::vector<T>& values = this->values<T>();
    values.reserve(x.n_stored() + x.rows / 64);
    indices_.reserve(x.n_stored() + x.rows / 64);
    indptr_.assign(1, 0);
    std::vector<std::pair<std::int64_t, T>> row;
    for (std::size_t i = 0; i < x.rows; ++i) {
        if (i % 65536 == 0) ctx.checkpoint();
        row.clear();
        for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
            const auto j = static_cast<std::size_t>(x.indices[k]);
            T value = x.data[k];
            if (const std::size_t at = place[j]; at != not_moved && last_row[at] != i) {
                last_row[at] = i;
                value -= c[at];
            }
            row.emplace_back(static_cast<std::int64_t>(j), value);
        }
        const std::size_t stored = row.size();
        for (std::size_t at = 0; at < columns.size(); ++at)
            if (last_row[at] != i) row.emplace_back(static_cast<std::int64_t>(columns[at]), -c[at]);
        if (row.size() > stored)
            std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& [j, value] : row) {
            indices_.push_back(j);
            values.push_back(value);
        }
        indptr_.push_back(static_cast<std::int64_t>(values.size()));
    }
    shift_.assign(x.cols, 0.0);
    for (std::size_t at = 0; at < columns.size(); ++at) shift_[columns[at]] = static_cast<double>(c[at]);
    table_ = CsrView<T, std::int64_t>{values.data(), indices_.data(), indptr_.data(), x.rows, x.cols};
}

void NearZero::move_dense(std::vector<double> shift) {
    shift_ = std::move(shift);
    std::visit(
        [&](const auto& x) {
            using View = std::decay_t<decltype(x)>;
            using T = typename ValueOf<View>::type;
            if constexpr (is_dense<View>) {
                if (x.cols != 0 && x.rows > address_space / sizeof(T) / x.cols) throw std::bad_alloc();
                std::vector<T> c(x.cols);
                for (std::size_t j = 0; j < x.cols; ++j) {
                    c[j] = static_cast<T>(shift_[j]);
                    shift_[j] = static_cast<double>(c[j]);
                }
                std::vector<T>& values = this->values<T>();
                values.resize(x.rows * x.cols);
                T* to = values.data();
                for (std::size_t i = 0; i < x.rows; ++i)
                    for (std::size_t j = 0; j < x.cols; ++j) *to++ = x(i, j) - c[j];
                table_ = MatrixView<const T>(row_major(static_cast<const T*>(values.data()), x.rows, x.cols));
            } else {
                MLCORE_CHECK(false, "move_dense is for dense tables");
            }
        },
        Table(table_));
}

double NearZero::offset(const double* coef) const {
    double sum = 0;
    for (std::size_t j = 0; j < shift_.size(); ++j)
        if (shift_[j] != 0) sum += coef[j] * shift_[j];
    return sum;
}

void NearZero::restore(std::span<const double> coef, std::span<double> intercept) const {
    for (std::size_t t = 0; t < intercept.size(); ++t) intercept[t] -= offset(coef.data() + t * shift_.size());
}

} // namespace mlcore::linalg
