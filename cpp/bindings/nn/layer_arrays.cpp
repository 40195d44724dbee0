#include "bindings/nn/layer_arrays.hpp"

#include <utility>

namespace mlcore::bindings {

LayerArrays::LayerArrays(std::string what, py::handle arrays) : what_(std::move(what)) {
    if (!py::isinstance<py::dict>(arrays))
        throw TypeError(what_ + " must be a dict of arrays, got " + describe(arrays));
    arrays_ = py::reinterpret_steal<py::dict>(PyDict_Copy(arrays.ptr()));
    if (!arrays_) throw py::error_already_set();
}

LayerArrays::LayerArrays(std::size_t number, py::handle arrays)
    : LayerArrays("layer " + std::to_string(number), arrays) {}

bool LayerArrays::has(const std::string& name) const {
    return arrays_.contains(name.c_str()) && !object(name).is_none();
}

std::size_t LayerArrays::n_rows(const std::string& name) const {
    return tensor_arg<float>(label(name).c_str(), object(name), 2).shape[0];
}

std::size_t LayerArrays::n_columns(const std::string& name) const {
    return tensor_arg<float>(label(name).c_str(), object(name), 2).shape[1];
}

const float* LayerArrays::get(const std::string& name, const Shape& shape) const {
    return tensor_arg<float>(label(name).c_str(), object(name), shape).data;
}

const float* LayerArrays::find(const std::string& name, const Shape& shape) const {
    return has(name) ? get(name, shape) : nullptr;
}

MatrixView<const float> LayerArrays::matrix(const std::string& name, std::size_t rows, std::size_t cols) const {
    return row_major(get(name, Shape{rows, cols}), rows, cols);
}

nn::LinearWeights LayerArrays::linear(const std::string& weight, const std::string& bias, std::size_t n_out,
                                      std::size_t n_in) const {
    return {matrix(weight, n_out, n_in), find(bias, Shape{n_out})};
}

nn::NormWeights LayerArrays::norm(const std::string& name, std::size_t d) const {
    return {find(name + ".weight", Shape{d}), find(name + ".bias", Shape{d})};
}

py::handle LayerArrays::object(const std::string& name) const {
    if (!arrays_.contains(name.c_str())) throw ValueError(what_ + ": there is no " + name);
    return arrays_[name.c_str()];
}

nn::EncoderLayerWeights encoder_layer(const LayerArrays& arrays, std::size_t d) {
    const std::size_t hidden = arrays.n_rows("linear1.weight");
    if (hidden == 0) throw ValueError("linear1.weight of a layer must have a row or more");
    nn::EncoderLayerWeights w;
    w.self_in = arrays.linear("self_attn.in_proj_weight", "self_attn.in_proj_bias", 3 * d, d);
    w.self_out = arrays.linear("self_attn.out_proj.weight", "self_attn.out_proj.bias", d, d);
    w.linear1 = arrays.linear("linear1.weight", "linear1.bias", hidden, d);
    w.linear2 = arrays.linear("linear2.weight", "linear2.bias", d, hidden);
    w.norm1 = arrays.norm("norm1", d);
    w.norm2 = arrays.norm("norm2", d);
    return w;
}

bool read_final_norm(py::handle object, std::size_t d, nn::NormWeights& norm) {
    if (object.is_none()) return false;
    if (!py::isinstance<py::sequence>(object) || py::len(object) != 2)
        throw TypeError("final_norm must be a pair of weight and bias or None, got " + describe(object));
    const auto pair = py::reinterpret_borrow<py::sequence>(object);
    norm = {optional_tensor_arg<float>("weight of final_norm", pair[0], Shape{d}).data,
            optional_tensor_arg<float>("bias of final_norm", pair[1], Shape{d}).data};
    return true;
}

std::span<const std::int64_t> offsets_arg(py::handle object, std::size_t n, std::int64_t least) {
    const auto offsets = span_arg<std::int64_t>("offsets", object);
    if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<std::int64_t>(n))
        throw ValueError("offsets must begin with 0 and end with the number of rows, " + std::to_string(n));
    for (std::size_t i = 1; i < offsets.size(); ++i)
        if (offsets[i] < offsets[i - 1] || offsets[i] - offsets[i - 1] < least)
            throw ValueError("sequence " + std::to_string(i - 1) + " must have " + std::to_string(least) +
                             " rows or more, but its offsets are " + std::to_string(offsets[i - 1]) + " and " +
                             std::to_string(offsets[i]));
    return offsets;
}

} // namespace mlcore::bindings
