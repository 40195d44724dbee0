// Submodule `nn`: softmax over rows, cross-entropy, losses that are sums over entries.
#include "bindings/nn/nn.hpp"

#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "nn/cross_entropy.hpp"
#include "nn/linear_cross_entropy.hpp"
#include "nn/losses.hpp"
#include "nn/softmax.hpp"

#include <limits>
#include <utility>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

template <void (*kernel)(const RunContext&, const float*, std::size_t, std::size_t, float*)>
py::array_t<float> py_rows(py::object x, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    return computed(X.shape, n_threads,
                    [&](const RunContext& ctx, float* y) { kernel(ctx, X.data, X.rows(), X.last(), y); });
}

template <void (*kernel)(const RunContext&, const float*, const float*, std::size_t, std::size_t, float*)>
py::array_t<float> py_rows_backward(py::object y, py::object dy, int n_threads) {
    const auto Y = tensor_arg<float>("y", y);
    const auto D = tensor_arg<float>("dy", dy, Y.shape);
    return computed(Y.shape, n_threads,
                    [&](const RunContext& ctx, float* dx) { kernel(ctx, Y.data, D.data, Y.rows(), Y.last(), dx); });
}

Shape all_but_last(const Shape& shape) { return {shape.begin(), shape.end() - 1}; }

py::array_t<float> py_logsumexp(py::object x, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    if (X.last() == 0) throw ValueError("x of shape " + shape_text(X.shape) + " has rows of length 0");
    return computed(all_but_last(X.shape), n_threads,
                    [&](const RunContext& ctx, float* lse) { logsumexp(ctx, X.data, X.rows(), X.last(), lse); });
}

py::array_t<float> py_logsumexp_backward(py::object x, py::object dlse, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    const auto D = tensor_arg<float>("dlse", dlse, all_but_last(X.shape));
    return computed(X.shape, n_threads, [&](const RunContext& ctx, float* dx) {
        logsumexp_backward(ctx, X.data, D.data, X.rows(), X.last(), dx);
    });
}

enum class Reduction { none, mean, sum };

Reduction parse_reduction(const std::string& name) {
    return choose<Reduction>("reduction", name,
                             {{"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}});
}

float checked_smoothing(float label_smoothing) {
    if (!(label_smoothing >= 0 && label_smoothing <= 1))
        throw ValueError("label_smoothing must be in [0, 1], got " + std::to_string(label_smoothing));
    return label_smoothing;
}

/// What the sum of the losses of m rows is multiplied with, of which the mean is over `total`. A batch whose targets
/// are all ignored has loss 0, one without rows NaN.
double loss_scale(Reduction reduction, std::size_t m, double total) {
    if (reduction != Reduction::mean) return 1;
    if (m == 0) return std::numeric_limits<double>::quiet_NaN();
    return total != 0 ? 1 / total : 1;
}

/// x (m, n) logits; target (m) int64, or (m, n) float32 probabilities. Returns (loss (m) or (), gradient or None); the
/// gradient is that of the reduced loss, or, given row_factor (m), of each row's loss times that.
py::tuple py_cross_entropy(py::object x, py::object target, py::object class_weight, py::object row_factor,
                           std::int64_t ignore_index, float label_smoothing, float gamma,
                           const std::string& reduction_name, bool with_gradient, int n_threads) {
    const auto X = tensor_arg<float>("x", x, 2);
    CrossEntropy problem;
    problem.x = X.data;
    problem.m = X.shape[0];
    problem.n = X.shape[1];
    if (problem.n == 0) throw ValueError("x of shape " + shape_text(X.shape) + " has no classes");
    if (py::isinstance<py::array_t<float>>(target))
        problem.distribution = tensor_arg<float>("target", target, X.shape).data;
    else
        problem.target = tensor_arg<std::int64_t>("target", target, Shape{problem.m}).data;
    problem.class_weight = optional_tensor_arg<float>("class_weight", class_weight, {problem.n}).data;
    problem.ignore_index = ignore_index;
    problem.label_smoothing = checked_smoothing(label_smoothing);
    if (!(gamma >= 0)) throw ValueError("gamma must be at least 0, got " + std::to_string(gamma));
    if (gamma > 0 && (label_smoothing > 0 || problem.distribution))
        throw ValueError("gamma > 0 goes with a class as target and without label_smoothing");
    problem.gamma = gamma;
    check_targets(problem);
    const auto rows = optional_tensor_arg<float>("row_factor", row_factor, {problem.m});
    const Reduction reduction = parse_reduction(reduction_name);

    auto loss = pooled_array<float>(reduction == Reduction::none ? Shape{problem.m} : Shape{});
    float* loss_data = loss.mutable_data();
    OptionalArray<> gradient(with_gradient, X.shape);
    run(n_threads, 0, [&](const RunContext& ctx) {
        const double total = reduction == Reduction::mean ? total_weight(ctx, problem) : 1;
        const double scale = loss_scale(reduction, problem.m, total);
        const double sum = cross_entropy(ctx, problem, static_cast<float>(scale), rows.data,
                                         reduction == Reduction::none ? loss_data : nullptr, gradient.data);
        if (reduction != Reduction::none) *loss_data = static_cast<float>(sum * scale);
    });
    return py::make_tuple(std::move(loss), std::move(gradient.object));
}

/// x (m, k), weight (n, k), target (m). Returns (loss (m) or (), dx, dweight, dbias), None for what is not wanted; the
/// gradients are those of the reduced loss, or, given row_factor (m), of each row's loss times that.
py::tuple py_linear_cross_entropy(py::object x, py::object weight, py::object bias, py::object target,
                                  py::object row_factor, std::int64_t ignore_index, float label_smoothing,
                                  const std::string& reduction_name, bool want_input, bool want_weight, bool want_bias,
                                  int n_threads) {
    const auto X = tensor_arg<float>("x", x, 2), W = tensor_arg<float>("weight", weight, 2);
    LinearCrossEntropy problem;
    problem.m = X.shape[0];
    problem.n = W.shape[0];
    problem.k = X.shape[1];
    if (problem.k != W.shape[1])
        throw ValueError("x of shape " + shape_text(X.shape) + " does not fit weight of shape " + shape_text(W.shape));
    if (problem.n == 0) throw ValueError("weight of shape " + shape_text(W.shape) + " has no classes");
    problem.x = X.data;
    problem.weight = W.data;
    problem.bias = optional_tensor_arg<float>("bias", bias, {problem.n}).data;
    problem.target = tensor_arg<std::int64_t>("target", target, Shape{problem.m}).data;
    problem.ignore_index = ignore_index;
    problem.label_smoothing = checked_smoothing(label_smoothing);
    const std::size_t n_used = count_targets(problem);
    const auto rows = optional_tensor_arg<float>("row_factor", row_factor, {problem.m});
    const Reduction reduction = parse_reduction(reduction_name);

    auto loss = pooled_array<float>(reduction == Reduction::none ? Shape{problem.m} : Shape{});
    float* loss_data = loss.mutable_data();
    OptionalArray<> dx(want_input, X.shape), dw(want_weight, W.shape), db(want_bias && problem.bias, {problem.n});
    const double scale = loss_scale(reduction, problem.m, static_cast<double>(n_used));
    run(n_threads, 0, [&](const RunContext& ctx) {
        const double sum =
            linear_cross_entropy(ctx, problem, static_cast<float>(scale), rows.data,
                                 reduction == Reduction::none ? loss_data : nullptr, {dx.data, dw.data, db.data});
        if (reduction != Reduction::none) *loss_data = static_cast<float>(sum * scale);
    });
    return py::make_tuple(std::move(loss), std::move(dx.object), std::move(dw.object), std::move(db.object));
}

/// x, target, weight, positive_weight, dy of one shape. Returns (loss of that shape or (), gradient or None).
py::tuple py_pointwise_loss(py::object x, py::object target, py::object weight, py::object positive_weight,
                            py::object dy, const std::string& kind, float beta, float gamma, float alpha,
                            const std::string& reduction_name, bool with_gradient, int n_threads) {
    const auto X = tensor_arg<float>("x", x);
    PointwiseLoss problem;
    problem.kind = parse_loss(kind);
    problem.n = X.size();
    problem.x = X.data;
    problem.target = tensor_arg<float>("target", target, X.shape).data;
    problem.weight = optional_tensor_arg<float>("weight", weight, X.shape).data;
    problem.positive_weight = optional_tensor_arg<float>("positive_weight", positive_weight, X.shape).data;
    const auto D = optional_tensor_arg<float>("dy", dy, X.shape);
    if (!(beta > 0)) throw ValueError("beta must be positive, got " + std::to_string(beta));
    if (!(gamma >= 0)) throw ValueError("gamma must be at least 0, got " + std::to_string(gamma));
    problem.beta = beta;
    problem.gamma = gamma;
    problem.alpha = alpha;
    const Reduction reduction = parse_reduction(reduction_name);

    auto loss = pooled_array<float>(reduction == Reduction::none ? X.shape : Shape{});
    float* loss_data = loss.mutable_data();
    OptionalArray<> gradient(with_gradient, X.shape);
    const double count = problem.n > 0 ? static_cast<double>(problem.n) : std::numeric_limits<double>::quiet_NaN();
    const double scale = reduction == Reduction::mean ? 1 / count : 1;
    run(n_threads, 0, [&](const RunContext& ctx) {
        const double sum = pointwise_loss(ctx, problem, static_cast<float>(scale), D.data,
                                          reduction == Reduction::none ? loss_data : nullptr, gradient.data);
        if (reduction != Reduction::none) *loss_data = static_cast<float>(sum * scale);
    });
    return py::make_tuple(std::move(loss), std::move(gradient.object));
}

} // namespace

void register_nn_softmax(py::module_& m) {
    m.def("softmax", &py_rows<softmax>, py::arg("x"), py::kw_only(), py::arg("n_threads"));
    m.def("softmax_backward", &py_rows_backward<softmax_backward>, py::arg("y"), py::arg("dy"), py::kw_only(),
          py::arg("n_threads"));
    m.def("log_softmax", &py_rows<log_softmax>, py::arg("x"), py::kw_only(), py::arg("n_threads"));
    m.def("log_softmax_backward", &py_rows_backward<log_softmax_backward>, py::arg("y"), py::arg("dy"), py::kw_only(),
          py::arg("n_threads"));
    m.def("logsumexp", &py_logsumexp, py::arg("x"), py::kw_only(), py::arg("n_threads"));
    m.def("logsumexp_backward", &py_logsumexp_backward, py::arg("x"), py::arg("dlse"), py::kw_only(),
          py::arg("n_threads"));
    m.def("cross_entropy", &py_cross_entropy, py::arg("x"), py::arg("target"), py::kw_only(),
          py::arg("class_weight") = py::none(), py::arg("row_factor") = py::none(), py::arg("ignore_index") = -100,
          py::arg("label_smoothing") = 0.0f, py::arg("gamma") = 0.0f, py::arg("reduction"), py::arg("with_gradient"),
          py::arg("n_threads"));
    m.def("linear_cross_entropy", &py_linear_cross_entropy, py::arg("x"), py::arg("weight"), py::arg("bias"),
          py::arg("target"), py::kw_only(), py::arg("row_factor") = py::none(), py::arg("ignore_index") = -100,
          py::arg("label_smoothing") = 0.0f, py::arg("reduction"), py::arg("want_input"), py::arg("want_weight"),
          py::arg("want_bias"), py::arg("n_threads"));
    m.def("pointwise_loss", &py_pointwise_loss, py::arg("x"), py::arg("target"), py::kw_only(),
          py::arg("weight") = py::none(), py::arg("positive_weight") = py::none(), py::arg("dy") = py::none(),
          py::arg("kind"), py::arg("beta") = 1.0f, py::arg("gamma") = 2.0f, py::arg("alpha") = -1.0f,
          py::arg("reduction"), py::arg("with_gradient"), py::arg("n_threads"));
}

} // namespace mlcore
