// Submodule `nn`: convolution, pooling, batch normalisation. Images are (n,
// channels, rows, columns).
#include "bindings/nn/nn.hpp"

#include "bindings/module.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/batch_norm.hpp"
#include "nn/convolution/convolution.hpp"
#include "nn/pooling.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;
using namespace linalg;

using Pair = std::array<std::int64_t, 2>; // of rows, of columns

/// `value` as a size in [least, 2^31): products of two of them stay within 64
/// bits.
std::size_t size_arg(const char* name, std::int64_t value, std::int64_t least) {
    if (value < least || value > std::numeric_limits<std::int32_t>::max())
        throw ValueError(std::string(name) + " must be in [" + std::to_string(least) + ", 2^31), got " +
                         std::to_string(value));
    return static_cast<std::size_t>(value);
}

/// Windows that fit into n_in entries with so many zeros before and behind
/// them.
std::size_t n_windows(std::size_t n_in, std::size_t kernel, std::size_t stride, std::size_t dilation,
                      std::size_t before, std::size_t behind) {
    const std::size_t whole = n_in + before + behind, span = dilation * (kernel - 1) + 1;
    if (n_in == 0 || span > whole)
        throw ValueError("a window of " + std::to_string(span) + " entries does not fit into " + std::to_string(n_in) +
                         " with a padding of " + std::to_string(before) + " and " + std::to_string(behind));
    return (whole - span) / stride + 1;
}

/// How a convolution walks, from Python's arguments. padding: before and
/// behind, of rows and of columns.
ConvolutionShape convolution_shape(const Shape& x, const Shape& w, const Pair& stride,
                                   const std::array<std::int64_t, 4>& padding, const Pair& dilation,
                                   std::int64_t groups) {
    const std::size_t g = size_arg("groups", groups, 1);
    if (x[0] == 0) throw ValueError("convolution of an empty batch of shape " + shape_text(x));
    if (w[0] == 0 || w[1] == 0 || w[2] == 0 || w[3] == 0 || w[0] % g != 0 || x[1] != w[1] * g)
        throw ValueError("x of shape " + shape_text(x) + " does not fit weight of shape " + shape_text(w) + " with " +
                         std::to_string(g) + " groups");
    double padded = static_cast<double>(x[1]); // entries of an image with its padding
    const auto axis = [&](std::size_t i) {
        const std::size_t s = size_arg("stride", stride[i], 1), d = size_arg("dilation", dilation[i], 1);
        const std::size_t before = size_arg("padding", padding[2 * i], 0);
        const std::size_t n_in = x[i + 2], kernel = w[i + 2];
        const std::size_t behind = size_arg("padding", padding[2 * i + 1], 0);
        const std::size_t n_out = n_windows(n_in, kernel, s, d, before, behind);
        padded *= static_cast<double>(n_in + before + behind);
        return ConvolutionAxis{n_in, kernel, n_out, s, d, before};
    };
    const ConvolutionShape shape{x[0], x[1], w[0], g, axis(0), axis(1)};
    const double size = static_cast<double>(shape.n * shape.filters) * static_cast<double>(shape.rows.n_out) *
                        static_cast<double>(shape.cols.n_out);
    // Windows are at most a few times as large as that: their sizes do not wrap around.
    constexpr double most = static_cast<double>(address_space / sizeof(float)) / 64;
    if (size > most || padded > most) throw std::bad_alloc();
    return shape;
}

Shape output_shape(const ConvolutionShape& s) { return {s.n, s.filters, s.rows.n_out, s.cols.n_out}; }

/// Returns (y, what went into the activation or None).
py::tuple py_convolution(py::object x, py::object weight, py::object bias, const Pair& stride,
                         const std::array<std::int64_t, 4>& padding, const Pair& dilation, std::int64_t groups,
                         const std::string& activation, bool keep_input, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 4), W = tensor_arg<float>("weight", weight, 4);
    const ConvolutionShape shape = convolution_shape(X.shape, W.shape, stride, padding, dilation, groups);
    const auto b = optional_tensor_arg<float>("bias", bias, {shape.filters});
    const Activation f = parse_activation(activation);
    auto out = pooled_array<float>(output_shape(shape));
    float* y = out.mutable_data();
    OptionalArray<> z(keep_input && gradient_needs_input(f), output_shape(shape));
    run(n_threads, 0, [&](const RunContext& ctx) { convolve(ctx, shape, X.data, W.data, b.data, f, z.data, y); });
    return py::make_tuple(std::move(out), std::move(z.object));
}

/// Returns (dx, dw, db), None for what is not wanted.
py::tuple py_convolution_backward(py::object x, py::object weight, py::object dy, const Pair& stride,
                                  const std::array<std::int64_t, 4>& padding, const Pair& dilation, std::int64_t groups,
                                  const std::array<bool, 3>& wanted, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 4), W = tensor_arg<float>("weight", weight, 4);
    const ConvolutionShape shape = convolution_shape(X.shape, W.shape, stride, padding, dilation, groups);
    const auto D = tensor_arg<float>("dy", dy, output_shape(shape));
    OptionalArray<> dx(wanted[0], X.shape), dw(wanted[1], W.shape), db(wanted[2], {shape.filters});
    run(n_threads, 0, [&](const RunContext& ctx) {
        if (dx.data) convolve_input_gradient(ctx, shape, D.data, W.data, dx.data);
        if (dw.data)
            convolve_weight_gradient(ctx, shape, X.data, D.data, dw.data, db.data);
        else if (db.data)
            convolve_bias_gradient(ctx, shape, D.data, db.data);
    });
    return py::make_tuple(dx.object, dw.object, db.object);
}

bool meets_entry(const PoolingAxis& a, std::size_t out) {
    const std::size_t at = out * a.stride, before = at < a.padding ? a.padding - at : 0;
    const std::size_t tap = (before + a.dilation - 1) / a.dilation; // the first that is not in the padding
    return tap < a.n_kernel && at + tap * a.dilation - a.padding < a.n_in;
}

/// x of max_pool, whose places are numbers of 32 bits.
TensorView<const float> planes_arg(py::handle x) {
    auto X = tensor_arg<float>("x", x, 4);
    if (X.shape[2] * X.shape[3] > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("max_pool takes planes of fewer than 2^31 entries");
    return X;
}

/// Both results of max_pool, from f(context, y, where).
template <class F>
py::tuple largest_and_places(const Shape& shape, int n_threads, F&& f) {
    auto places = pooled_array<std::int32_t>(shape);
    std::int32_t* where = places.mutable_data();
    auto y = computed(shape, n_threads, [&](const RunContext& ctx, float* out) { f(ctx, out, where); });
    return py::make_tuple(std::move(y), std::move(places));
}

/// Returns (y, the place of each largest entry within its plane).
py::tuple py_max_pool(py::object x, const Pair& kernel, const Pair& stride, const Pair& padding, const Pair& dilation,
                      const Pair& n_out, int n_threads) {
    const auto X = planes_arg(x);
    const auto axis = [&](std::size_t i) {
        const PoolingAxis a{X.shape[i + 2],
                            size_arg("kernel_size", kernel[i], 1),
                            size_arg("output size", n_out[i], 1),
                            size_arg("stride", stride[i], 1),
                            size_arg("dilation", dilation[i], 1),
                            size_arg("padding", padding[i], 0)};
        for (std::size_t out = 0; out < a.n_out; ++out)
            if (!meets_entry(a, out))
                throw ValueError("a window of max_pool lies outside of x of shape " + shape_text(X.shape));
        return a;
    };
    const PoolingAxis rows = axis(0), cols = axis(1);
    const Shape shape{X.shape[0], X.shape[1], rows.n_out, cols.n_out};
    return largest_and_places(shape, n_threads, [&](const RunContext& ctx, float* y, std::int32_t* where) {
        max_pool(ctx, X.shape[0] * X.shape[1], rows, cols, X.data, y, where);
    });
}

py::array_t<float> py_max_pool_backward(py::object dy, py::object where, const Shape& shape, int n_threads) {
    const auto D = tensor_arg<float>("dy", dy, 4);
    const auto places = tensor_arg<std::int32_t>("where", where, D.shape);
    if (shape.size() != 4 || shape[0] != D.shape[0] || shape[1] != D.shape[1])
        throw ValueError("x of shape " + shape_text(shape) + " does not fit dy of shape " + shape_text(D.shape));
    const std::size_t n_in = shape[2] * shape[3], n_out = D.shape[2] * D.shape[3];
    std::uint32_t last = 0; // of the places; negative ones count as large
    for (std::size_t i = 0, n = places.size(); i < n; ++i)
        last = std::max(last, static_cast<std::uint32_t>(places.data[i]));
    if (places.size() > 0 && last >= n_in) throw ValueError("where must hold places of a plane of x");
    return computed(shape, n_threads, [&](const RunContext& ctx, float* dx) {
        max_pool_backward(ctx, shape[0] * shape[1], n_in, n_out, D.data, places.data, dx);
    });
}

/// (begins, ends, divisors) of one axis of n_in entries.
std::vector<PoolingSpan> spans_arg(const char* name, const py::tuple& spans, std::size_t n_in) {
    if (spans.size() != 3) throw ValueError(std::string(name) + " must hold begins, ends and divisors");
    const auto begin = span_arg<std::int64_t>(name, spans[0]);
    const auto end = span_arg<std::int64_t>(name, spans[1], begin.size());
    const auto divisor = span_arg<float>(name, spans[2], begin.size());
    std::vector<PoolingSpan> all;
    for (std::size_t i = 0; i < begin.size(); ++i) {
        if (begin[i] < 0 || end[i] < begin[i] || static_cast<std::size_t>(end[i]) > n_in)
            throw ValueError(std::string(name) + " must lie within " + std::to_string(n_in) + " entries");
        all.push_back({static_cast<std::size_t>(begin[i]), static_cast<std::size_t>(end[i]), divisor[i]});
    }
    return all;
}

/// Returns (y, the place of each largest entry within its plane).
py::tuple py_max_pool_spans(py::object x, const py::tuple& rows, const py::tuple& cols, int n_threads) {
    const auto X = planes_arg(x);
    const auto r = spans_arg("rows", rows, X.shape[2]), c = spans_arg("cols", cols, X.shape[3]);
    for (const auto& spans : {r, c})
        for (const PoolingSpan& span : spans)
            if (span.begin == span.end) throw ValueError("a window of max_pool is empty");
    const Shape shape{X.shape[0], X.shape[1], r.size(), c.size()};
    return largest_and_places(shape, n_threads, [&](const RunContext& ctx, float* y, std::int32_t* where) {
        max_pool_spans(ctx, X.shape[0] * X.shape[1], X.shape[2], X.shape[3], r, c, X.data, y, where);
    });
}

py::array_t<float> py_average_pool(py::object x, const py::tuple& rows, const py::tuple& cols, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 4);
    const auto r = spans_arg("rows", rows, X.shape[2]), c = spans_arg("cols", cols, X.shape[3]);
    return computed({X.shape[0], X.shape[1], r.size(), c.size()}, n_threads, [&](const RunContext& ctx, float* y) {
        average_pool(ctx, X.shape[0] * X.shape[1], X.shape[2], X.shape[3], r, c, X.data, y);
    });
}

py::array_t<float> py_average_pool_backward(py::object dy, const py::tuple& rows, const py::tuple& cols,
                                            const Shape& shape, int n_threads) {
    if (shape.size() != 4) throw ValueError("shape must have four entries");
    const auto r = spans_arg("rows", rows, shape[2]), c = spans_arg("cols", cols, shape[3]);
    const auto D = tensor_arg<float>("dy", dy, {shape[0], shape[1], r.size(), c.size()});
    return computed(shape, n_threads, [&](const RunContext& ctx, float* dx) {
        average_pool_backward(ctx, shape[0] * shape[1], shape[2], shape[3], r, c, D.data, dx);
    });
}

BatchShape batch_shape(const TensorView<const float>& x) {
    if (x.size() == 0) throw ValueError("batch norm of an empty array of shape " + shape_text(x.shape));
    return {x.shape[0], x.shape[1], x.shape[2]};
}

/// x (n, channels, length): mean and variance of each channel.
py::tuple py_batch_statistics(py::object x, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 3);
    const BatchShape shape = batch_shape(X);
    auto mean = pooled_array<float>({shape.channels}), variance = pooled_array<float>({shape.channels});
    float* m = mean.mutable_data();
    float* v = variance.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) { batch_statistics(ctx, shape, X.data, m, v); });
    return py::make_tuple(std::move(mean), std::move(variance));
}

py::array_t<float> py_batch_normalize(py::object x, py::object mean, py::object inverse, py::object weight,
                                      py::object bias, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 3);
    const BatchShape shape = batch_shape(X);
    const Shape each{shape.channels};
    const auto m = tensor_arg<float>("mean", mean, each), r = tensor_arg<float>("inverse", inverse, each);
    const auto w = optional_tensor_arg<float>("weight", weight, each);
    const auto b = optional_tensor_arg<float>("bias", bias, each);
    return computed(X.shape, n_threads, [&](const RunContext& ctx, float* y) {
        batch_normalize(ctx, shape, X.data, m.data, r.data, w.data, b.data, y);
    });
}

/// Returns (dx or None, dw, db).
py::tuple py_batch_norm_backward(py::object dy, py::object x, py::object mean, py::object inverse, py::object weight,
                                 bool of_batch, bool want_dx, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 3);
    const BatchShape shape = batch_shape(X);
    const auto D = tensor_arg<float>("dy", dy, X.shape);
    const Shape each{shape.channels};
    const auto m = tensor_arg<float>("mean", mean, each), r = tensor_arg<float>("inverse", inverse, each);
    const auto w = optional_tensor_arg<float>("weight", weight, each);
    auto dw = pooled_array<float>(each), db = pooled_array<float>(each);
    OptionalArray<> dx(want_dx, X.shape);
    float *to_weight = dw.mutable_data(), *to_bias = db.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) {
        batch_norm_backward(ctx, shape, D.data, X.data, m.data, r.data, w.data, of_batch, dx.data, to_weight, to_bias);
    });
    return py::make_tuple(std::move(dx.object), std::move(dw), std::move(db));
}

} // namespace

void register_nn_convolution(py::module_& m) {
    const auto threads = py::arg("n_threads");
    m.def("convolution", &py_convolution, py::arg("x"), py::arg("weight"), py::arg("bias"), py::kw_only(),
          py::arg("stride"), py::arg("padding"), py::arg("dilation"), py::arg("groups"), py::arg("activation"),
          py::arg("keep_input"), threads);
    m.def("convolution_backward", &py_convolution_backward, py::arg("x"), py::arg("weight"), py::arg("dy"),
          py::kw_only(), py::arg("stride"), py::arg("padding"), py::arg("dilation"), py::arg("groups"),
          py::arg("wanted"), threads);
    m.def("max_pool", &py_max_pool, py::arg("x"), py::kw_only(), py::arg("kernel_size"), py::arg("stride"),
          py::arg("padding"), py::arg("dilation"), py::arg("output_size"), threads);
    m.def("max_pool_spans", &py_max_pool_spans, py::arg("x"), py::kw_only(), py::arg("rows"), py::arg("cols"), threads);
    m.def("max_pool_backward", &py_max_pool_backward, py::arg("dy"), py::arg("where"), py::kw_only(), py::arg("shape"),
          threads);
    m.def("average_pool", &py_average_pool, py::arg("x"), py::kw_only(), py::arg("rows"), py::arg("cols"), threads);
    m.def("average_pool_backward", &py_average_pool_backward, py::arg("dy"), py::kw_only(), py::arg("rows"),
          py::arg("cols"), py::arg("shape"), threads);
    m.def("batch_statistics", &py_batch_statistics, py::arg("x"), py::kw_only(), threads);
    m.def("batch_normalize", &py_batch_normalize, py::arg("x"), py::arg("mean"), py::arg("inverse"), py::arg("weight"),
          py::arg("bias"), py::kw_only(), threads);
    m.def("batch_norm_backward", &py_batch_norm_backward, py::arg("dy"), py::arg("x"), py::arg("mean"),
          py::arg("inverse"), py::arg("weight"), py::kw_only(), py::arg("of_batch"), py::arg("want_dx"), threads);
}

} // namespace mlcore
