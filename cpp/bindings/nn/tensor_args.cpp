#include "bindings/nn/tensor_args.hpp"

namespace mlcore::bindings {
namespace {

template <class T>
std::string expected_text(int ndim) {
    return "an array of " + detail::dtype_name<T>() + (ndim < 0 ? "" : " with " + std::to_string(ndim) + " axes");
}

template <class T>
std::string expected_text(const Shape& shape) {
    return "an array of " + detail::dtype_name<T>() + " with shape " + shape_text(shape);
}

Shape shape_of(const py::array& array) {
    Shape shape;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
        shape.push_back(static_cast<std::size_t>(array.shape(axis)));
    return shape;
}

/// expected() -> text: made only for a message, as it asks Python for the name of a dtype.
template <class T, class Expected>
py::array array_arg(const char* name, py::handle object, Expected&& expected) {
    auto array = detail::array_of<T>(object);
    if (!array) detail::wrong_type(name, expected(), object);
    return *std::move(array);
}

void check_c_order(const char* name, const py::array& array) {
    const auto item = static_cast<std::uintptr_t>(array.itemsize());
    if (array.size() > 0 && reinterpret_cast<std::uintptr_t>(array.data()) % item != 0)
        detail::wrong_value(name, "an aligned array (numpy.require(x, requirements='CA') makes one)", array);
    if (!(array.flags() & py::array::c_style) && array.size() > 0)
        throw ValueError(std::string(name) + " must be in C order, got " + describe(array) + " with other strides");
}

void check_writeable(const char* name, const py::array& array) {
    if (!array.writeable()) throw ValueError(std::string(name) + " is written to, but is read-only");
}

template <class T>
std::vector<std::ptrdiff_t> strides_of(const char* name, const py::array& array) {
    std::vector<std::ptrdiff_t> strides;
    for (int axis = 0; axis < array.ndim(); ++axis) strides.push_back(detail::element_stride(name, array, axis, 1));
    return strides;
}

} // namespace

std::string shape_text(const Shape& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + (shape.size() == 1 ? ",)" : ")");
}

std::size_t n_entries(const Shape& shape) {
    std::size_t n = 1;
    for (const std::size_t size : shape) n *= size;
    return n;
}

template <class T>
TensorView<const T> tensor_arg(const char* name, py::handle object, int ndim) {
    const py::array array = array_arg<T>(name, object, [&] { return expected_text<T>(ndim); });
    if (ndim < 0 ? array.ndim() == 0 : array.ndim() != ndim)
        detail::wrong_value(name, ndim < 0 ? "an array with at least one axis" : expected_text<T>(ndim), object);
    check_c_order(name, array);
    return {static_cast<const T*>(array.data()), shape_of(array)};
}

template <class T>
TensorView<const T> tensor_arg(const char* name, py::handle object, const Shape& shape) {
    const py::array array = array_arg<T>(name, object, [&] { return expected_text<T>(shape); });
    if (shape_of(array) != shape) detail::wrong_value(name, expected_text<T>(shape), object);
    check_c_order(name, array);
    return {static_cast<const T*>(array.data()), shape};
}

template <class T>
TensorView<const T> optional_tensor_arg(const char* name, py::handle object, const Shape& shape) {
    if (object.is_none()) return {nullptr, shape};
    return tensor_arg<T>(name, object, shape);
}

template <class T>
TensorView<T> output_arg(const char* name, py::handle object, const Shape& shape) {
    py::array array = array_arg<T>(name, object, [&] { return expected_text<T>(shape); });
    if (shape_of(array) != shape) detail::wrong_value(name, expected_text<T>(shape), object);
    check_c_order(name, array);
    check_writeable(name, array);
    return {static_cast<T*>(array.mutable_data()), shape};
}

template <class T>
StridedView<const T> strided_arg(const char* name, py::handle object, int ndim) {
    const py::array array = array_arg<T>(name, object, [&] { return expected_text<T>(ndim); });
    if (array.ndim() != ndim) detail::wrong_value(name, expected_text<T>(ndim), object);
    return {static_cast<const T*>(array.data()), shape_of(array), strides_of<T>(name, array)};
}

template <class T>
StridedView<T> strided_output_arg(const char* name, py::handle object, const Shape& shape) {
    py::array array = array_arg<T>(name, object, [&] { return expected_text<T>(shape); });
    if (shape_of(array) != shape) detail::wrong_value(name, expected_text<T>(shape), object);
    check_writeable(name, array);
    return {static_cast<T*>(array.mutable_data()), shape, strides_of<T>(name, array)};
}

TensorView<const std::int64_t> offsets_arg(const char* name, py::handle object, std::size_t n_rows) {
    const auto offsets = tensor_arg<std::int64_t>(name, object, 1);
    if (offsets.size() == 0) throw ValueError(std::string(name) + " must begin with 0, but is empty");
    const auto at = [&](std::size_t b) { return std::string(name) + "[" + std::to_string(b) + "]"; };
    if (offsets.data[0] != 0) throw ValueError(at(0) + " must be 0, got " + std::to_string(offsets.data[0]));
    for (std::size_t b = 1; b < offsets.size(); ++b)
        if (offsets.data[b] < offsets.data[b - 1])
            throw ValueError(std::string(name) + " must not fall, but " + at(b) + " is " +
                             std::to_string(offsets.data[b]) + " after " + std::to_string(offsets.data[b - 1]));
    const std::int64_t end = offsets.data[offsets.size() - 1];
    if (static_cast<std::size_t>(end) != n_rows)
        throw ValueError(std::string(name) + " must end with the number of rows, " + std::to_string(n_rows) + ", got " +
                         std::to_string(end));
    return offsets;
}

std::vector<std::int64_t> pair_offsets(const TensorView<const std::int64_t>& query_offsets,
                                       const TensorView<const std::int64_t>& key_offsets) {
    const std::int64_t *queries = query_offsets.data, *keys = key_offsets.data;
    if (query_offsets.size() != key_offsets.size())
        throw ValueError("offsets of " + std::to_string(query_offsets.size() - 1) +
                         " sequences do not go with key_offsets of " + std::to_string(key_offsets.size() - 1));
    std::vector<std::int64_t> first{0};
    for (std::size_t b = 0; b + 1 < query_offsets.size(); ++b) {
        std::int64_t pairs;
        if (__builtin_mul_overflow(queries[b + 1] - queries[b], keys[b + 1] - keys[b], &pairs) ||
            __builtin_add_overflow(first.back(), pairs, &pairs))
            throw ValueError("there are too many pairs of a query and a key");
        first.push_back(pairs);
    }
    return first;
}

template <class T>
py::array_t<T> pooled_array(const Shape& shape) {
    const std::vector<py::ssize_t> sizes(shape.begin(), shape.end());
    const std::size_t n = n_entries(shape);
    if (n == 0) return py::array_t<T>(sizes);
    auto block = std::make_unique<Scratch<T>>(n);
    T* data = block->data();
    const py::capsule owner(block.get(), [](void* p) { delete static_cast<Scratch<T>*>(p); });
    static_cast<void>(block.release());
    return py::array_t<T>(sizes, data, owner);
}

#define MLCORE_TENSOR_ARGS(T)                                                                                          \
    template TensorView<const T> tensor_arg<T>(const char*, py::handle, int);                                          \
    template TensorView<const T> tensor_arg<T>(const char*, py::handle, const Shape&);                                 \
    template TensorView<const T> optional_tensor_arg<T>(const char*, py::handle, const Shape&);                        \
    template TensorView<T> output_arg<T>(const char*, py::handle, const Shape&);                                       \
    template StridedView<const T> strided_arg<T>(const char*, py::handle, int);                                        \
    template StridedView<T> strided_output_arg<T>(const char*, py::handle, const Shape&);                              \
    template py::array_t<T> pooled_array<T>(const Shape&);
MLCORE_TENSOR_ARGS(float)
MLCORE_TENSOR_ARGS(std::int64_t)
MLCORE_TENSOR_ARGS(std::int32_t)
MLCORE_TENSOR_ARGS(bool)

} // namespace mlcore::bindings
