// A feature table by columns, as coordinate descent for least squares wants it. Letters: n rows, d columns, x_ij; row
// weights s_i (none: 1), S their sum; m_j = sum_i s_i x_ij / S the mean of a column, or 0 without an intercept. The
// centred column x~_j = x_j - m_j is never stored: what a kernel needs of it follows from x_j and m_j, so that sparse
// columns stay sparse.
// A dense table in Fortran order is read in place; any other is copied once: dense ones transposed, in their own
// precision, CSR ones as CSC with repeated entries added up. Sparse columns must lie near zero (near_zero.hpp).
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/sums.hpp"
#include "core/table.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::linalg {

/// sum_i (a_i - m) b_i in double, the same bits at any width of vectors.
template <class T>
inline double centred_dot(const T* a, double m, const double* b, std::size_t n) {
    return sum_in_lanes<32>(n, [=](std::size_t i) { return (static_cast<double>(a[i]) - m) * b[i]; });
}

/// Whether squares = sum_i s_i (x_ij - m)^2 is what rounding leaves of a constant column.
inline bool is_constant(double squares, double weight_sum, double mean) {
    constexpr double rounding = 1e-26; // of the squared mean
    return squares <= rounding * weight_sum * mean * mean &&
           std::isfinite(squares); // overflow is for the caller to see
}

/// Means and spreads of the columns. squares[j] is exactly 0 for a column that is constant but for rounding.
struct ColumnMoments {
    std::vector<double> mean;    // m_j
    std::vector<double> squares; // v_j = sum_i s_i (x_ij - m_j)^2
    double weight_sum = 0;       // S
};

template <class T>
class DenseColumns {
  public:
    DenseColumns(const RunContext& ctx, MatrixView<const T> x);

    std::size_t n_rows() const { return n_; }
    std::size_t n_cols() const { return d_; }
    double ns_per_column() const { return 0.15 * static_cast<double>(n_) + 5; }
    const T* column(std::size_t j) const { return data_ + static_cast<std::ptrdiff_t>(j) * stride_; }

    /// sum_i q_i (x_ij - m); sum_q = sum_i q_i
    double dot(std::size_t j, double m, const double* q, double /*sum_q*/) const {
        return centred_dot(column(j), m, q, n_);
    }

    /// r_i += a (x_ij - m) for i in [begin, end)
    void add(std::size_t j, double a, double m, std::size_t begin, std::size_t end, double* __restrict r) const {
        const T* __restrict x = column(j);
        for (std::size_t i = begin; i < end; ++i) r[i] += a * (static_cast<double>(x[i]) - m);
    }

  private:
    Buffer<T> copy_;
    const T* data_;
    std::ptrdiff_t stride_;
    std::size_t n_, d_;
};

template <class T>
class SparseColumns {
  public:
    template <class Index>
    SparseColumns(const RunContext& ctx, const CsrView<T, Index>& x);

    std::size_t n_rows() const { return n_; }
    std::size_t n_cols() const { return starts_.size() - 1; }
    std::size_t n_stored() const { return static_cast<std::size_t>(starts_.back()); }
    double ns_per_column() const { return 0.7 * static_cast<double>(n_stored()) / static_cast<double>(n_cols()) + 5; }
    std::span<const T> values(std::size_t j) const { return {values_.data() + starts_[j], size(j)}; }
    std::span<const std::int32_t> rows(std::size_t j) const { return {rows_.data() + starts_[j], size(j)}; }

    double dot(std::size_t j, double m, const double* q, double sum_q) const { return stored_dot(j, q) - m * sum_q; }

    /// sum_i q_i x_ij
    double stored_dot(std::size_t j, const double* q) const {
        const auto x = values(j);
        const auto row = rows(j);
        double lane[4] = {};
        std::size_t k = 0;
        for (; k + 4 <= x.size(); k += 4)
            for (std::size_t l = 0; l < 4; ++l)
                lane[l] += static_cast<double>(x[k + l]) * q[static_cast<std::size_t>(row[k + l])];
        for (; k < x.size(); ++k) lane[0] += static_cast<double>(x[k]) * q[static_cast<std::size_t>(row[k])];
        return (lane[0] + lane[1]) + (lane[2] + lane[3]);
    }

    /// r_i += a x_ij for the stored entries; the caller takes care of the mean.
    void add_stored(std::size_t j, double a, double* r) const {
        const auto x = values(j);
        const auto row = rows(j);
        for (std::size_t k = 0; k < x.size(); ++k) r[static_cast<std::size_t>(row[k])] += a * static_cast<double>(x[k]);
    }

  private:
    std::size_t size(std::size_t j) const { return static_cast<std::size_t>(starts_[j + 1] - starts_[j]); }

    std::size_t n_;
    std::vector<std::int64_t> starts_; // (d + 1)
    Buffer<std::int32_t> rows_;
    Buffer<T> values_;
};

/// weight: (n) or empty.
template <class Columns>
ColumnMoments column_moments(const RunContext& ctx, const Columns& x, std::span<const double> weight,
                             bool fit_intercept);

/// r (n) -= sum_k w[k] x~_{ids[k]}
template <class Columns>
void subtract_columns(const RunContext& ctx, const Columns& x, const ColumnMoments& moments,
                      std::span<const std::int32_t> ids, const double* w, double* r);

/// Inner products sum_i s_i x~_ij x~_ik of the columns ids[k], k in [first, size), with all of ids: into
/// gram[k * ld + l] for all l <= k, and its mirror image gram[l * ld + k].
template <class Columns>
void gram_of_columns(const RunContext& ctx, const Columns& x, const ColumnMoments& moments,
                     std::span<const double> weight, std::span<const std::int32_t> ids, std::size_t first, double* gram,
                     std::size_t ld);

} // namespace mlcore::linalg
