// Submodule `nn`: activations, arithmetic of whole arrays, norms of rows, dropout, rows of a table.
#include "bindings/nn/nn.hpp"

#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/dropout.hpp"
#include "nn/elementwise.hpp"
#include "nn/embedding.hpp"
#include "nn/layer_norm.hpp"
#include "nn/reduce.hpp"

#include <algorithm>
#include <limits>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;
using namespace linalg;

/// An array of any number of axes, none included.
TensorView<const float> any_array(const char* name, py::handle object) {
    if (py::isinstance<py::array>(object) && py::reinterpret_borrow<py::array>(object).ndim() == 0)
        return tensor_arg<float>(name, object, Shape{});
    return tensor_arg<float>(name, object);
}

/// The gradient of leaky_relu is found from y, which has the sign of x only then.
float checked_slope(double slope) {
    if (!(slope >= 0 && slope <= std::numeric_limits<float>::max()))
        throw ValueError("slope must be finite and at least 0, got " + std::to_string(slope));
    return static_cast<float>(slope);
}

py::array_t<float> py_activation(py::object x, const std::string& activation, double slope, int n_threads) {
    const auto X = any_array("x", x);
    const Activation f = parse_activation(activation);
    const float s = checked_slope(slope);
    return computed(X.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { activate(ctx, f, X.data, y, X.size(), s); });
}

py::array_t<float> py_activation_backward(py::object saved, py::object dy, const std::string& activation, double slope,
                                          int n_threads) {
    const auto S = any_array("saved", saved);
    const auto D = tensor_arg<float>("dy", dy, S.shape);
    const Activation f = parse_activation(activation);
    const float s = checked_slope(slope);
    return computed(S.shape, n_threads, [&](const RunContext& ctx, float* dx) {
        activate_backward(ctx, f, S.data, D.data, dx, S.size(), s);
    });
}

/// b has the shape of a, or of its last axes.
template <void (*combine)(const RunContext&, const float*, const float*, float*, std::size_t, std::size_t)>
py::array_t<float> py_combine(py::object a, py::object b, int n_threads) {
    const auto A = any_array("a", a), B = any_array("b", b);
    if (B.ndim() > A.ndim() || !std::equal(B.shape.rbegin(), B.shape.rend(), A.shape.rbegin()))
        throw ValueError("b of shape " + shape_text(B.shape) + " is neither of the shape " + shape_text(A.shape) +
                         " of a nor of its last axes");
    return computed(A.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { combine(ctx, A.data, B.data, y, A.size(), B.size()); });
}

/// out: None for a new array; it may be a itself.
py::object py_scale(py::object a, float factor, py::object out, int n_threads) {
    const auto A = any_array("a", a);
    if (out.is_none()) out = pooled_array<float>(A.shape);
    const auto Y = output_arg<float>("out", out, A.shape);
    run(n_threads, 0, [&](const RunContext& ctx) { scale(ctx, A.data, factor, Y.data, A.size()); });
    return out;
}

py::array_t<float> py_sum_rows(py::object x, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 2);
    const std::size_t m = X.shape[0], n = X.shape[1];
    return computed({n}, n_threads, [&](const RunContext& ctx, float* sums) { sum_rows(ctx, X.data, m, n, sums); });
}

/// x (outer, n, inner). Returns (outer, inner).
py::array_t<float> py_sum_axis(py::object x, double factor, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 3);
    return computed({X.shape[0], X.shape[2]}, n_threads, [&](const RunContext& ctx, float* sums) {
        sum_axis(ctx, X.data, X.shape[0], X.shape[1], X.shape[2], factor, sums);
    });
}

/// x (outer, n, inner). Returns the sums so far along n, in the same shape.
py::array_t<float> py_cumulate(py::object x, bool backwards, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 3);
    return computed(X.shape, n_threads, [&](const RunContext& ctx, float* sums) {
        cumulate(ctx, X.data, X.shape[0], X.shape[1], X.shape[2], backwards, sums);
    });
}

/// x (..., n): rows of n. Returns (y, mean or None, rstd), the latter two of one entry a row.
py::tuple py_layer_norm(py::object x, py::object weight, py::object bias, float epsilon, bool centered, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    if (X.last() == 0) throw ValueError("x of shape " + shape_text(X.shape) + " has rows of length 0");
    const auto w = optional_tensor_arg<float>("weight", weight, {X.last()});
    const auto b = optional_tensor_arg<float>("bias", bias, {X.last()});
    if (!(epsilon >= 0)) throw ValueError("epsilon must be at least 0, got " + std::to_string(epsilon));
    auto y = pooled_array<float>(X.shape), rstd = pooled_array<float>({X.rows()});
    OptionalArray<> mean(centered, {X.rows()});
    float *y_data = y.mutable_data(), *rstd_data = rstd.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) {
        layer_norm(ctx, X.data, X.rows(), X.last(), epsilon, w.data, b.data, y_data, mean.data, rstd_data);
    });
    return py::make_tuple(std::move(y), std::move(mean.object), std::move(rstd));
}

/// Returns (dx, dweight, dbias), None for what is not wanted.
py::tuple py_layer_norm_backward(py::object x, py::object dy, py::object mean, py::object rstd, py::object weight,
                                 bool want_input, bool want_weight, bool want_bias, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    if (X.last() == 0) throw ValueError("x of shape " + shape_text(X.shape) + " has rows of length 0");
    const auto D = tensor_arg<float>("dy", dy, X.shape), r = tensor_arg<float>("rstd", rstd, Shape{X.rows()});
    const auto c = optional_tensor_arg<float>("mean", mean, {X.rows()});
    const auto w = optional_tensor_arg<float>("weight", weight, {X.last()});
    OptionalArray<> dx(want_input, X.shape), dw(want_weight, {X.last()}), db(want_bias, {X.last()});
    run(n_threads, 0, [&](const RunContext& ctx) {
        layer_norm_backward(ctx, X.data, D.data, c.data, r.data, w.data, X.rows(), X.last(), dx.data, dw.data, db.data);
    });
    return py::make_tuple(std::move(dx.object), std::move(dw.object), std::move(db.object));
}

double checked_probability(double p) {
    if (!(p >= 0 && p <= 1)) throw ValueError("p must be in [0, 1], got " + std::to_string(p));
    return p;
}

py::array_t<float> py_dropout(py::object x, py::object residual, double p, std::uint64_t seed, int n_threads) {
    const auto X = any_array("x", x);
    const auto R = optional_tensor_arg<float>("residual", residual, X.shape);
    const double share = checked_probability(p);
    return computed(X.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { dropout(ctx, X.data, R.data, X.size(), share, seed, y); });
}

/// Returns (y, the mask for dropout_backward).
py::tuple py_dropout_with_mask(py::object x, py::object residual, double p, std::uint64_t seed, int n_threads) {
    const auto X = any_array("x", x);
    const auto R = optional_tensor_arg<float>("residual", residual, X.shape);
    const double share = checked_probability(p);
    auto mask = pooled_array<std::int32_t>({mask_words(X.size())});
    auto* bits = reinterpret_cast<std::uint32_t*>(mask.mutable_data());
    auto y = computed(X.shape, n_threads, [&](const RunContext& ctx, float* out) {
        dropout(ctx, X.data, R.data, X.size(), share, seed, out, bits);
    });
    return py::make_tuple(std::move(y), std::move(mask));
}

py::array_t<float> py_dropout_backward(py::object dy, py::object mask, double p, int n_threads) {
    const auto D = any_array("dy", dy);
    const auto M = tensor_arg<std::int32_t>("mask", mask, Shape{mask_words(D.size())});
    const double share = checked_probability(p);
    return computed(D.shape, n_threads, [&](const RunContext& ctx, float* dx) {
        dropout_backward(ctx, D.data, reinterpret_cast<const std::uint32_t*>(M.data), D.size(), share, dx);
    });
}

py::array_t<float> py_gaussian_noise(py::object x, float std, std::uint64_t seed, int n_threads) {
    const auto X = any_array("x", x);
    if (!(std >= 0)) throw ValueError("std must be at least 0, got " + std::to_string(std));
    return computed(X.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { gaussian_noise(ctx, X.data, X.size(), std, seed, y); });
}

TensorView<const std::int64_t> ids_arg(py::handle ids) {
    if (py::isinstance<py::array>(ids) && py::reinterpret_borrow<py::array>(ids).ndim() == 0)
        return tensor_arg<std::int64_t>("ids", ids, Shape{});
    return tensor_arg<std::int64_t>("ids", ids);
}

/// table (n_rows, d), ids any shape. Returns (*shape of ids, d).
py::array_t<float> py_gather_rows(py::object table, py::object ids, int n_threads) {
    const auto T = tensor_arg<float>("table", table, 2);
    const auto I = ids_arg(ids);
    check_ids(I.data, I.size(), T.shape[0]);
    Shape shape = I.shape;
    shape.push_back(T.last());
    return computed(shape, n_threads, [&](const RunContext& ctx, float* rows) {
        gather_rows(ctx, T.data, I.data, I.size(), T.last(), rows);
    });
}

/// rows (*shape of ids, d). Returns (n_rows, d): the sums of the rows with one id; those of `skipped` are left out.
py::array_t<float> py_scatter_add_rows(py::object rows, py::object ids, std::size_t n_rows, std::int64_t skipped,
                                       int n_threads) {
    const auto I = ids_arg(ids);
    check_ids(I.data, I.size(), n_rows);
    const auto R = tensor_arg<float>("rows", rows, static_cast<int>(I.ndim() + 1));
    if (!std::equal(I.shape.begin(), I.shape.end(), R.shape.begin()))
        throw ValueError("rows of shape " + shape_text(R.shape) + " do not fit ids of shape " + shape_text(I.shape));
    return computed({n_rows, R.last()}, n_threads, [&](const RunContext& ctx, float* sums) {
        scatter_add_rows(ctx, R.data, I.data, I.size(), R.last(), skipped, sums, n_rows);
    });
}

} // namespace

void register_nn_elementwise(py::module_& m) {
    m.def("activation", &py_activation, py::arg("x"), py::kw_only(), py::arg("activation"), py::arg("slope") = 0.01,
          py::arg("n_threads"));
    m.def("activation_backward", &py_activation_backward, py::arg("saved"), py::arg("dy"), py::kw_only(),
          py::arg("activation"), py::arg("slope") = 0.01, py::arg("n_threads"));
    m.def("add", &py_combine<add>, py::arg("a"), py::arg("b"), py::kw_only(), py::arg("n_threads"));
    m.def("mul", &py_combine<multiply>, py::arg("a"), py::arg("b"), py::kw_only(), py::arg("n_threads"));
    m.def("scale", &py_scale, py::arg("a"), py::arg("factor"), py::kw_only(), py::arg("out") = py::none(),
          py::arg("n_threads"));
    m.def("sum_rows", &py_sum_rows, py::arg("x"), py::kw_only(), py::arg("n_threads"));
    m.def("sum_axis", &py_sum_axis, py::arg("x"), py::kw_only(), py::arg("factor") = 1.0, py::arg("n_threads"));
    m.def("cumulate", &py_cumulate, py::arg("x"), py::kw_only(), py::arg("backwards") = false, py::arg("n_threads"));
    m.def("layer_norm", &py_layer_norm, py::arg("x"), py::arg("weight"), py::arg("bias"), py::kw_only(),
          py::arg("epsilon"), py::arg("centered"), py::arg("n_threads"));
    m.def("layer_norm_backward", &py_layer_norm_backward, py::arg("x"), py::arg("dy"), py::arg("mean"), py::arg("rstd"),
          py::arg("weight"), py::kw_only(), py::arg("want_input"), py::arg("want_weight"), py::arg("want_bias"),
          py::arg("n_threads"));
    m.def("dropout", &py_dropout, py::arg("x"), py::arg("residual"), py::kw_only(), py::arg("p"), py::arg("seed"),
          py::arg("n_threads"));
    m.def("dropout_with_mask", &py_dropout_with_mask, py::arg("x"), py::arg("residual"), py::kw_only(), py::arg("p"),
          py::arg("seed"), py::arg("n_threads"));
    m.def("dropout_backward", &py_dropout_backward, py::arg("dy"), py::arg("mask"), py::kw_only(), py::arg("p"),
          py::arg("n_threads"));
    m.def("gaussian_noise", &py_gaussian_noise, py::arg("x"), py::kw_only(), py::arg("std"), py::arg("seed"),
          py::arg("n_threads"));
    m.def("gather_rows", &py_gather_rows, py::arg("table"), py::arg("ids"), py::kw_only(), py::arg("n_threads"));
    m.def("scatter_add_rows", &py_scatter_add_rows, py::arg("rows"), py::arg("ids"), py::kw_only(), py::arg("n_rows"),
          py::arg("skipped") = -1, py::arg("n_threads"));
}

} // namespace mlcore
