#include "linalg/columns.hpp"

#include "core/eigen.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"
#include "linalg/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace mlcore::linalg {
namespace {

constexpr std::size_t tile = 96;       // columns in one matrix product
constexpr std::size_t row_block = 256; // rows of a product: two tiles fit the L2 cache

struct MeanAndSquares {
    double mean, squares;
};

template <class T>
MeanAndSquares moments_of(const DenseColumns<T>& x, std::size_t j, std::span<const double> weight, double weight_sum,
                          bool fit_intercept) {
    const T* column = x.column(j);
    const std::size_t n = x.n_rows();
    const auto sum = [n](auto&& term) { return sum_in_lanes<16>(n, term); };
    const double* s = weight.empty() ? nullptr : weight.data();
    const auto value = [&](std::size_t i) { return static_cast<double>(column[i]); };
    double mean = 0;
    if (fit_intercept) mean = (s ? sum([&](std::size_t i) { return s[i] * value(i); }) : sum(value)) / weight_sum;
    const auto square = [&](std::size_t i) { return (value(i) - mean) * (value(i) - mean); };
    const double squares = s ? sum([&](std::size_t i) { return s[i] * square(i); }) : sum(square);
    return {mean, is_constant(squares, weight_sum, mean) ? 0 : squares};
}

template <class T>
MeanAndSquares moments_of(const SparseColumns<T>& x, std::size_t j, std::span<const double> weight, double weight_sum,
                          bool fit_intercept) {
    const auto values = x.values(j);
    const auto rows = x.rows(j);
    double sum = 0, squares = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
        const double s = weight_of(weight, static_cast<std::size_t>(rows[k])), v = static_cast<double>(values[k]);
        sum += s * v;
        squares += s * v * v;
    }
    if (!fit_intercept) return {0, squares};
    const double mean = sum / weight_sum;
    const double centred = squares - weight_sum * mean * mean;
    return {mean, is_constant(centred, weight_sum, mean) ? 0 : centred};
}

} // namespace

// ---- dense ----------------------------------------------------------------------------------------------------------

template <class T>
DenseColumns<T>::DenseColumns(const RunContext& ctx, MatrixView<const T> x)
    : data_(x.data), stride_(x.col_stride), n_(x.rows), d_(x.cols) {
    if (x.cols_contiguous()) return;
    if (d_ != 0 && n_ > address_space / sizeof(T) / d_) throw std::bad_alloc(); // strides of 0 make any shape possible
    copy_ = Buffer<T>(n_ * d_);
    data_ = copy_.data();
    stride_ = static_cast<std::ptrdiff_t>(n_);
    constexpr std::size_t cols = 16, rows = 64; // both sides of a patch stay in the L1 cache
    parallel_tasks(ctx, (d_ + cols - 1) / cols, 1.0 * static_cast<double>(n_ * cols), [&](std::size_t task, int) {
        const std::size_t first = task * cols, last = std::min(first + cols, d_);
        for (std::size_t begin = 0; begin < n_; begin += rows)
            for (std::size_t j = first; j < last; ++j)
                for (std::size_t i = begin; i < std::min(begin + rows, n_); ++i) copy_[j * n_ + i] = x(i, j);
    });
}

namespace {

template <class T>
void subtract_dense(const RunContext& ctx, const DenseColumns<T>& x, const ColumnMoments& moments,
                    std::span<const std::int32_t> ids, const double* w, double* r) {
    const double ns = 0.3 * static_cast<double>(ids.size());
    constexpr std::size_t block = 1024; // r stays in the L1 cache while the columns pass by
    parallel_ranges(ctx, x.n_rows(), ns, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t first = begin; first < end; first += block)
            for (std::size_t k = 0; k < ids.size(); ++k) {
                const auto j = static_cast<std::size_t>(ids[k]);
                x.add(j, -w[k], moments.mean[j], first, std::min(first + block, end), r);
            }
    });
}

/// Rows [begin, end) of sqrt(s_i) x~_ij for the columns ids: one after another in out.
template <class T>
void pack(const DenseColumns<T>& x, const ColumnMoments& moments, std::span<const double> weight,
          std::span<const std::int32_t> ids, std::size_t begin, std::size_t end, double* __restrict out) {
    double root[row_block];
    for (std::size_t i = begin; i < end; ++i) root[i - begin] = std::sqrt(weight_of(weight, i));
    const std::size_t n = end - begin;
    for (std::size_t k = 0; k < ids.size(); ++k) {
        const auto j = static_cast<std::size_t>(ids[k]);
        const T* __restrict column = x.column(j) + begin;
        const double mean = moments.mean[j];
        if (weight.empty())
            for (std::size_t i = 0; i < n; ++i) out[k * n + i] = static_cast<double>(column[i]) - mean;
        else
            for (std::size_t i = 0; i < n; ++i) out[k * n + i] = root[i] * (static_cast<double>(column[i]) - mean);
    }
}

template <class T>
void gram_of_dense(const RunContext& ctx, const DenseColumns<T>& x, const ColumnMoments& moments,
                   std::span<const double> weight, std::span<const std::int32_t> ids, std::size_t first, double* gram,
                   std::size_t ld) {
    using Matrix = Eigen::MatrixXd;
    const std::size_t size = ids.size(), n = x.n_rows();
    const std::size_t new_tiles = (size - first + tile - 1) / tile, all_tiles = (size + tile - 1) / tile;
    const double ns = 0.05 * static_cast<double>(n * std::min(tile, size - first) * std::min(tile, size));
    // Which thread computes a patch of the matrix does not matter: each sums over the rows in the same order.
    parallel_tasks(ctx, new_tiles * all_tiles, ns, [&](std::size_t task, int) {
        const std::size_t a = first + task / all_tiles * tile, b = task % all_tiles * tile;
        const std::size_t n_a = std::min(tile, size - a), n_b = std::min(tile, size - b);
        if (b >= a + n_a) return; // above the diagonal
        Buffer<double> rows_a(row_block * n_a), rows_b(row_block * n_b);
        Matrix sum = Matrix::Zero(eigen_index(n_a), eigen_index(n_b));
        for (std::size_t begin = 0; begin < n; begin += row_block) {
            ctx.checkpoint(); // a task may take a second
            const std::size_t end = std::min(begin + row_block, n);
            pack(x, moments, weight, ids.subspan(a, n_a), begin, end, rows_a.data());
            pack(x, moments, weight, ids.subspan(b, n_b), begin, end, rows_b.data());
            const auto rows = eigen_index(end - begin);
            const Eigen::Map<const Matrix> A(rows_a.data(), rows, sum.rows()), B(rows_b.data(), rows, sum.cols());
            sum.noalias() += A.transpose() * B;
        }
        for (std::size_t k = 0; k < n_a; ++k)
            for (std::size_t l = 0; l < n_b && b + l <= a + k; ++l) {
                const double value = sum(eigen_index(k), eigen_index(l));
                gram[(a + k) * ld + b + l] = gram[(b + l) * ld + a + k] = value;
            }
    });
}

} // namespace

// ---- sparse ---------------------------------------------------------------------------------------------------------

template <class T>
template <class Index>
SparseColumns<T>::SparseColumns(const RunContext& ctx, const CsrView<T, Index>& x)
    : n_(x.rows), starts_(x.cols + 1, 0), rows_(x.n_stored()), values_(x.n_stored()) {
    if (x.rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("a sparse matrix may have 2147483647 rows at most, got " + std::to_string(x.rows));
    for (std::size_t k = 0; k < x.n_stored(); ++k) ++starts_[static_cast<std::size_t>(x.indices[k]) + 1];
    for (std::size_t j = 0; j < x.cols; ++j) starts_[j + 1] += starts_[j];
    std::vector<std::int64_t> next(starts_.begin(), starts_.end() - 1);
    bool repeated = false;
    for (std::size_t i = 0; i < x.rows; ++i) {
        if (i % 65536 == 0) ctx.checkpoint();
        for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
            const auto j = static_cast<std::size_t>(x.indices[k]);
            const auto at = static_cast<std::size_t>(next[j]++);
            rows_[at] = static_cast<std::int32_t>(i);
            values_[at] = x.data[k];
            repeated |= at > static_cast<std::size_t>(starts_[j]) && rows_[at - 1] == rows_[at];
        }
    }
    if (!repeated) return;
    std::size_t to = 0;
    for (std::size_t j = 0, from = 0; j < x.cols; ++j) {
        const auto end = static_cast<std::size_t>(starts_[j + 1]);
        const std::size_t begin = to;
        for (; from < end; ++from)
            if (to > begin && rows_[to - 1] == rows_[from]) {
                values_[to - 1] += values_[from];
            } else {
                rows_[to] = rows_[from];
                values_[to++] = values_[from];
            }
        starts_[j + 1] = static_cast<std::int64_t>(to);
    }
}

namespace {

template <class T>
void gram_of_sparse(const RunContext& ctx, const SparseColumns<T>& x, const ColumnMoments& moments,
                    std::span<const double> weight, std::span<const std::int32_t> ids, std::size_t first, double* gram,
                    std::size_t ld) {
    const double ns = x.ns_per_column() * static_cast<double>(ids.size());
    std::vector<Buffer<double>> scratch(static_cast<std::size_t>(ctx.n_threads));
    parallel_tasks(ctx, ids.size() - first, ns, [&](std::size_t task, int thread) {
        Buffer<double>& spread = scratch[static_cast<std::size_t>(thread)]; // s_i x_ij, zero between tasks
        if (spread.empty()) spread = Buffer<double>(x.n_rows(), 0.0);
        const std::size_t k = first + task;
        const auto j = static_cast<std::size_t>(ids[k]);
        const auto values = x.values(j);
        const auto rows = x.rows(j);
        for (std::size_t e = 0; e < values.size(); ++e) {
            const auto i = static_cast<std::size_t>(rows[e]);
            spread[i] = weight_of(weight, i) * static_cast<double>(values[e]);
        }
        for (std::size_t l = 0; l <= k; ++l) {
            const auto other = static_cast<std::size_t>(ids[l]);
            const double value =
                x.stored_dot(other, spread.data()) - moments.weight_sum * moments.mean[j] * moments.mean[other];
            gram[k * ld + l] = gram[l * ld + k] = value;
        }
        for (const std::int32_t i : rows) spread[static_cast<std::size_t>(i)] = 0;
        gram[k * ld + k] = moments.squares[j];
    });
}

} // namespace

// ---- both -----------------------------------------------------------------------------------------------------------

template <class Columns>
ColumnMoments column_moments(const RunContext& ctx, const Columns& x, std::span<const double> weight,
                             bool fit_intercept) {
    const std::size_t d = x.n_cols();
    ColumnMoments moments{std::vector<double>(d), std::vector<double>(d), sum_of_weights(weight, x.n_rows())};
    parallel_ranges(ctx, d, 2 * x.ns_per_column(), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t j = begin; j < end; ++j) {
            if (x.ns_per_column() > 1e4) ctx.checkpoint();
            const auto [mean, squares] = moments_of(x, j, weight, moments.weight_sum, fit_intercept);
            moments.mean[j] = mean;
            moments.squares[j] = squares;
        }
    });
    return moments;
}

template <class Columns>
void subtract_columns(const RunContext& ctx, const Columns& x, const ColumnMoments& moments,
                      std::span<const std::int32_t> ids, const double* w, double* r) {
    if constexpr (requires { x.rows(0); }) {
        double shift = 0;
        for (std::size_t k = 0; k < ids.size(); ++k) {
            const auto j = static_cast<std::size_t>(ids[k]);
            x.add_stored(j, -w[k], r);
            shift += w[k] * moments.mean[j];
        }
        if (shift != 0)
            for (std::size_t i = 0; i < x.n_rows(); ++i) r[i] += shift;
    } else {
        subtract_dense(ctx, x, moments, ids, w, r);
    }
}

template <class Columns>
void gram_of_columns(const RunContext& ctx, const Columns& x, const ColumnMoments& moments,
                     std::span<const double> weight, std::span<const std::int32_t> ids, std::size_t first, double* gram,
                     std::size_t ld) {
    if (first == ids.size()) return;
    if constexpr (requires { x.rows(0); })
        gram_of_sparse(ctx, x, moments, weight, ids, first, gram, ld);
    else
        gram_of_dense(ctx, x, moments, weight, ids, first, gram, ld);
}

#define MLCORE_INSTANTIATE(Columns)                                                                                    \
    template ColumnMoments column_moments(const RunContext&, const Columns&, std::span<const double>, bool);           \
    template void subtract_columns(const RunContext&, const Columns&, const ColumnMoments&,                            \
                                   std::span<const std::int32_t>, const double*, double*);                             \
    template void gram_of_columns(const RunContext&, const Columns&, const ColumnMoments&, std::span<const double>,    \
                                  std::span<const std::int32_t>, std::size_t, double*, std::size_t);

template class DenseColumns<float>;
template class DenseColumns<double>;
template SparseColumns<float>::SparseColumns(const RunContext&, const CsrView<float, std::int32_t>&);
template SparseColumns<float>::SparseColumns(const RunContext&, const CsrView<float, std::int64_t>&);
template SparseColumns<double>::SparseColumns(const RunContext&, const CsrView<double, std::int32_t>&);
template SparseColumns<double>::SparseColumns(const RunContext&, const CsrView<double, std::int64_t>&);
MLCORE_INSTANTIATE(DenseColumns<float>)
MLCORE_INSTANTIATE(DenseColumns<double>)
MLCORE_INSTANTIATE(SparseColumns<float>)
MLCORE_INSTANTIATE(SparseColumns<double>)

} // namespace mlcore::linalg
