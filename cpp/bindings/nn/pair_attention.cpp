// Attention whose weights are kept, by additive scores, distances or inner products, for the submodule `nn`.
#include "nn/attention/pair_attention.hpp"

#include "bindings/module.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"

#include <pybind11/stl.h>

#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

void check_shape(const char* name, const Shape& got, const Shape& expected) {
    if (got != expected)
        throw ValueError(std::string(name) + " must have shape " + shape_text(expected) + ", got " + shape_text(got));
}

/// What both passes are called with. Arrays are held by the caller.
struct PairArguments {
    PairAttention pair;
    Shape key_shape, query_shape, value_shape, weight_shape, out_shape;
    std::vector<std::int64_t> weight_offsets;

    PairArguments(const std::string& score, const py::object& a, const py::object& c, const py::object& w,
                  const py::object& v, const py::object& bias, const py::object& lengths, const py::object& offsets,
                  const py::object& key_offsets) {
        pair.score = choose<PairScore>(
            "score", score,
            {{"additive", PairScore::additive}, {"distance", PairScore::distance}, {"dot", PairScore::dot}});
        const bool packed = !offsets.is_none();
        const int n_axes = packed ? 2 : 3;
        const auto A = tensor_arg<float>("a", a, n_axes), C = tensor_arg<float>("c", c, n_axes),
                   V = tensor_arg<float>("v", v, n_axes);
        Shape expected = A.shape;
        expected[n_axes - 2] = C.shape[n_axes - 2];
        check_shape("c", C.shape, expected);
        expected.back() = V.last();
        check_shape("v", V.shape, expected);
        query_shape = A.shape, key_shape = C.shape, value_shape = V.shape, out_shape = A.shape;
        out_shape.back() = V.last();
        pair.features = A.last(), pair.value_depth = V.last();
        pair.a = A.data, pair.c = C.data, pair.values = V.data;
        if (pair.score != PairScore::dot) pair.w = tensor_arg<float>("w", w, Shape{pair.features}).data;
        if (packed)
            set_packed(bias, lengths, offsets, key_offsets);
        else
            set_padded(bias, lengths);
    }

  private:
    void set_padded(const py::object& bias, const py::object& lengths) {
        pair.batch = query_shape[0], pair.n_queries = query_shape[1], pair.n_keys = key_shape[1];
        weight_shape = {pair.batch, pair.n_queries, pair.n_keys};
        if (!bias.is_none()) {
            const auto B = strided_arg<float>("bias", bias, 3);
            pair.bias = B.data;
            for (std::size_t axis = 0; axis < 3; ++axis) {
                if (B.shape[axis] != weight_shape[axis] && B.shape[axis] != 1)
                    throw ValueError("bias of shape " + shape_text(B.shape) + " does not broadcast to " +
                                     shape_text(weight_shape));
                pair.bias_strides[axis] = B.shape[axis] == 1 ? 0 : B.strides[axis];
            }
        }
        if (lengths.is_none()) return;
        pair.lengths = tensor_arg<std::int64_t>("lengths", lengths, Shape{pair.batch}).data;
        for (std::size_t b = 0; b < pair.batch; ++b)
            if (pair.lengths[b] < 0 || static_cast<std::size_t>(pair.lengths[b]) > pair.n_keys)
                throw ValueError("lengths[" + std::to_string(b) + "] is " + std::to_string(pair.lengths[b]) +
                                 ", but there are " + std::to_string(pair.n_keys) + " keys");
    }

    void set_packed(const py::object& bias, const py::object& lengths, const py::object& offsets,
                    const py::object& key_offsets) {
        if (!bias.is_none() || !lengths.is_none()) throw ValueError("packed sequences take no bias and no lengths");
        const auto queries = offsets_arg("offsets", offsets, query_shape[0]),
                   keys = offsets_arg("key_offsets", key_offsets, key_shape[0]);
        weight_offsets = pair_offsets(queries, keys);
        pair.batch = queries.shape[0] - 1;
        pair.query_offsets = queries.data, pair.key_offsets = keys.data;
        pair.weight_offsets = weight_offsets.data();
        weight_shape = {static_cast<std::size_t>(weight_offsets.back())};
    }
};

py::tuple py_pair_attention(const std::string& score, py::object a, py::object c, py::object w, py::object v,
                            py::object bias, py::object lengths, py::object offsets, py::object key_offsets,
                            int n_threads) {
    const PairArguments args(score, a, c, w, v, bias, lengths, offsets, key_offsets);
    auto weights = pooled_array<float>(args.weight_shape), out = pooled_array<float>(args.out_shape);
    float *P = weights.mutable_data(), *O = out.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) { pair_attention(ctx, args.pair, P, O); });
    return py::make_tuple(std::move(out), std::move(weights));
}

py::tuple py_pair_attention_backward(const std::string& score, py::object a, py::object c, py::object w, py::object v,
                                     py::object bias, py::object lengths, py::object offsets, py::object key_offsets,
                                     py::object weights, py::object dout, std::vector<bool> needs, int n_threads) {
    const PairArguments args(score, a, c, w, v, bias, lengths, offsets, key_offsets);
    const auto P = tensor_arg<float>("weights", weights, args.weight_shape);
    const auto dO = tensor_arg<float>("dout", dout, args.out_shape);
    if (needs.size() != 4) throw ValueError("needs must have 4 entries: of a, c, w and v");
    auto dscores = pooled_array<float>(args.weight_shape);
    PairGradients gradients;
    OptionalArray<> da(needs[0], args.query_shape), dc(needs[1], args.key_shape),
        dw(needs[2] && args.pair.w, {args.pair.features}), dvalues(needs[3], args.value_shape);
    gradients.da = da.data, gradients.dc = dc.data, gradients.dw = dw.data, gradients.dvalues = dvalues.data;
    float* dS = dscores.mutable_data();
    run(n_threads, 0,
        [&](const RunContext& ctx) { pair_attention_backward(ctx, args.pair, P.data, dO.data, dS, gradients); });
    return py::make_tuple(da.object, dc.object, dw.object, dvalues.object, std::move(dscores));
}

} // namespace

void register_nn_pair_attention(py::module_& m) {
    using py::arg;
    m.def("pair_attention", &py_pair_attention, arg("score"), arg("a"), arg("c"), arg("w"), arg("v"), arg("bias"),
          arg("lengths"), arg("offsets"), arg("key_offsets"), py::kw_only(), arg("n_threads"));
    m.def("pair_attention_backward", &py_pair_attention_backward, arg("score"), arg("a"), arg("c"), arg("w"), arg("v"),
          arg("bias"), arg("lengths"), arg("offsets"), arg("key_offsets"), arg("weights"), arg("dout"), py::kw_only(),
          arg("needs"), arg("n_threads"));
}

} // namespace mlcore
