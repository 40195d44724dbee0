// Submodule `nn`: networks without a tape, made for predictions.
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "nn/search/step_model.hpp"

#include <string>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

/// One step by hand: logits (rows, V).
py::array_t<float> step(StepModel& model, py::object parents, py::object tokens, int n_threads) {
    const auto from = span_arg<std::int32_t>("parents", parents);
    const auto ids = span_arg<std::int32_t>("tokens", tokens, from.size());
    for (const std::int32_t token : ids)
        if (token < 0 || static_cast<std::size_t>(token) >= model.n_tokens())
            throw ValueError("tokens must be in [0, " + std::to_string(model.n_tokens()) + "), got " +
                             std::to_string(token));
    const ModelUse use(model, ModelUse::Purpose::step);
    return computed({from.size(), model.n_tokens()}, n_threads,
                    [&](const RunContext& ctx, float* logits) { model.step(ctx, from, ids, logits); });
}

} // namespace

void register_nn_inference(py::module_& m) {
    py::class_<StepModel>(m, "StepModel", "A network that writes one token after the other.")
        .def_property_readonly("n_tokens", &StepModel::n_tokens)
        .def_property_readonly("n_sources", &StepModel::n_sources)
        .def("step", &step, py::arg("parents"), py::arg("tokens"), py::kw_only(), py::arg("n_threads"));
    register_nn_transformer_decoder(m);
    register_nn_transformer_encoder(m);
    register_nn_bert_encoder(m);
}

} // namespace mlcore
