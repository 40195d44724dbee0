// Submodule `nn`: the decoder of a recurrent network, from the arrays of a state_dict.
#include "nn/inference/recurrent_decoder.hpp"
#include "bindings/nn/layer_arrays.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

RecurrentDecoderWeights::Attention attention_weights(const std::string& score, const LayerArrays& arrays,
                                                     std::size_t H) {
    RecurrentDecoderWeights::Attention a;
    const std::size_t M = arrays.n_columns("value_proj.weight");
    if (M == 0) throw ValueError("attention needs rows of one feature or more");
    a.value_proj.weight = arrays.matrix("value_proj.weight", H, M);
    a.state_proj = {arrays.matrix("state_proj.weight", H, H), arrays.find("state_proj.bias", Shape{H})};
    enum class Kind { additive, dot, general };
    const auto kind = choose<Kind>("attention", score,
                                   {{"additive", Kind::additive}, {"dot", Kind::dot}, {"general", Kind::general}});
    if (kind != Kind::dot)
        a.key_proj.weight = arrays.matrix("key_proj.weight", H, M);
    else if (M != H)
        throw ValueError("attention by dot needs rows of " + std::to_string(H) + " features, got " + std::to_string(M));
    if (kind != Kind::additive) return a;
    a.score = PairScore::additive;
    a.query_proj.weight = arrays.matrix("query_proj.weight", H, H);
    a.weight = arrays.get("weight", Shape{H});
    return a;
}

std::unique_ptr<RecurrentDecoder> make_decoder(const std::string& cell, const py::list& layers, py::object embedding,
                                               py::object output_weight, py::object output_bias, py::object attention,
                                               py::object attention_arrays, bool input_feeding, bool quantize,
                                               int n_threads) {
    RecurrentDecoderWeights w;
    w.cell = parse_recurrent_cell(cell);
    const auto E = tensor_arg<float>("embedding", embedding, 2),
               W = tensor_arg<float>("output_weight", output_weight, 2);
    const std::size_t V = E.shape[0], H = W.shape[1], rows = recurrent_sizes(w.cell).weight_blocks * H;
    if (V == 0 || E.shape[1] == 0 || V > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("embedding must have a row and a column or more, got shape " + shape_text(E.shape));
    if (H == 0) throw ValueError("a decoder needs hidden units");
    if (layers.empty()) throw ValueError("a decoder needs a layer or more");
    w.hidden = H;
    w.embedding = row_major(E.data, V, E.shape[1]);
    w.output = {row_major(tensor_arg<float>("output_weight", output_weight, Shape{V, H}).data, V, H),
                optional_tensor_arg<float>("output_bias", output_bias, Shape{V}).data};
    w.input_feeding = input_feeding;
    w.precision = quantize ? Precision::int8 : Precision::float32;
    std::vector<LayerArrays> held;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const LayerArrays& arrays = held.emplace_back(i, layers[i]);
        const std::size_t I = i > 0 ? H : E.shape[1] + (input_feeding ? H : 0);
        w.layers.push_back({arrays.get("weight_ih", Shape{rows, I}), arrays.get("weight_hh", Shape{rows, H}),
                            arrays.find("bias_ih", Shape{rows}), arrays.find("bias_hh", Shape{rows})});
        if ((w.layers[i].b_ih == nullptr) != (w.layers[i].b_hh == nullptr))
            throw ValueError("layer " + std::to_string(i) + " must have both biases or none");
    }
    RecurrentDecoderWeights::Attention a;
    if (!attention.is_none()) {
        a = attention_weights(attention.cast<std::string>(), held.emplace_back("attention_arrays", attention_arrays),
                              H);
        w.attention = &a;
    } else if (input_feeding) {
        throw ValueError("input feeding feeds what attention has found: attention must not be None");
    }
    return run(n_threads, 0, [&](const RunContext& ctx) { return std::make_unique<RecurrentDecoder>(ctx, w); });
}

void start(RecurrentDecoder& decoder, py::object h, py::object c, py::object memory, py::object offsets,
           int n_threads) {
    const auto bounds = span_arg<std::int64_t>("offsets", offsets);
    const auto H0 = tensor_arg<float>("h", h, 3);
    const Shape states{decoder.n_layers(), H0.shape[1], decoder.hidden()};
    static_cast<void>(tensor_arg<float>("h", h, states));
    if (c.is_none() == decoder.has_cell()) throw ValueError("c is the second state of an LSTM, and of no other cell");
    const auto C0 = optional_tensor_arg<float>("c", c, states);
    if (bounds.size() != states[1] + 1)
        throw ValueError("offsets must have one entry more than there are sources, " + std::to_string(states[1]) +
                         ", got " + std::to_string(bounds.size()));
    if (memory.is_none() == decoder.has_attention())
        throw ValueError("memory is what attention looks at: it is given where there is attention, and only there");
    std::size_t N = 0;
    const float* rows = nullptr;
    if (decoder.has_attention()) {
        N = tensor_arg<float>("memory", memory, 2).shape[0];
        rows = tensor_arg<float>("memory", memory, Shape{N, decoder.memory_size()}).data;
    } else if (bounds.back() >= 0) {
        N = static_cast<std::size_t>(bounds.back());
    }
    static_cast<void>(offsets_arg("offsets", offsets, N));
    const ModelUse use(decoder);
    run(n_threads, 0, [&](const RunContext& ctx) { decoder.start(ctx, H0.data, C0.data, rows, bounds); });
}

} // namespace

void register_nn_recurrent_decoder(py::module_& m) {
    py::class_<RecurrentDecoder, StepModel>(m, "RecurrentDecoder", py::is_final(),
                                            "A recurrent decoder with attention, without a tape.")
        .def(py::init(&make_decoder), py::arg("cell"), py::arg("layers"), py::arg("embedding"),
             py::arg("output_weight"), py::arg("output_bias") = py::none(), py::kw_only(),
             py::arg("attention") = py::none(), py::arg("attention_arrays") = py::none(),
             py::arg("input_feeding") = false, py::arg("quantize") = false, py::arg("n_threads"))
        .def("start", &start, py::arg("h"), py::arg("c"), py::arg("memory"), py::arg("offsets"), py::kw_only(),
             py::arg("n_threads"));
}

} // namespace mlcore
