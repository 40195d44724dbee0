// Submodule `nn`: the decoder of a Transformer, from the arrays of a state_dict.
#include "nn/inference/transformer_decoder.hpp"
#include "bindings/nn/layer_arrays.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

DecoderLayerWeights layer_weights(const LayerArrays& arrays, std::size_t d, bool reads_memory) {
    DecoderLayerWeights w;
    w.self_in = arrays.linear("self_attn.in_proj_weight", "self_attn.in_proj_bias", 3 * d, d);
    w.self_out = arrays.linear("self_attn.out_proj.weight", "self_attn.out_proj.bias", d, d);
    if (reads_memory) {
        w.cross_in = arrays.linear("multihead_attn.in_proj_weight", "multihead_attn.in_proj_bias", 3 * d, d);
        w.cross_out = arrays.linear("multihead_attn.out_proj.weight", "multihead_attn.out_proj.bias", d, d);
    }
    const std::size_t hidden = arrays.n_rows("linear1.weight");
    if (hidden == 0) throw ValueError("linear1.weight of a layer must have a row or more");
    w.linear1 = arrays.linear("linear1.weight", "linear1.bias", hidden, d);
    w.linear2 = arrays.linear("linear2.weight", "linear2.bias", d, hidden);
    for (std::size_t i = 1; i <= (reads_memory ? 3u : 2u); ++i)
        w.norms.push_back(arrays.norm("norm" + std::to_string(i), d));
    return w;
}

/// "sinusoidal", "rotary", None or a table (P, d).
void read_positions(py::handle positions, std::size_t d, DecoderWeights& w) {
    if (positions.is_none()) return;
    if (py::isinstance<py::str>(positions)) {
        const auto kind = positions.cast<std::string>();
        if (kind == "sinusoidal")
            w.positions = PositionKind::sinusoidal;
        else if (kind == "rotary")
            w.positions = PositionKind::rotary;
        else
            throw ValueError("positions must be 'sinusoidal', 'rotary', a table or None, got '" + kind + "'");
        if (w.positions == PositionKind::rotary && d / w.n_heads % 2 != 0)
            throw ValueError("rotary positions need an even number of features a head, got " +
                             std::to_string(d / w.n_heads));
        return;
    }
    const auto table = tensor_arg<float>("positions", positions, 2);
    static_cast<void>(tensor_arg<float>("positions", positions, Shape{table.shape[0], d}));
    w.positions = PositionKind::table;
    w.position_table = row_major(table.data, table.shape[0], d);
}

std::unique_ptr<TransformerDecoder> make_decoder(const py::list& layers, py::object embedding, py::object output_weight,
                                                 std::size_t n_heads, py::object output_bias, double embedding_scale,
                                                 py::object positions, double rotary_base, py::object final_norm,
                                                 bool norm_first, const std::string& activation, double epsilon,
                                                 bool quantize, int n_threads) {
    DecoderWeights w;
    const auto E = tensor_arg<float>("embedding", embedding, 2);
    const std::size_t V = E.shape[0], d = E.shape[1];
    if (V == 0 || d == 0 || V > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("embedding must have a row and a column or more, got shape " + shape_text(E.shape));
    if (n_heads == 0 || d % n_heads != 0)
        throw ValueError("n_heads must divide the " + std::to_string(d) + " features, got " + std::to_string(n_heads));
    if (layers.empty()) throw ValueError("a decoder needs a layer or more");
    if (!(epsilon >= 0 && std::isfinite(epsilon))) throw ValueError("epsilon must be at least 0 and finite");
    if (!std::isfinite(embedding_scale)) throw ValueError("embedding_scale must be finite");
    if (!(rotary_base > 0 && std::isfinite(rotary_base))) throw ValueError("rotary_base must be above 0 and finite");
    w.embedding = row_major(E.data, V, d);
    w.embedding_scale = static_cast<float>(embedding_scale);
    w.n_heads = n_heads;
    w.norm_first = norm_first;
    w.activation = linalg::parse_activation(activation);
    w.epsilon = static_cast<float>(epsilon);
    w.rotary_base = rotary_base;
    w.precision = quantize ? Precision::int8 : Precision::float32;
    read_positions(positions, d, w);
    const bool reads_memory = LayerArrays(0, layers[0]).has("multihead_attn.in_proj_weight");
    std::vector<LayerArrays> held;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const LayerArrays& arrays = held.emplace_back(i, layers[i]);
        if (arrays.has("multihead_attn.in_proj_weight") != reads_memory)
            throw ValueError("either all layers have multihead_attn, or none has it");
        w.layers.push_back(layer_weights(arrays, d, reads_memory));
    }
    w.output.weight = row_major(tensor_arg<float>("output_weight", output_weight, Shape{V, d}).data, V, d);
    w.output.bias = optional_tensor_arg<float>("output_bias", output_bias, Shape{V}).data;
    w.has_final_norm = read_final_norm(final_norm, d, w.final_norm);
    return run(n_threads, 0, [&](const RunContext& ctx) { return std::make_unique<TransformerDecoder>(ctx, w); });
}

void start(TransformerDecoder& decoder, py::object memory, py::object offsets, int n_threads) {
    if (!decoder.reads_memory())
        throw ValueError("a decoder without cross-attention has nothing to read: it is started by start_prompts");
    const auto rows = tensor_arg<float>("memory", memory, 2);
    static_cast<void>(tensor_arg<float>("memory", memory, Shape{rows.shape[0], decoder.width()}));
    const auto bounds = offsets_arg(offsets, rows.shape[0], 0);
    const ModelUse use(decoder);
    run(n_threads, 0, [&](const RunContext& ctx) { decoder.start(ctx, rows.data, bounds); });
}

void start_prompts(TransformerDecoder& decoder, py::object ids, py::object offsets, int n_threads) {
    if (decoder.reads_memory())
        throw ValueError("a decoder with cross-attention takes no prompts: it is started by what it reads");
    const auto tokens = span_arg<std::int64_t>("ids", ids);
    const auto bounds = offsets_arg(offsets, tokens.size(), 1);
    std::vector<std::int32_t> narrow;
    narrow.reserve(tokens.size());
    for (const std::int64_t token : tokens) {
        if (token < 0 || static_cast<std::size_t>(token) >= decoder.n_tokens())
            throw ValueError("ids must be in [0, " + std::to_string(decoder.n_tokens()) + "), got " +
                             std::to_string(token));
        narrow.push_back(static_cast<std::int32_t>(token));
    }
    const ModelUse use(decoder);
    run(n_threads, 0, [&](const RunContext& ctx) { decoder.start(ctx, narrow, bounds); });
}

} // namespace

void register_nn_transformer_decoder(py::module_& m) {
    py::class_<TransformerDecoder, StepModel>(m, "TransformerDecoder", py::is_final(), py::dynamic_attr(),
                                              "The decoder of a Transformer, or a language model, without a tape.")
        .def(py::init(&make_decoder), py::arg("layers"), py::arg("embedding"), py::arg("output_weight"), py::kw_only(),
             py::arg("n_heads"), py::arg("output_bias") = py::none(), py::arg("embedding_scale") = 1.0,
             py::arg("positions") = py::none(), py::arg("rotary_base") = 10000.0, py::arg("final_norm") = py::none(),
             py::arg("norm_first") = false, py::arg("activation") = "relu", py::arg("epsilon") = 1e-5,
             py::arg("quantize") = false, py::arg("n_threads"))
        .def("start", &start, py::arg("memory"), py::arg("offsets"), py::kw_only(), py::arg("n_threads"))
        .def("start_prompts", &start_prompts, py::arg("ids"), py::arg("offsets"), py::kw_only(), py::arg("n_threads"))
        .def_property_readonly("reads_memory", &TransformerDecoder::reads_memory)
        .def_property_readonly("n_blocks_in_use", &TransformerDecoder::n_blocks_in_use);
}

} // namespace mlcore
