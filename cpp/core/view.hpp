// Non-owning views: what kernels take instead of arrays. Strides count elements and may be negative or zero, so that
// any NumPy layout is read in place.
#pragma once

#include "core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>

namespace mlcore {

template <class T>
struct VectorView {
    T* data = nullptr;
    std::size_t size = 0;
    std::ptrdiff_t stride = 1;

    T& operator[](std::size_t i) const { return data[static_cast<std::ptrdiff_t>(i) * stride]; }
    bool contiguous() const { return stride == 1 || size <= 1; }
    operator VectorView<const T>() const
        requires(!std::is_const_v<T>)
    {
        return {data, size, stride};
    }
};

template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0, cols = 0;
    std::ptrdiff_t row_stride = 0, col_stride = 1;

    T& operator()(std::size_t i, std::size_t j) const {
        return data[static_cast<std::ptrdiff_t>(i) * row_stride + static_cast<std::ptrdiff_t>(j) * col_stride];
    }
    VectorView<T> row(std::size_t i) const { return {&(*this)(i, 0), cols, col_stride}; }
    VectorView<T> col(std::size_t j) const { return {&(*this)(0, j), rows, row_stride}; }
    /// Elements of one row lie side by side: row(i).data is a plain array.
    bool rows_contiguous() const { return col_stride == 1 || cols <= 1; }
    bool cols_contiguous() const { return row_stride == 1 || rows <= 1; }
    operator MatrixView<const T>() const
        requires(!std::is_const_v<T>)
    {
        return {data, rows, cols, row_stride, col_stride};
    }
};

/// C order over memory that somebody else owns.
template <class T>
MatrixView<T> row_major(T* data, std::size_t rows, std::size_t cols) {
    return {data, rows, cols, static_cast<std::ptrdiff_t>(cols), 1};
}

/// Compressed sparse rows: row i holds data[k] in column indices[k] for k in [indptr[i], indptr[i + 1]).
/// Absent entries are zero. Column numbers within a row may be in any order.
template <class T, class Index>
struct CsrView {
    const T* data = nullptr;
    const Index* indices = nullptr;
    const Index* indptr = nullptr; // rows + 1 entries
    std::size_t rows = 0, cols = 0;

    std::size_t begin(std::size_t row) const { return static_cast<std::size_t>(indptr[row]); }
    std::size_t end(std::size_t row) const { return static_cast<std::size_t>(indptr[row + 1]); }
    std::size_t n_stored() const { return static_cast<std::size_t>(indptr[rows]); }
};

/// Throws ValueError unless the view may be read without leaving its arrays, which hold n_stored entries.
template <class T, class Index>
void check_csr(const CsrView<T, Index>& x, std::size_t n_stored) {
    if (x.indptr[0] != 0) throw ValueError("indptr of a CSR matrix must start with 0");
    for (std::size_t i = 0; i < x.rows; ++i)
        if (x.indptr[i + 1] < x.indptr[i])
            throw ValueError("indptr of a CSR matrix must not decrease, but does after row " + std::to_string(i));
    const std::size_t used = x.n_stored();
    if (used > n_stored)
        throw ValueError("indptr of a CSR matrix ends at " + std::to_string(used) + ", but only " +
                         std::to_string(n_stored) + " entries are stored");
    // As unsigned numbers negative ones are the largest: a maximum, which is taken many at a time, finds both.
    using Unsigned = std::make_unsigned_t<Index>;
    Unsigned largest = 0;
    for (std::size_t k = 0; k < used; ++k) largest = std::max(largest, static_cast<Unsigned>(x.indices[k]));
    if (used == 0 || largest < x.cols) return;
    for (std::size_t k = 0; k < used; ++k)
        if (x.indices[k] < 0 || static_cast<std::size_t>(x.indices[k]) >= x.cols)
            throw ValueError("column index " + std::to_string(x.indices[k]) + " of a CSR matrix is outside its " +
                             std::to_string(x.cols) + " columns");
}

} // namespace mlcore
