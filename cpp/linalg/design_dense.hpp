// Rows of a dense table.
//
// One output (two classes): a product is a dot product, vectors run over columns, several rows at a time. More outputs:
// vectors run over outputs, one value of a row is spread over all lanes. Sums of gradients: vectors run over columns, a
// tile of outputs x columns stays in registers for all rows of the block. Products of columns
// are the same sum with the row's own values in the place of outputs.
//
// ColumnSet are taken in whole vectors; those that are left over, and all of a table whose columns do not lie side by
// side, are copied into a panel padded with zeros, block by block.
#pragma once

#include "linalg/design.hpp"

namespace mlcore::linalg {

template <class T>
class DenseDesign final : public Design {
  public:
    explicit DenseDesign(MatrixView<const T> X);

    std::size_t n_stored() const override { return n_rows() * n_cols(); }
    void scores(std::size_t begin, std::size_t end, const Coefficients& w, double* z, Scratch& scratch) const override;
    std::size_t gradient_size(std::size_t n_outputs) const override { return n_outputs * padded_cols(); }
    void add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t n_outputs, double* sum,
                      Scratch& scratch) const override;
    void read_gradient(const double* sum, std::size_t n_outputs, double* gradient) const override;
    void add_products(std::size_t begin, std::size_t end, const double* h, const ColumnSet& rows,
                      const ColumnSet& columns, double* sum, Scratch& scratch) const override;
    void add_squares(std::size_t begin, std::size_t end, const double* h, double* sum, Scratch& scratch) const override;
    void row_squares(std::size_t begin, std::size_t end, const Coordinates& in, double* squares) const override;
    double products_ns(const ColumnSet& rows, const ColumnSet& columns) const override {
        return 0.04 * static_cast<double>(rows.size() * columns.stride());
    }

  private:
    /// Copies the columns from n_direct_ on, zeros after the last one.
    void pack(std::size_t begin, std::size_t end, Scratch& scratch) const;
    /// One row's values in the columns, 1, zeros up to their stride.
    void copy_row(std::size_t i, const ColumnSet& columns, double* to) const;
    const T* row(std::size_t i) const { return X_.data + static_cast<std::ptrdiff_t>(i) * X_.row_stride; }

    MatrixView<const T> X_;
    std::size_t n_direct_; // columns that are read in place, a multiple of column_unit
};

} // namespace mlcore::linalg
