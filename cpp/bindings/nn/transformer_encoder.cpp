// Submodule `nn`: the encoder of a Transformer without a tape, from the arrays of a state_dict.
#include "nn/inference/transformer_encoder.hpp"
#include "bindings/nn/layer_arrays.hpp"
#include "bindings/nn/nn.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

std::unique_ptr<TransformerEncoder> make_encoder(const py::list& layers, std::size_t n_heads, bool rotary,
                                                 double rotary_base, py::object final_norm, bool norm_first,
                                                 const std::string& activation, double epsilon, bool quantize,
                                                 int n_threads) {
    if (layers.empty()) throw ValueError("an encoder needs a layer or more");
    EncoderWeights w;
    w.d = LayerArrays(0, layers[0]).n_rows("self_attn.out_proj.weight");
    if (n_heads == 0 || w.d == 0 || w.d % n_heads != 0)
        throw ValueError("n_heads must divide the " + std::to_string(w.d) + " features, got " +
                         std::to_string(n_heads));
    if (rotary && w.d / n_heads % 2 != 0)
        throw ValueError("rotary positions need an even number of features a head, got " +
                         std::to_string(w.d / n_heads));
    if (!(rotary_base > 0 && std::isfinite(rotary_base))) throw ValueError("rotary_base must be above 0 and finite");
    if (!(epsilon >= 0 && std::isfinite(epsilon))) throw ValueError("epsilon must be at least 0 and finite");
    std::vector<LayerArrays> held;
    for (std::size_t i = 0; i < layers.size(); ++i)
        w.layers.push_back(encoder_layer(held.emplace_back(i, layers[i]), w.d));
    if (quantize)
        for (EncoderLayerWeights& layer : w.layers) layer.precisions.fill(Precision::int8);
    w.n_heads = n_heads;
    w.rotary = rotary;
    w.rotary_base = rotary_base;
    w.norm_first = norm_first;
    w.activation = linalg::parse_activation(activation);
    w.epsilon = static_cast<float>(epsilon);
    w.has_final_norm = read_final_norm(final_norm, w.d, w.final_norm);
    return run(n_threads, 0, [&](const RunContext& ctx) { return std::make_unique<TransformerEncoder>(ctx, w); });
}

py::array_t<float> encode(const TransformerEncoder& encoder, py::object rows, py::object offsets, int n_threads) {
    const auto x = tensor_arg<float>("rows", rows, 2);
    static_cast<void>(tensor_arg<float>("rows", rows, Shape{x.shape[0], encoder.width()}));
    const auto bounds = offsets_arg(offsets, x.shape[0], 0);
    return computed(x.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { encoder.apply(ctx, x.data, bounds, y); });
}

} // namespace

void register_nn_transformer_encoder(py::module_& m) {
    py::class_<TransformerEncoder>(m, "TransformerEncoder", py::is_final(),
                                   "The encoder of a Transformer over packed rows, without a tape.")
        .def(py::init(&make_encoder), py::arg("layers"), py::kw_only(), py::arg("n_heads"), py::arg("rotary") = false,
             py::arg("rotary_base") = 10000.0, py::arg("final_norm") = py::none(), py::arg("norm_first") = false,
             py::arg("activation") = "relu", py::arg("epsilon") = 1e-5, py::arg("quantize") = false,
             py::arg("n_threads"))
        .def("__call__", &encode, py::arg("rows"), py::arg("offsets"), py::kw_only(), py::arg("n_threads"));
}

} // namespace mlcore
