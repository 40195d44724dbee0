// NumPy arrays as views, without copies: an array that cannot be read in place is an error that says so, never a silent
// conversion. Read-only, strided and Fortran-ordered arrays are all read in place. A view lives as long as the Python
// object that it was made from, which the caller holds.
#pragma once

#include "core/error.hpp"
#include "core/table.hpp"
#include "core/view.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace mlcore::bindings {

namespace py = pybind11;

/// "an array of int64 with shape (3, 2)" or "a value of type 'str'".
std::string describe(py::handle object);

/// A dense 2-D array of float32 or float64, or a CSR matrix as the tuple (data, indices, indptr, (rows, cols)).
/// Throws TypeError, ValueError. The index arrays of a CSR matrix are checked: kernels may trust them.
Table table_arg(const char* name, py::handle object);

namespace detail {

[[noreturn]] void wrong_type(const char* name, const std::string& expected, py::handle got);
[[noreturn]] void wrong_value(const char* name, const std::string& expected, py::handle got);

/// The array that `object` is if it holds exactly T (byte order included), else nothing.
template <class T>
std::optional<py::array> array_of(py::handle object) {
    if (!py::isinstance<py::array_t<T>>(object)) return std::nullopt;
    return py::reinterpret_borrow<py::array>(object);
}

/// Stride of an axis in elements; `if_single` where the axis has one place and any stride would do.
std::ptrdiff_t element_stride(const char* name, const py::array& array, int axis, std::size_t if_single);

template <class T>
std::string dtype_name() {
    return py::str(py::dtype::of<T>());
}

/// "a 1-D array of int64 with 3 entries"
template <class T>
std::string expected_array(const char* axes, std::optional<std::size_t> size, const char* of_what) {
    const std::string array = std::string("a ") + axes + " array of " + dtype_name<T>();
    return size ? array + " with " + std::to_string(*size) + " " + of_what : array;
}

template <class T>
MatrixView<const T> matrix_view(const char* name, const py::array& array) {
    if (array.ndim() != 2) wrong_value(name, "a 2-D array", array);
    const auto rows = static_cast<std::size_t>(array.shape(0)), cols = static_cast<std::size_t>(array.shape(1));
    return {static_cast<const T*>(array.data()), rows, cols, element_stride(name, array, 0, cols),
            element_stride(name, array, 1, 1)};
}

} // namespace detail

/// 1-D array of T with any stride; `size` entries where a size is given.
template <class T>
VectorView<const T> vector_arg(const char* name, py::handle object, std::optional<std::size_t> size = {}) {
    const auto expected = [&] { return detail::expected_array<T>("1-D", size, "entries"); };
    const auto array = detail::array_of<T>(object);
    if (!array) detail::wrong_type(name, expected(), object);
    if (array->ndim() != 1 || (size && static_cast<std::size_t>(array->shape(0)) != *size))
        detail::wrong_value(name, expected(), object);
    return {static_cast<const T*>(array->data()), static_cast<std::size_t>(array->shape(0)),
            detail::element_stride(name, *array, 0, 1)};
}

/// As vector_arg, and the entries lie side by side.
template <class T>
std::span<const T> span_arg(const char* name, py::handle object, std::optional<std::size_t> size = {}) {
    const VectorView<const T> view = vector_arg<T>(name, object, size);
    if (!view.contiguous()) detail::wrong_value(name, "a contiguous array", object);
    return {view.data, view.size};
}

/// As span_arg; empty for None.
template <class T>
std::span<const T> optional_span_arg(const char* name, py::handle object, std::optional<std::size_t> size = {}) {
    return object.is_none() ? std::span<const T>() : span_arg<T>(name, object, size);
}

/// 2-D array of T with any strides; `cols` columns where a number is given.
template <class T>
MatrixView<const T> matrix_arg(const char* name, py::handle object, std::optional<std::size_t> cols = {}) {
    const auto expected = [&] { return detail::expected_array<T>("2-D", cols, "columns"); };
    const auto array = detail::array_of<T>(object);
    if (!array) detail::wrong_type(name, expected(), object);
    const MatrixView<const T> view = detail::matrix_view<T>(name, *array);
    if (cols && view.cols != *cols) detail::wrong_value(name, expected(), object);
    return view;
}

/// As matrix_arg; data nullptr for None.
template <class T>
MatrixView<const T> optional_matrix_arg(const char* name, py::handle object, std::optional<std::size_t> cols = {}) {
    return object.is_none() ? MatrixView<const T>{} : matrix_arg<T>(name, object, cols);
}

/// The entries of a 2-D array of T in C order, row by row, with `cols` columns, and `rows` rows where a number is
/// given.
template <class T>
std::span<const T> rows_arg(const char* name, py::handle object, std::size_t cols,
                            std::optional<std::size_t> rows = {}) {
    const MatrixView<const T> view = matrix_arg<T>(name, object, cols);
    if (rows && view.rows != *rows)
        detail::wrong_value(name, "an array with " + std::to_string(*rows) + " rows", object);
    if (!view.rows_contiguous() || (view.rows > 1 && view.row_stride != static_cast<std::ptrdiff_t>(cols)))
        detail::wrong_value(name, "an array in C order", object);
    return {view.data, view.rows * cols};
}

/// The container's memory as a NumPy array that owns it, without a copy; 1-D unless a shape is given.
template <class Container>
py::array_t<typename Container::value_type> to_numpy(Container&& values, std::vector<py::ssize_t> shape = {}) {
    static_assert(!std::is_reference_v<Container>, "the array takes the container over: std::move it");
    if (shape.empty()) shape = {static_cast<py::ssize_t>(values.size())};
    auto owned = std::make_unique<Container>(std::move(values));
    auto* data = owned->data();
    const py::capsule owner(owned.get(), [](void* p) { delete static_cast<Container*>(p); });
    static_cast<void>(owned.release());
    return py::array_t<typename Container::value_type>(std::move(shape), data, owner);
}

/// The same as rows of `cols` values each.
template <class Container>
py::array_t<typename Container::value_type> rows_to_numpy(Container&& values, std::size_t cols) {
    const auto rows = static_cast<py::ssize_t>(values.size() / cols);
    return to_numpy(std::forward<Container>(values), {rows, static_cast<py::ssize_t>(cols)});
}

} // namespace mlcore::bindings
