#include "bindings/numpy_args.hpp"

namespace mlcore::bindings {
namespace {

template <class T, class Index>
CsrView<T, Index> csr_view(const char* name, py::handle data, py::handle indices, py::handle indptr, std::size_t rows,
                           std::size_t cols) {
    const std::string part = name;
    const auto values = span_arg<T>((part + ".data").c_str(), data);
    const auto columns = span_arg<Index>((part + ".indices").c_str(), indices, values.size());
    const auto starts = span_arg<Index>((part + ".indptr").c_str(), indptr, rows + 1);
    const CsrView<T, Index> view{values.data(), columns.data(), starts.data(), rows, cols};
    {
        const py::gil_scoped_release no_gil;
        check_csr(view, values.size());
    }
    return view;
}

template <class T>
Table csr_of(const char* name, py::handle data, py::handle indices, py::handle indptr, std::size_t rows,
             std::size_t cols) {
    if (detail::array_of<std::int32_t>(indices))
        return csr_view<T, std::int32_t>(name, data, indices, indptr, rows, cols);
    return csr_view<T, std::int64_t>(name, data, indices, indptr, rows, cols);
}

Table csr_arg(const char* name, const py::tuple& csr) {
    const char* form = "a tuple (data, indices, indptr, (rows, cols))";
    if (csr.size() != 4 || !py::isinstance<py::tuple>(csr[3])) detail::wrong_type(name, form, csr);
    const auto shape = py::reinterpret_borrow<py::tuple>(csr[3]);
    if (shape.size() != 2 || !py::isinstance<py::int_>(shape[0]) || !py::isinstance<py::int_>(shape[1]))
        detail::wrong_type(name, form, csr);
    const auto rows = shape[0].cast<py::ssize_t>(), cols = shape[1].cast<py::ssize_t>();
    if (rows < 0 || cols < 0) throw ValueError(std::string(name) + " has a negative shape");
    const auto n_rows = static_cast<std::size_t>(rows), n_cols = static_cast<std::size_t>(cols);
    if (detail::array_of<float>(csr[0])) return csr_of<float>(name, csr[0], csr[1], csr[2], n_rows, n_cols);
    return csr_of<double>(name, csr[0], csr[1], csr[2], n_rows, n_cols);
}

} // namespace

std::string describe(py::handle object) {
    if (!py::isinstance<py::array>(object))
        return "a value of type '" + std::string(Py_TYPE(object.ptr())->tp_name) + "'";
    const auto array = py::reinterpret_borrow<py::array>(object);
    return "an array of " + std::string(py::str(array.dtype())) + " with shape " +
           std::string(py::str(object.attr("shape")));
}

void detail::wrong_type(const char* name, const std::string& expected, py::handle got) {
    throw TypeError(std::string(name) + " must be " + expected + ", got " + describe(got));
}

void detail::wrong_value(const char* name, const std::string& expected, py::handle got) {
    throw ValueError(std::string(name) + " must be " + expected + ", got " + describe(got));
}

std::ptrdiff_t detail::element_stride(const char* name, const py::array& array, int axis, std::size_t if_single) {
    const py::ssize_t bytes = array.strides(axis), item = array.itemsize();
    // A view into a structured array can start or step between items.
    if (reinterpret_cast<std::uintptr_t>(array.data()) % static_cast<std::uintptr_t>(item) != 0)
        wrong_value(name, "an aligned array (numpy.ascontiguousarray makes one)", array);
    if (array.shape(axis) <= 1) return static_cast<std::ptrdiff_t>(if_single);
    if (bytes % item != 0) wrong_value(name, "an array with strides of whole items", array);
    return bytes / item;
}

Table table_arg(const char* name, py::handle object) {
    if (const auto array = detail::array_of<float>(object)) return detail::matrix_view<float>(name, *array);
    if (const auto array = detail::array_of<double>(object)) return detail::matrix_view<double>(name, *array);
    if (py::isinstance<py::tuple>(object)) return csr_arg(name, py::reinterpret_borrow<py::tuple>(object));
    detail::wrong_type(name, "a 2-D array of float32 or float64", object);
}

} // namespace mlcore::bindings
