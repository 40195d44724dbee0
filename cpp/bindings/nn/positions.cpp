// Positions of rows in their sequences, for the submodule `nn`.
#include "bindings/nn/nn.hpp"

#include "bindings/module.hpp"
#include "bindings/nn/heads.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/attention/positions.hpp"
#include "nn/embedding.hpp"

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

/// The longest must fit into n_positions.
Sequences sequences_arg(const py::object& object, std::size_t n_rows, std::size_t n_positions) {
    const auto offsets = offsets_arg("offsets", object, n_rows);
    const Sequences sequences{offsets.data, offsets.size() - 1};
    if (sequences.longest() > n_positions)
        throw ValueError("a sequence of " + std::to_string(sequences.longest()) + " is longer than the table of " +
                         std::to_string(n_positions) + " positions");
    return sequences;
}

py::array_t<float> py_add_positions(py::object x, py::object table, py::object offsets, float scale, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 2), P = tensor_arg<float>("table", table, 2);
    if (X.shape[1] != P.shape[1])
        throw ValueError("x of shape " + shape_text(X.shape) + " does not fit a table of shape " + shape_text(P.shape));
    const Sequences sequences = sequences_arg(offsets, X.shape[0], P.shape[0]);
    return computed(X.shape, n_threads, [&](const RunContext& ctx, float* out) {
        add_positions(ctx, sequences, X.data, scale, P.data, X.shape[1], out);
    });
}

py::array_t<float> py_position_gradients(py::object dy, py::object offsets, std::size_t n_positions, int n_threads) {
    const auto dY = tensor_arg<float>("dy", dy, 2);
    const Sequences sequences = sequences_arg(offsets, dY.shape[0], n_positions);
    return computed({n_positions, dY.shape[1]}, n_threads, [&](const RunContext& ctx, float* out) {
        position_gradients(ctx, sequences, dY.data, dY.shape[1], out, n_positions);
    });
}

void py_rotate(py::object x, py::object cosines, py::object sines, py::object places, py::object out, bool back,
               int n_threads) {
    const auto X = strided_arg<float>("x", x, 4);
    const auto Y = strided_output_arg<float>("out", out, X.shape);
    const std::size_t rows = X.shape[2], depth = X.shape[3];
    if (depth % 2) throw ValueError("vectors of " + std::to_string(depth) + " entries are no pairs to rotate");
    const auto C = tensor_arg<float>("cosines", cosines, 2);
    const auto S = tensor_arg<float>("sines", sines, C.shape);
    if (C.shape[1] != depth / 2)
        throw ValueError("cosines of shape " + shape_text(C.shape) + " do not fit x of shape " + shape_text(X.shape));
    const auto P = optional_tensor_arg<std::int64_t>("places", places, {rows});
    if (P.data)
        check_ids(P.data, rows, C.shape[0]);
    else if (rows > C.shape[0])
        throw ValueError(std::to_string(rows) + " rows need as many rotations, got " + std::to_string(C.shape[0]));
    const HeadsView<const float> from = heads("x", X);
    const HeadsView<float> to = heads("out", Y);
    const Rotations rotations{C.data, S.data, P.data, back};
    run(n_threads, 0,
        [&](const RunContext& ctx) { rotate(ctx, rotations, X.shape[0], X.shape[1], rows, depth, from, to); });
}

} // namespace

void register_nn_positions(py::module_& m) {
    using py::arg;
    m.def("add_positions", &py_add_positions, arg("x"), arg("table"), arg("offsets"), py::kw_only(), arg("scale"),
          arg("n_threads"));
    m.def("position_gradients", &py_position_gradients, arg("dy"), arg("offsets"), py::kw_only(), arg("n_positions"),
          arg("n_threads"));
    m.def("rotate", &py_rotate, arg("x"), arg("cosines"), arg("sines"), arg("places"), arg("out"), py::kw_only(),
          arg("back"), arg("n_threads"));
}

} // namespace mlcore
