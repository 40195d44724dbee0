// Dicts of arrays, named as in the state_dict of a layer, as weights of the networks without a tape.
#pragma once

#include "bindings/nn/tensor_args.hpp"
#include "nn/inference/layer_weights.hpp"
#include "nn/inference/transformer_encoder.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mlcore::bindings {

/// The arrays of one layer by their names. Holds them: views into them are valid as long as it lives, whatever other
/// threads do with the dict.
class LayerArrays {
  public:
    /// what: how messages call it. Throws TypeError where `arrays` is no dict.
    LayerArrays(std::string what, py::handle arrays);
    LayerArrays(std::size_t number, py::handle arrays);

    bool has(const std::string& name) const;
    std::size_t n_rows(const std::string& name) const;
    std::size_t n_columns(const std::string& name) const;

    /// Throws ValueError and TypeError, which name the array, where it is not there or not of this shape.
    const float* get(const std::string& name, const Shape& shape) const;
    /// nullptr where it is not there, or None.
    const float* find(const std::string& name, const Shape& shape) const;
    MatrixView<const float> matrix(const std::string& name, std::size_t rows, std::size_t cols) const;

    /// weight (n_out, n_in) and, where there is one, bias (n_out).
    nn::LinearWeights linear(const std::string& weight, const std::string& bias, std::size_t n_out,
                             std::size_t n_in) const;
    /// name.weight and name.bias (d), each of which may be missing.
    nn::NormWeights norm(const std::string& name, std::size_t d) const;

  private:
    py::handle object(const std::string& name) const;
    std::string label(const std::string& name) const { return what_ + ": " + name; }

    std::string what_;
    py::dict arrays_;
};

/// The layer of an encoder of d features, in float32.
nn::EncoderLayerWeights encoder_layer(const LayerArrays& arrays, std::size_t d);

/// None, or a pair of weight and bias (d), each of which may be None.
bool read_final_norm(py::handle object, std::size_t d, nn::NormWeights& norm);

/// offsets (S + 1) of n rows: from 0 to n, each sequence with `least` rows or more.
std::span<const std::int64_t> offsets_arg(py::handle object, std::size_t n, std::int64_t least);

} // namespace mlcore::bindings
