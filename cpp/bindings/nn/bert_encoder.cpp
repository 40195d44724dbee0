// Submodule `nn`: BERT without a tape, from the arrays of its parameters.
#include "nn/inference/bert_encoder.hpp"
#include "bindings/nn/layer_arrays.hpp"
#include "bindings/nn/nn.hpp"

#include <pybind11/stl.h>

#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

constexpr std::array products{"self_attn.in_proj", "self_attn.out_proj", "linear1", "linear2"};

MatrixView<const float> table(const LayerArrays& arrays, const char* name, std::size_t d) {
    const std::size_t rows = arrays.n_rows(name);
    if (rows == 0) throw ValueError(std::string("embeddings: ") + name + " must have a row or more");
    return arrays.matrix(name, rows, d);
}

/// All products in `precision`, but for those named "layer.product" in `exclude`.
void set_precisions(EncoderWeights& w, Precision precision, const std::vector<std::string>& exclude) {
    std::vector<bool> found(exclude.size());
    for (std::size_t i = 0; i < w.layers.size(); ++i)
        for (std::size_t p = 0; p < products.size(); ++p) {
            const std::string name = std::to_string(i) + "." + products[p];
            Precision& to = w.layers[i].precisions[p] = precision;
            for (std::size_t e = 0; e < exclude.size(); ++e)
                if (exclude[e] == name) to = Precision::float32, found[e] = true;
        }
    for (std::size_t e = 0; e < exclude.size(); ++e)
        if (!found[e]) throw ValueError("exclude: there is no product " + exclude[e]);
}

std::unique_ptr<BertEncoder> make_encoder(py::object embeddings, const py::list& layers, std::size_t n_heads,
                                          const std::string& activation, double epsilon, const std::string& dtype,
                                          const std::vector<std::string>& exclude, int n_threads) {
    const LayerArrays arrays("embeddings", embeddings);
    EncoderWeights w;
    w.d = arrays.n_columns("word");
    if (n_heads == 0 || w.d == 0 || w.d % n_heads != 0)
        throw ValueError("n_heads must divide the " + std::to_string(w.d) + " features, got " +
                         std::to_string(n_heads));
    if (!(epsilon >= 0 && std::isfinite(epsilon))) throw ValueError("epsilon must be at least 0 and finite");
    EmbeddingWeights e;
    e.words = table(arrays, "word", w.d);
    e.positions = table(arrays, "position", w.d);
    e.types = table(arrays, "type", w.d);
    e.norm = arrays.norm("norm", w.d);
    std::vector<LayerArrays> held;
    for (std::size_t i = 0; i < layers.size(); ++i)
        w.layers.push_back(encoder_layer(held.emplace_back(i, layers[i]), w.d));
    w.n_heads = n_heads;
    w.activation = linalg::parse_activation(activation);
    w.epsilon = static_cast<float>(epsilon);
    set_precisions(w, parse_precision(dtype), exclude);
    return run(n_threads, 0, [&](const RunContext& ctx) { return std::make_unique<BertEncoder>(ctx, e, w); });
}

py::array_t<float> encode(const BertEncoder& encoder, py::object ids, py::object types, py::object offsets,
                          const std::optional<std::string>& pooling, bool normalize, int n_threads) {
    TokenSequences tokens;
    const auto words = span_arg<std::int64_t>("ids", ids);
    tokens.ids = words.data();
    tokens.types = span_arg<std::int64_t>("types", types, words.size()).data();
    tokens.offsets = offsets_arg(offsets, words.size(), 1);
    if (!pooling) {
        if (normalize) throw ValueError("normalize is for pooled vectors: give pooling too");
        return computed({words.size(), encoder.width()}, n_threads,
                        [&](const RunContext& ctx, float* y) { encoder.apply(ctx, tokens, y); });
    }
    const SequencePooling kind = parse_sequence_pooling(*pooling);
    return computed({tokens.offsets.size() - 1, encoder.width()}, n_threads,
                    [&](const RunContext& ctx, float* y) { encoder.pool(ctx, tokens, kind, normalize, y); });
}

} // namespace

void register_nn_bert_encoder(py::module_& m) {
    py::class_<BertEncoder>(m, "BertEncoder", py::is_final(), "BERT over packed tokens, without a tape.")
        .def(py::init(&make_encoder), py::arg("embeddings"), py::arg("layers"), py::kw_only(), py::arg("n_heads"),
             py::arg("activation") = "gelu", py::arg("epsilon") = 1e-12, py::arg("dtype") = "float32",
             py::arg("exclude") = std::vector<std::string>(), py::arg("n_threads"))
        .def_property_readonly("width", &BertEncoder::width)
        .def("__call__", &encode, py::arg("ids"), py::arg("types"), py::arg("offsets"), py::kw_only(),
             py::arg("pooling") = py::none(), py::arg("normalize") = false, py::arg("n_threads"));
}

} // namespace mlcore
