// The parts of the submodule `nn`, each defined in <part>.cpp.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_nn_attention(pybind11::module_& m);
void register_nn_bert_encoder(pybind11::module_& m);
void register_nn_convolution(pybind11::module_& m);
void register_nn_elementwise(pybind11::module_& m);
void register_nn_inference(pybind11::module_& m);
void register_nn_optim(pybind11::module_& m);
void register_nn_pair_attention(pybind11::module_& m);
void register_nn_positions(pybind11::module_& m);
void register_nn_recurrent(pybind11::module_& m);
void register_nn_recurrent_decoder(pybind11::module_& m);
void register_nn_search(pybind11::module_& m);
void register_nn_softmax(pybind11::module_& m);
void register_nn_transformer_decoder(pybind11::module_& m);
void register_nn_transformer_encoder(pybind11::module_& m);

} // namespace mlcore
