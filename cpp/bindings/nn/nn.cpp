// Submodule `nn`: matrix products and memory. The other parts have files of their own.
#include "bindings/nn/nn.hpp"

#include "bindings/module.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "linalg/gemm.hpp"

#include <pybind11/stl.h>

namespace mlcore {
namespace {

using namespace bindings;
using namespace linalg;

/// C (m, n) = A (m, k) B (k, n) of any layout.
py::array_t<float> py_matmul(py::object a, py::object b, int n_threads) {
    const MatrixView<const float> A = matrix_arg<float>("a", a), B = matrix_arg<float>("b", b, {});
    if (A.cols != B.rows)
        throw ValueError("a of shape " + shape_text({A.rows, A.cols}) + " cannot be multiplied with b of shape " +
                         shape_text({B.rows, B.cols}));
    return computed({A.rows, B.cols}, n_threads,
                    [&](const RunContext& ctx, float* C) { gemm(ctx, A, B, row_major(C, A.rows, B.cols)); });
}

/// (n, m, k) times (n, k, l); a batch of one is used for all of the other.
py::array_t<float> py_matmul_batched(py::object a, py::object b, int n_threads) {
    const auto A = strided_arg<float>("a", a, 3), B = strided_arg<float>("b", b, 3);
    const std::size_t n = A.shape[0] == 1 ? B.shape[0] : A.shape[0];
    if (A.shape[2] != B.shape[1] || (A.shape[0] != n && A.shape[0] != 1) || (B.shape[0] != n && B.shape[0] != 1))
        throw ValueError("a of shape " + shape_text(A.shape) + " cannot be multiplied with b of shape " +
                         shape_text(B.shape));
    const auto matrix = [](const StridedView<const float>& x) {
        return MatrixView<const float>{x.data, x.shape[1], x.shape[2], x.strides[1], x.strides[2]};
    };
    const auto step = [](const StridedView<const float>& x) { return x.shape[0] == 1 ? 0 : x.strides[0]; };
    auto out = pooled_array<float>({n, A.shape[1], B.shape[2]});
    const MatrixView<float> C = row_major(out.mutable_data(), A.shape[1], B.shape[2]);
    run(n_threads, 0, [&](const RunContext& ctx) {
        gemm_batched(ctx, n, matrix(A), step(A), matrix(B), step(B), C, static_cast<std::ptrdiff_t>(C.rows * C.cols));
    });
    return out;
}

/// y = activation(x W^T + bias + residual): x (..., k), W (n, k). Returns (y, what went into the activation or None).
py::tuple py_linear(py::object x, py::object weight, py::object bias, py::object residual,
                    const std::string& activation, bool keep_input, int n_threads) {
    const auto X = tensor_arg<float>("x", x), W = tensor_arg<float>("weight", weight, 2);
    if (X.last() != W.shape[1])
        throw ValueError("x of shape " + shape_text(X.shape) + " does not fit weight of shape " + shape_text(W.shape));
    Shape shape = X.shape;
    shape.back() = W.shape[0];
    const std::size_t m = n_entries(shape) / std::max<std::size_t>(W.shape[0], 1);
    const auto b = optional_tensor_arg<float>("bias", bias, {W.shape[0]});
    const auto r = optional_tensor_arg<float>("residual", residual, shape);
    auto out = pooled_array<float>(shape);
    Epilogue epilogue;
    epilogue.bias = b.data;
    if (r.data) epilogue.residual = row_major(r.data, m, W.shape[0]);
    epilogue.activation = parse_activation(activation);
    OptionalArray<> before(keep_input && gradient_needs_input(epilogue.activation), shape);
    epilogue.pre_activation = before.data;
    const MatrixView<float> Y = row_major(out.mutable_data(), m, W.shape[0]);
    const MatrixView<const float> left = row_major(X.data, m, X.last());
    run(n_threads, 0, [&](const RunContext& ctx) {
        gemm(ctx, left, transposed(row_major(W.data, W.shape[0], W.shape[1])), Y, false, epilogue);
    });
    return py::make_tuple(std::move(out), std::move(before.object));
}

} // namespace

void register_nn(py::module_& parent) {
    auto m = parent.def_submodule("nn", "Kernels of neural networks.");
    shared_pool(); // made now, so that no process is forked while a thread makes it
    m.def("matmul", &py_matmul, py::arg("a"), py::arg("b"), py::kw_only(), py::arg("n_threads"));
    m.def("matmul_batched", &py_matmul_batched, py::arg("a"), py::arg("b"), py::kw_only(), py::arg("n_threads"));
    m.def("linear", &py_linear, py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("residual"), py::kw_only(),
          py::arg("activation"), py::arg("keep_input"), py::arg("n_threads"));
    m.def("empty", [](const Shape& shape) { return pooled_array<float>(shape); }, py::arg("shape"));
    m.def("idle_bytes", [] { return shared_pool().idle_bytes(); });
    m.def("release_memory", [] { shared_pool().release(); });
    register_nn_attention(m);
    register_nn_convolution(m);
    register_nn_elementwise(m);
    register_nn_inference(m);
    register_nn_optim(m);
    register_nn_pair_attention(m);
    register_nn_positions(m);
    register_nn_recurrent(m);
    register_nn_recurrent_decoder(m);
    register_nn_search(m);
    register_nn_softmax(m);
}

} // namespace mlcore
