// Attention for the submodule `nn`.
#include "bindings/nn/nn.hpp"

#include "bindings/module.hpp"
#include "bindings/nn/heads.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/attention/attention.hpp"

#include <pybind11/stl.h>

#include <cmath>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

HeadsView<float> optional_heads(const char* name, const py::object& object, const Shape& shape) {
    if (object.is_none()) return {};
    return heads(name, strided_output_arg<float>(name, object, shape));
}

void check_shape(const char* name, const Shape& got, const Shape& expected) {
    if (got != expected)
        throw ValueError(std::string(name) + " must have shape " + shape_text(expected) + ", got " + shape_text(got));
}

void check_broadcast(const Shape& bias, const Shape& scores) {
    for (std::size_t axis = 0; axis < scores.size(); ++axis)
        if (bias[axis] != scores[axis] && bias[axis] != 1)
            throw ValueError("bias of shape " + shape_text(bias) + " does not broadcast to " + shape_text(scores));
}

/// nullptr for None.
const std::int64_t* lengths_arg(const py::object& object, std::size_t batch, std::size_t n_keys) {
    if (object.is_none()) return nullptr;
    const auto lengths = tensor_arg<std::int64_t>("lengths", object, Shape{batch});
    for (std::size_t b = 0; b < batch; ++b)
        if (lengths.data[b] < 0 || static_cast<std::size_t>(lengths.data[b]) > n_keys)
            throw ValueError("lengths[" + std::to_string(b) + "] is " + std::to_string(lengths.data[b]) +
                             ", but there are " + std::to_string(n_keys) + " keys");
    return lengths.data;
}

/// Everything that the passes share. Arrays are held by the caller. With offsets q, k and v have a batch of one: packed
/// rows.
struct Arguments {
    Attention attention;
    Shape query_shape, key_shape, value_shape, out_shape, score_shape;
    std::int64_t n_pairs = 0; // of packed rows, in each head

    Arguments(const py::object& q, const py::object& k, const py::object& v, const py::object& bias,
              const py::object& lengths, const py::object& offsets, const py::object& key_offsets, float scale,
              bool causal, float dropout) {
        const auto Q = strided_arg<float>("q", q, 4), K = strided_arg<float>("k", k, 4),
                   V = strided_arg<float>("v", v, 4);
        query_shape = Q.shape, key_shape = K.shape, value_shape = V.shape;
        check_shape("k", K.shape, {Q.shape[0], Q.shape[1], K.shape[2], Q.shape[3]});
        check_shape("v", V.shape, {Q.shape[0], Q.shape[1], K.shape[2], V.shape[3]});
        out_shape = {Q.shape[0], Q.shape[1], Q.shape[2], V.shape[3]};
        score_shape = {Q.shape[0], Q.shape[1], Q.shape[2], K.shape[2]};
        if (!(dropout >= 0 && dropout < 1))
            throw ValueError("dropout must be in [0, 1), got " + std::to_string(dropout));
        if (!std::isfinite(scale)) throw ValueError("scale must be finite, got " + std::to_string(scale));
        attention.batch = Q.shape[0], attention.heads = Q.shape[1];
        attention.n_queries = Q.shape[2], attention.n_keys = K.shape[2];
        attention.depth = Q.shape[3], attention.value_depth = V.shape[3];
        attention.q = heads("q", Q), attention.k = heads("k", K), attention.v = heads("v", V);
        attention.scale = scale, attention.causal = causal, attention.dropout = dropout;
        if (!bias.is_none()) {
            const auto B = strided_arg<float>("bias", bias, 4);
            check_broadcast(B.shape, score_shape);
            attention.bias.data = B.data;
            for (std::size_t axis = 0; axis < 4; ++axis)
                attention.bias.strides[axis] = B.shape[axis] == 1 ? 0 : B.strides[axis];
        }
        attention.lengths = lengths_arg(lengths, attention.batch, attention.n_keys);
        if (offsets.is_none() != key_offsets.is_none())
            throw ValueError("offsets and key_offsets must both be given, or none");
        if (!offsets.is_none()) set_packed(offsets, key_offsets);
    }

    void set_packed(const py::object& offsets, const py::object& key_offsets) {
        if (attention.bias.data || attention.lengths) throw ValueError("packed rows take neither a bias nor lengths");
        if (attention.batch != 1)
            throw ValueError("packed rows must have a batch of 1, got shape " + shape_text(query_shape));
        const auto queries = offsets_arg("offsets", offsets, attention.n_queries),
                   keys = offsets_arg("key_offsets", key_offsets, attention.n_keys);
        n_pairs = pair_offsets(queries, keys).back();
        attention.query_offsets = queries.data, attention.key_offsets = keys.data;
        attention.batch = queries.size() - 1;
        attention.q.batch_stride = attention.k.batch_stride = attention.v.batch_stride = 0;
    }

    /// Rows of all sequences lie in one matrix of each head.
    template <class T>
    HeadsView<T> rows(HeadsView<T> x) const {
        if (attention.query_offsets) x.batch_stride = 0;
        return x;
    }

    /// Of the weights: packed ones are those of all sequences, one after the other.
    Shape weights_shape() const {
        if (!attention.query_offsets) return score_shape;
        std::int64_t n = 0;
        if (__builtin_mul_overflow(n_pairs, attention.heads, &n)) throw ValueError("there are too many weights");
        return {static_cast<std::size_t>(n)};
    }

    Shape sums_shape() const { return {2, out_shape[0], out_shape[1], out_shape[2]}; }
};

py::array_t<float> py_attention(py::object q, py::object k, py::object v, py::object out, py::object bias,
                                py::object lengths, py::object offsets, py::object key_offsets, float scale,
                                bool causal, float dropout, std::uint64_t seed, int n_threads) {
    const Arguments args(q, k, v, bias, lengths, offsets, key_offsets, scale, causal, dropout);
    const auto O = args.rows(heads("out", strided_output_arg<float>("out", out, args.out_shape)));
    return computed(args.sums_shape(), n_threads, seed,
                    [&](const RunContext& ctx, float* sums) { attention(ctx, args.attention, O, sums); });
}

py::object py_attention_backward(py::object q, py::object k, py::object v, py::object out, py::object log_sums,
                                 py::object dout, py::object dq, py::object dk, py::object dv, py::object bias,
                                 py::object lengths, py::object offsets, py::object key_offsets, float scale,
                                 bool causal, float dropout, std::uint64_t seed, bool needs_dscores, int n_threads) {
    const Arguments args(q, k, v, bias, lengths, offsets, key_offsets, scale, causal, dropout);
    if (args.attention.query_offsets && needs_dscores)
        throw ValueError("packed rows have no gradient with respect to scores");
    const auto O = strided_arg<float>("out", out, 4), dO = strided_arg<float>("dout", dout, 4);
    check_shape("out", O.shape, args.out_shape);
    check_shape("dout", dO.shape, args.out_shape);
    const auto sums = tensor_arg<float>("log_sums", log_sums, args.sums_shape());
    AttentionGradients gradients;
    gradients.dq = args.rows(optional_heads("dq", dq, args.query_shape));
    gradients.dk = args.rows(optional_heads("dk", dk, args.key_shape));
    gradients.dv = args.rows(optional_heads("dv", dv, args.value_shape));
    OptionalArray<> dscores(needs_dscores, args.score_shape);
    gradients.dscores = dscores.data;
    const auto o = args.rows(heads("out", O)), d_o = args.rows(heads("dout", dO));
    run(n_threads, seed,
        [&](const RunContext& ctx) { attention_backward(ctx, args.attention, o, sums.data, d_o, gradients); });
    return std::move(dscores.object);
}

py::array_t<float> py_attention_weights(py::object q, py::object k, py::object v, py::object log_sums, py::object bias,
                                        py::object lengths, py::object offsets, py::object key_offsets, float scale,
                                        bool causal, int n_threads) {
    const Arguments args(q, k, v, bias, lengths, offsets, key_offsets, scale, causal, 0);
    const auto sums = tensor_arg<float>("log_sums", log_sums, args.sums_shape());
    return computed(args.weights_shape(), n_threads,
                    [&](const RunContext& ctx, float* to) { attention_weights(ctx, args.attention, sums.data, to); });
}

} // namespace

void register_nn_attention(py::module_& m) {
    using py::arg;
    m.def("attention", &py_attention, arg("q"), arg("k"), arg("v"), arg("out"), arg("bias"), arg("lengths"),
          arg("offsets"), arg("key_offsets"), py::kw_only(), arg("scale"), arg("causal"), arg("dropout"), arg("seed"),
          arg("n_threads"));
    m.def("attention_backward", &py_attention_backward, arg("q"), arg("k"), arg("v"), arg("out"), arg("log_sums"),
          arg("dout"), arg("dq"), arg("dk"), arg("dv"), arg("bias"), arg("lengths"), arg("offsets"), arg("key_offsets"),
          py::kw_only(), arg("scale"), arg("causal"), arg("dropout"), arg("seed"), arg("needs_dscores"),
          arg("n_threads"));
    m.def("attention_weights", &py_attention_weights, arg("q"), arg("k"), arg("v"), arg("log_sums"), arg("bias"),
          arg("lengths"), arg("offsets"), arg("key_offsets"), py::kw_only(), arg("scale"), arg("causal"),
          arg("n_threads"));
}

} // namespace mlcore
