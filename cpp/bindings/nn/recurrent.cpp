// Part `recurrent` of the submodule `nn`: layers over whole sequences, and sequences of different lengths.
#include "nn/recurrent/recurrent.hpp"
#include "bindings/module.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/recurrent/sequence_layout.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

/// n_rows: of the packed rows, where they are there already.
SequenceLayout layout_of(py::handle lengths, std::size_t n_batch, std::size_t n_steps,
                         std::optional<std::size_t> n_rows = {}) {
    if (!lengths.is_none())
        return SequenceLayout(n_batch, n_steps, span_arg<std::int64_t>("lengths", lengths, n_batch));
    if (n_rows && (n_batch == 0 || *n_rows / n_batch != n_steps || *n_rows % n_batch != 0))
        throw ValueError(std::to_string(n_batch) + " sequences of " + std::to_string(n_steps) + " steps do not have " +
                         std::to_string(*n_rows) + " rows");
    return SequenceLayout(n_batch, n_steps);
}

/// (N, F) from x (B, T, F) of any strides.
py::array_t<float> py_pack(py::object x, py::object lengths, int n_threads) {
    const auto X = strided_arg<float>("x", x, 3);
    const SequenceLayout layout = layout_of(lengths, X.shape[0], X.shape[1]);
    const SequenceView<const float> view{X.data, X.strides[0], X.strides[1], X.strides[2]};
    return computed({layout.n_rows(), X.shape[2]}, n_threads,
                    [&](const RunContext& ctx, float* out) { pack_sequences(ctx, layout, view, X.shape[2], out); });
}

/// (B, T, F), or (T, B, F), from the packed rows (N, F).
py::array_t<float> py_unpack(py::object packed, py::object lengths, std::size_t n_batch, std::size_t n_steps,
                             bool batch_first, int n_threads) {
    const auto P = tensor_arg<float>("packed", packed, 2);
    const SequenceLayout layout = layout_of(lengths, n_batch, n_steps, P.shape[0]);
    const std::size_t F = P.shape[1];
    static_cast<void>(tensor_arg<float>("packed", packed, {layout.n_rows(), F}));
    auto x = batch_first ? pooled_array<float>({n_batch, n_steps, F}) : pooled_array<float>({n_steps, n_batch, F});
    const auto width = static_cast<std::ptrdiff_t>(F),
               rows = static_cast<std::ptrdiff_t>(batch_first ? n_steps : n_batch);
    const SequenceView<float> view{x.mutable_data(), batch_first ? rows * width : width,
                                   batch_first ? width : rows * width, 1};
    run(n_threads, 0, [&](const RunContext& ctx) { unpack_sequences(ctx, layout, P.data, F, view, n_steps); });
    return x;
}

/// Sequences one after the other, and the same rows step by step: what both of them are called with.
struct PackedCall {
    TensorView<const float> rows;
    TensorView<const std::int64_t> offsets;
    std::vector<std::int64_t> lengths;

    PackedCall(const char* name, py::handle rows_arg, py::handle offsets_arg)
        : rows(tensor_arg<float>(name, rows_arg, 2)), offsets(tensor_arg<std::int64_t>("offsets", offsets_arg, 1)) {
        const auto N = static_cast<std::int64_t>(rows.shape[0]);
        const std::int64_t* first = offsets.data;
        const std::size_t n = offsets.shape[0];
        if (n < 2 || first[0] != 0 || first[n - 1] != N)
            throw ValueError("offsets of sequences must go from 0 to the number of rows, " + std::to_string(N));
        for (std::size_t b = 0; b + 1 < n; ++b) {
            if (first[b + 1] <= first[b] || first[b + 1] > N) // so that no difference overflows
                throw ValueError("offsets of sequences must grow, each by at least one step");
            lengths.push_back(first[b + 1] - first[b]);
        }
    }

    SequenceLayout layout() const {
        const auto longest = static_cast<std::size_t>(*std::max_element(lengths.begin(), lengths.end()));
        return SequenceLayout(lengths.size(), longest, lengths);
    }
    std::size_t n_features() const { return rows.shape[1]; }
    template <class T>
    SequenceView<T> view(T* data) const {
        return {data, 0, static_cast<std::ptrdiff_t>(n_features()), 1, offsets.data};
    }
};

/// Rows (N, F), sequence by sequence, in the order of the recurrent kernels, step by step.
py::array_t<float> py_rows_to_steps(py::object rows, py::object offsets, int n_threads) {
    const PackedCall call("rows", rows, offsets);
    const SequenceLayout layout = call.layout();
    return computed({layout.n_rows(), call.n_features()}, n_threads, [&](const RunContext& ctx, float* out) {
        pack_sequences(ctx, layout, call.view(call.rows.data), call.n_features(), out);
    });
}

/// The reverse.
py::array_t<float> py_steps_to_rows(py::object steps, py::object offsets, int n_threads) {
    const PackedCall call("steps", steps, offsets);
    const SequenceLayout layout = call.layout();
    return computed({layout.n_rows(), call.n_features()}, n_threads, [&](const RunContext& ctx, float* out) {
        unpack_sequences(ctx, layout, call.rows.data, call.n_features(), call.view(out), layout.n_steps());
    });
}

/// What forward and backward are called with alike. The views live as long as the Python objects.
struct Call {
    RecurrentCell cell;
    RecurrentSizes sizes;
    TensorView<const float> x;
    SequenceLayout layout;
    TensorView<const float> h0, c0;
    std::size_t B, N, D, I, H;
    std::vector<std::vector<py::object>> all; // keeps what `weights` looks at alive
    std::vector<RecurrentWeights> weights;
    bool has_bias;
    Shape states;

    Call(const std::string& kind, py::handle x_arg, py::handle h0_arg, py::handle c0_arg, py::handle weights_arg,
         py::handle lengths, std::size_t n_batch, std::size_t n_steps)
        : cell(parse_recurrent_cell(kind)), sizes(recurrent_sizes(cell)), x(tensor_arg<float>("x", x_arg, 2)),
          layout(layout_of(lengths, n_batch, n_steps, x.shape[0])), B(n_batch), N(layout.n_rows()), I(x.shape[1]) {
        static_cast<void>(tensor_arg<float>("x", x_arg, {N, I}));
        all = weights_arg.cast<std::vector<std::vector<py::object>>>();
        D = all.size();
        if (D < 1 || D > 2 || all[0].size() != 4)
            throw ValueError("weights must be one or two lists of W_ih, W_hh, b_ih and b_hh");
        const auto W = tensor_arg<float>("W_hh", all[0][1], 2);
        H = W.shape[1];
        if (H == 0 || I == 0) throw ValueError("a recurrent layer needs inputs and hidden units");
        has_bias = !all[0][2].is_none();
        const std::size_t rows = sizes.weight_blocks * H;
        for (const auto& one : all) {
            if (one.size() != 4 || one[2].is_none() == has_bias || one[3].is_none() == has_bias)
                throw ValueError("weights must be lists of W_ih, W_hh, b_ih and b_hh, with all biases or none");
            weights.push_back({tensor_arg<float>("W_ih", one[0], {rows, I}).data,
                               tensor_arg<float>("W_hh", one[1], {rows, H}).data,
                               optional_tensor_arg<float>("b_ih", one[2], {rows}).data,
                               optional_tensor_arg<float>("b_hh", one[3], {rows}).data});
        }
        states = {D, B, H};
        h0 = optional_tensor_arg<float>("h0", h0_arg, states);
        c0 = optional_tensor_arg<float>("c0", c0_arg, states);
        if (c0.data && !sizes.has_cell) throw ValueError("only an LSTM has a c0");
    }

    RecurrentInputs inputs() const { return {cell, layout, I, H, weights, x.data, h0.data, c0.data}; }
    Shape gates_shape() const { return {D, N, sizes.kept_columns * H}; }
    Shape cells_shape() const { return {D, N, H}; }
};

/// y (N, D H), h_n (D, B, H), c_n or None, and what the gradient needs: gates and cells, or None.
py::tuple py_forward(const std::string& kind, py::object x, py::object h0, py::object c0, py::object weights,
                     py::object lengths, std::size_t n_batch, std::size_t n_steps, bool keep, int n_threads) {
    const Call call(kind, x, h0, c0, weights, lengths, n_batch, n_steps);
    auto y = pooled_array<float>({call.N, call.D * call.H}), h_n = pooled_array<float>(call.states);
    const bool has_cell = call.sizes.has_cell;
    OptionalArray<> c_n(has_cell, call.states), gates(keep && call.sizes.kept_columns > 0, call.gates_shape()),
        cells(keep && has_cell, call.cells_shape());
    const RecurrentForward pass{call.inputs(), y.mutable_data(), h_n.mutable_data(), c_n.data, gates.data, cells.data};
    run(n_threads, 0, [&](const RunContext& ctx) { recurrent_forward(ctx, pass); });
    return py::make_tuple(std::move(y), std::move(h_n), c_n.object, gates.object, cells.object);
}

/// (dx, dh0, dc0, [(dW_ih, dW_hh, db_ih, db_hh) a direction]), None where none is wanted or there is none.
py::tuple py_backward(const std::string& kind, py::object x, py::object h0, py::object c0, py::object weights,
                      py::object lengths, std::size_t n_batch, std::size_t n_steps, py::object y, py::object gates,
                      py::object cells, py::object dy, py::object dh_n, py::object dc_n, bool needs_x,
                      bool needs_states, bool needs_weights, int n_threads) {
    const Call call(kind, x, h0, c0, weights, lengths, n_batch, n_steps);
    const Shape results{call.N, call.D * call.H};
    const bool has_cell = call.sizes.has_cell, has_gates = call.sizes.kept_columns > 0;
    const std::size_t rows = call.sizes.weight_blocks * call.H;
    OptionalArray<> dx(needs_x, {call.N, call.I}), dh0(needs_states, call.states),
        dc0(needs_states && has_cell, call.states);
    std::vector<RecurrentWeightGradients> dweights;
    py::list all;
    for (std::size_t d = 0; d < call.D && needs_weights; ++d) {
        const OptionalArray<> W_ih(true, {rows, call.I}), W_hh(true, {rows, call.H}), b_ih(call.has_bias, {rows}),
            b_hh(call.has_bias, {rows});
        dweights.push_back({W_ih.data, W_hh.data, b_ih.data, b_hh.data});
        all.append(py::make_tuple(W_ih.object, W_hh.object, b_ih.object, b_hh.object));
    }
    const RecurrentBackward pass{call.inputs(),
                                 tensor_arg<float>("y", y, results).data,
                                 has_gates ? tensor_arg<float>("gates", gates, call.gates_shape()).data : nullptr,
                                 has_cell ? tensor_arg<float>("cells", cells, call.cells_shape()).data : nullptr,
                                 optional_tensor_arg<float>("dy", dy, results).data,
                                 optional_tensor_arg<float>("dh_n", dh_n, call.states).data,
                                 has_cell ? optional_tensor_arg<float>("dc_n", dc_n, call.states).data : nullptr,
                                 dx.data,
                                 dh0.data,
                                 dc0.data,
                                 dweights};
    run(n_threads, 0, [&](const RunContext& ctx) { recurrent_backward(ctx, pass); });
    return py::make_tuple(dx.object, dh0.object, dc0.object, std::move(all));
}

} // namespace

void register_nn_recurrent(py::module_& m) {
    m.def("pack_sequences", &py_pack, py::arg("x"), py::arg("lengths"), py::kw_only(), py::arg("n_threads"));
    m.def("unpack_sequences", &py_unpack, py::arg("packed"), py::arg("lengths"), py::kw_only(), py::arg("n_batch"),
          py::arg("n_steps"), py::arg("batch_first"), py::arg("n_threads"));
    m.def("rows_to_steps", &py_rows_to_steps, py::arg("rows"), py::arg("offsets"), py::kw_only(), py::arg("n_threads"));
    m.def("steps_to_rows", &py_steps_to_rows, py::arg("steps"), py::arg("offsets"), py::kw_only(),
          py::arg("n_threads"));
    m.def("recurrent_forward", &py_forward, py::arg("kind"), py::arg("x"), py::arg("h0"), py::arg("c0"),
          py::arg("weights"), py::arg("lengths"), py::kw_only(), py::arg("n_batch"), py::arg("n_steps"),
          py::arg("keep"), py::arg("n_threads"));
    m.def("recurrent_backward", &py_backward, py::arg("kind"), py::arg("x"), py::arg("h0"), py::arg("c0"),
          py::arg("weights"), py::arg("lengths"), py::kw_only(), py::arg("n_batch"), py::arg("n_steps"), py::arg("y"),
          py::arg("gates"), py::arg("cells"), py::arg("dy"), py::arg("dh_n"), py::arg("dc_n"), py::arg("needs_x"),
          py::arg("needs_states"), py::arg("needs_weights"), py::arg("n_threads"));
}

} // namespace mlcore
