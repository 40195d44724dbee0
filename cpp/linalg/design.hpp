// The rows of a table as linear models walk over them: products with coefficients, their transposes, and weighted
// Gram matrices, block of rows by block of rows, so that one block is read from memory once and from the nearest cache
// afterwards. Dense tables of any strides and CSR, float32 or float64, are read in place; all arithmetic is in float64.
// What is done with the products (losses, solvers) knows nothing of how the rows are stored.
//
// Letters: n rows x_i, d columns, K outputs. Coefficients are arrays (K, d + 1), intercepts in the last column.
// Products of a block lie output by output, z[k * block_rows + i]: vectors run over rows, whatever K is.
#pragma once

#include "core/memory.hpp"
#include "core/simd.hpp"
#include "core/table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mlcore::linalg {

/// Coefficients as the kernels want them.
struct Coefficients {
    std::size_t n_outputs = 0, padded_outputs = 0;
    Buffer<double> by_column; // K == 1: (d padded), else (d, padded_outputs); zeros where padded
    Buffer<double> intercept; // (padded_outputs)
};

/// ColumnSet are padded to a multiple of this in Gram matrices and gradients.
inline constexpr std::size_t column_unit = 8;

/// Some columns of a table, and after them a column of ones, that of the intercept.
class ColumnSet {
  public:
    /// All of a table with n_cols columns.
    explicit ColumnSet(std::size_t n_cols);
    /// Those in `chosen`, each once, ascending.
    ColumnSet(std::size_t n_cols, std::vector<std::uint32_t> chosen);

    /// The column of ones counted.
    std::size_t size() const { return chosen_.size() + 1; }
    std::size_t stride() const { return simd::round_up(size(), column_unit); }
    /// Whether they are all columns of the table, in order.
    bool all() const { return chosen_.size() == position_.size(); }
    const std::vector<std::uint32_t>& chosen() const { return chosen_; }
    /// Place of a column of the table, -1 where it is not among them.
    std::int32_t position(std::size_t column) const { return position_[column]; }

  private:
    std::vector<std::uint32_t> chosen_;
    std::vector<std::int32_t> position_;
};

/// Whether products between them are symmetric.
inline bool same_columns(const ColumnSet& a, const ColumnSet& b) { return &a == &b || (a.all() && b.all()); }

/// Columns in other units and from another origin: x'_j = (x_j - shift_j) inverse_j. Empty: as they are.
struct Coordinates {
    std::vector<double> shift, inverse; // (d); inverse 0: a constant column, which is then a column of zeros

    double value(std::size_t j, double x) const { return inverse.empty() ? x : (x - shift[j]) * inverse[j]; }
};

class Design {
  public:
    /// What one thread needs to work on a block.
    struct Scratch {
        Buffer<double> panel;    // rows of a block, copied
        Buffer<double> weighted; // the same times their weights
        std::size_t begin = 0, end = 0;
    };

    virtual ~Design() = default;
    std::size_t n_rows() const { return n_rows_; }
    std::size_t n_cols() const { return n_cols_; }
    std::size_t padded_cols() const { return simd::round_up(n_cols_, column_unit); }
    /// Rows of one block, a multiple of 8.
    std::size_t block_rows() const { return block_rows_; }
    /// Entries that are stored: what one sweep reads.
    virtual std::size_t n_stored() const = 0;

    /// coef (K, d), intercept (K) in.
    Coefficients coefficients(MatrixView<const double> coef, VectorView<const double> intercept) const;
    /// theta (K, d + 1) in.
    Coefficients coefficients(const double* theta, std::size_t n_outputs) const;

    /// z (K, block_rows) out: x_i . w_k + b_k for the rows begin .. end.
    virtual void scores(std::size_t begin, std::size_t end, const Coefficients& w, double* z,
                        Scratch& scratch) const = 0;

    /// Doubles that a sum of gradients takes.
    virtual std::size_t gradient_size(std::size_t n_outputs) const = 0;
    /// sum += sum_i r_ki x_i, r (K, block_rows) in.
    virtual void add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t n_outputs, double* sum,
                              Scratch& scratch) const = 0;
    /// gradient (K, d + 1) out, but for its last column.
    virtual void read_gradient(const double* sum, std::size_t n_outputs, double* gradient) const = 0;

    /// sum (rows.size(), columns.stride()) += sum_i h_i a_i b_i^T, where a_i holds the values of row i in `rows`, b_i
    /// those in `columns`; h (end - begin) in, several blocks at once if wanted. Where both hold the same columns, only
    /// what is on and above the diagonal is made sure of.
    virtual void add_products(std::size_t begin, std::size_t end, const double* h, const ColumnSet& rows,
                              const ColumnSet& columns, double* sum, Scratch& scratch) const = 0;
    /// sum (padded_cols) += sum_i h_i x_i^2, column by column.
    virtual void add_squares(std::size_t begin, std::size_t end, const double* h, double* sum,
                             Scratch& scratch) const = 0;
    /// squares (end - begin) out: |x'_i|^2.
    virtual void row_squares(std::size_t begin, std::size_t end, const Coordinates& in, double* squares) const = 0;
    /// A rough number of nanoseconds that one row costs in add_products.
    virtual double products_ns(const ColumnSet& rows, const ColumnSet& columns) const = 0;

  protected:
    Design(std::size_t n_rows, std::size_t n_cols, std::size_t block_rows)
        : n_rows_(n_rows), n_cols_(n_cols), block_rows_(block_rows) {}

  private:
    std::size_t n_rows_, n_cols_, block_rows_;
};

std::unique_ptr<Design> make_design(const Table& X);

} // namespace mlcore::linalg
