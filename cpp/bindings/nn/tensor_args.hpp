// Arrays of any rank as the kernels of neural networks take them: C-ordered or strided, read in place, and results in
// arrays whose memory comes from, and goes back to, the shared pool.
#pragma once

#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mlcore::bindings {

using Shape = std::vector<std::size_t>;

/// "(2, 3)"
std::string shape_text(const Shape& shape);

/// Number of entries.
std::size_t n_entries(const Shape& shape);

/// A C-ordered array of T, read in place; lives as long as the Python object.
template <class T>
struct TensorView {
    T* data = nullptr;
    Shape shape;

    std::size_t size() const { return n_entries(shape); }
    std::size_t ndim() const { return shape.size(); }
    std::size_t last() const { return shape.back(); }
    /// All axes but the last as one.
    std::size_t rows() const { return shape.empty() || last() == 0 ? 0 : size() / last(); }
};

/// A C-ordered array of T (float, std::int64_t, std::int32_t, bool) with `ndim` axes (-1: any
/// number, one at least). Throws TypeError for another dtype, ValueError for another layout; the messages name it.
template <class T = float>
TensorView<const T> tensor_arg(const char* name, py::handle object, int ndim = -1);

/// As tensor_arg, with just this shape.
template <class T = float>
TensorView<const T> tensor_arg(const char* name, py::handle object, const Shape& shape);

/// Data nullptr for None.
template <class T = float>
TensorView<const T> optional_tensor_arg(const char* name, py::handle object, const Shape& shape);

/// Offsets of packed sequences: int64 (B + 1), rising from 0 to n_rows.
TensorView<const std::int64_t> offsets_arg(const char* name, py::handle object, std::size_t n_rows);

/// Where the pairs (query, key) of each of some packed sequences begin among all pairs, and how many there are. Throws
/// ValueError where 64 bits do not count them: rows without features take no memory, however many there are.
std::vector<std::int64_t> pair_offsets(const TensorView<const std::int64_t>& query_offsets,
                                       const TensorView<const std::int64_t>& key_offsets);

/// An array that is written to: C-ordered, writeable, with just this shape.
template <class T = float>
TensorView<T> output_arg(const char* name, py::handle object, const Shape& shape);

/// An array of T with any strides (in elements), such as a transposed view.
template <class T>
struct StridedView {
    T* data = nullptr;
    Shape shape;
    std::vector<std::ptrdiff_t> strides;
};
template <class T = float>
StridedView<const T> strided_arg(const char* name, py::handle object, int ndim);
template <class T = float>
StridedView<T> strided_output_arg(const char* name, py::handle object, const Shape& shape);

/// An uninitialised C-ordered array whose memory goes back to the shared pool.
template <class T = float>
py::array_t<T> pooled_array(const Shape& shape);

/// A pooled array of this shape whose entries f(const RunContext&, float*) computes, without the GIL.
template <class F>
py::array_t<float> computed(const Shape& shape, int n_threads, std::uint64_t seed, F&& f) {
    auto out = pooled_array<float>(shape);
    float* data = out.mutable_data();
    run(n_threads, seed, [&](const RunContext& ctx) { f(ctx, data); });
    return out;
}
template <class F>
py::array_t<float> computed(const Shape& shape, int n_threads, F&& f) {
    return computed(shape, n_threads, 0, std::forward<F>(f));
}

/// A result that may not be wanted: a pooled array, or None with `data` nullptr.
template <class T = float>
struct OptionalArray {
    OptionalArray() = default;
    OptionalArray(bool wanted, const Shape& shape) {
        if (!wanted) return;
        auto array = pooled_array<T>(shape);
        data = array.mutable_data();
        object = std::move(array);
    }

    py::object object = py::none();
    T* data = nullptr;
};

} // namespace mlcore::bindings
