// A table whose columns lie near zero, so that sums of products lose nothing to cancellation when their means are
// taken off afterwards. A column is moved by a constant c_j,  x_ij = c_j + x'_ij,  which with an intercept changes the
// intercept alone: b = b' - w.c. Only where that is needed is the table copied:
//   sparse  columns with entries in nearly all rows: else the zeros of the other rows keep the variance within a
//           factor of 100 of the mean square, and two digits are all that can be lost. Rows without an entry get one.
//   dense   on demand (columns far from zero), for kernels that do not centre their rows themselves.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::linalg {

class NearZero {
  public:
    /// Moves sparse columns; weight (n) or empty. X must outlive it.
    NearZero(const RunContext& ctx, const Table& X, std::span<const double> weight, bool fit_intercept);

    /// Moves the columns of a dense table by `shift` (d).
    void move_dense(std::vector<double> shift);

    const Table& table() const { return table_; }

    /// coef (t, d); intercepts (t) of the moved table in, of the table as it was out.
    void restore(std::span<const double> coef, std::span<double> intercept) const;
    /// sum_j coef_j c_j for coef (d): what restore takes off an intercept.
    double offset(const double* coef) const;

  private:
    template <class T, class I>
    void move_sparse(const RunContext& ctx, const CsrView<T, I>& x, const std::vector<std::size_t>& columns);
    template <class T>
    std::vector<T>& values();

    Table table_;
    std::vector<double> shift_; // c (d), or empty
    std::vector<float> floats_;
    std::vector<double> doubles_;
    std::vector<std::int64_t> indices_, indptr_;
};

} // namespace mlcore::linalg
