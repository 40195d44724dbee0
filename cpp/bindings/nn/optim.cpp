// Submodule `nn`: one step of an optimizer over all parameters, and what training asks about all of them.
#include "bindings/module.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "optim/arrays.hpp"

#include <pybind11/stl.h>

#include <limits>

namespace mlcore {
namespace {

using namespace bindings;
using namespace optim;

using Arrays = std::vector<py::object>;

void check_lengths(const char* name, const Arrays& arrays, std::size_t expected) {
    if (arrays.size() != expected)
        throw ValueError(std::string(name) + " must have " + std::to_string(expected) + " arrays, got " +
                         std::to_string(arrays.size()));
}

float* state_arg(const char* name, const Arrays& state, std::size_t i, bool is_used, const Shape& shape) {
    return is_used ? output_arg<float>(name, state[i], shape).data : nullptr;
}

void set_rows(ParameterArray& array, py::handle rows, const Shape& shape, py::handle gradient) {
    const auto ids = span_arg<std::int64_t>("rows", rows);
    Shape expected = shape;
    if (shape.empty()) throw ValueError("rows need parameters with an axis of rows");
    expected[0] = ids.size();
    for (std::size_t k = 0; k < ids.size(); ++k)
        if (ids[k] < 0 || static_cast<std::size_t>(ids[k]) >= shape[0] || (k > 0 && ids[k] <= ids[k - 1]))
            throw ValueError("rows must be ascending, each once, in [0, " + std::to_string(shape[0]) + ")");
    const auto values = tensor_arg<float>("gradients", gradient, expected);
    array.gradient = values.data;
    array.size = values.size();
    array.rows = ids.data();
    array.width = ids.empty() ? 0 : array.size / ids.size();
}

/// rows: for each array None, or those that its gradient is by. steps: number of this step, from 1.
void py_optimizer_step(const Arrays& parameters, const Arrays& gradients, const Arrays& rows, const Arrays& velocities,
                       const Arrays& squares, const Arrays& extras, const std::vector<std::uint64_t>& steps,
                       const std::string& rule, double learning_rate, double momentum, double damping, double rho,
                       double beta1, double beta2, double epsilon, bool amsgrad, bool centred, bool is_decoupled,
                       double share_of_gradient, double share_of_velocity, double weight_decay, double gradient_scale,
                       double clip_value, int n_threads) {
    const OptimizerParams params{.rule = parse_rule(rule),
                                 .learning_rate = learning_rate,
                                 .momentum = momentum,
                                 .damping = damping,
                                 .rho = rho,
                                 .beta1 = beta1,
                                 .beta2 = beta2,
                                 .epsilon = epsilon,
                                 .weight_decay = weight_decay,
                                 .gradient_scale = gradient_scale,
                                 .clip_value = clip_value,
                                 .amsgrad = amsgrad,
                                 .centred = centred,
                                 .is_decoupled = is_decoupled,
                                 .share_of_gradient = share_of_gradient,
                                 .share_of_velocity = share_of_velocity};
    check_params(params);
    const bool has_v = has_velocity(params), has_s = has_squares(params), has_x = has_extra(params);
    check_lengths("gradients", gradients, parameters.size());
    check_lengths("rows", rows, parameters.size());
    check_lengths("velocities", velocities, has_v ? parameters.size() : 0);
    check_lengths("squares", squares, has_s ? parameters.size() : 0);
    check_lengths("extras", extras, has_x ? parameters.size() : 0);
    if (steps.size() != parameters.size()) throw ValueError("steps must have a number for each array");
    std::vector<ParameterArray> arrays;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const Shape shape = tensor_arg<float>("parameters", parameters[i]).shape;
        const auto p = output_arg<float>("parameters", parameters[i], shape);
        if (steps[i] == 0) throw ValueError("steps are counted from 1, got 0");
        ParameterArray array{.size = p.size(),
                             .gradient = nullptr,
                             .parameters = p.data,
                             .velocity = state_arg("velocities", velocities, i, has_v, shape),
                             .squares = state_arg("squares", squares, i, has_s, shape),
                             .t = steps[i],
                             .extra = state_arg("extras", extras, i, has_x, shape)};
        if (rows[i].is_none())
            array.gradient = tensor_arg<float>("gradients", gradients[i], shape).data;
        else
            set_rows(array, rows[i], shape, gradients[i]);
        arrays.push_back(array);
    }
    run(n_threads, 0, [&](const RunContext& ctx) { update_arrays(ctx, params, arrays); });
}

py::array_t<double> py_square_sums(const Arrays& arrays, int n_threads) {
    std::vector<std::span<const float>> spans;
    for (const py::object& array : arrays) {
        const auto view = tensor_arg<float>("arrays", array);
        spans.emplace_back(view.data, view.size());
    }
    return to_numpy(run(n_threads, 0, [&](const RunContext& ctx) { return square_sums(ctx, spans); }));
}

/// targets[i] += weight (sources[i] - targets[i])
void py_blend(const Arrays& targets, const Arrays& sources, double weight, int n_threads) {
    check_lengths("sources", sources, targets.size());
    std::vector<Blend> pairs;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const auto source = tensor_arg<float>("sources", sources[i]);
        const auto target = output_arg<float>("targets", targets[i], source.shape);
        pairs.push_back({source.size(), target.data, source.data});
    }
    run(n_threads, 0, [&](const RunContext& ctx) { blend(ctx, pairs, static_cast<float>(weight)); });
}

} // namespace

void register_nn_optim(py::module_& m) {
    m.def("optimizer_step", &py_optimizer_step, py::arg("parameters"), py::arg("gradients"), py::arg("rows"),
          py::arg("velocities"), py::arg("squares"), py::arg("extras"), py::arg("steps"), py::kw_only(),
          py::arg("rule"), py::arg("learning_rate"), py::arg("momentum") = 0.0, py::arg("damping") = 0.0,
          py::arg("rho") = 0.0, py::arg("beta1") = 0.0, py::arg("beta2") = 0.0, py::arg("epsilon") = 0.0,
          py::arg("amsgrad") = false, py::arg("centred") = false, py::arg("is_decoupled") = false,
          py::arg("share_of_gradient") = 0.0, py::arg("share_of_velocity") = 1.0, py::arg("weight_decay") = 0.0,
          py::arg("gradient_scale") = 1.0, py::arg("clip_value") = std::numeric_limits<double>::infinity(),
          py::arg("n_threads"));
    m.def("square_sums", &py_square_sums, py::arg("arrays"), py::kw_only(), py::arg("n_threads"));
    m.def("blend", &py_blend, py::arg("targets"), py::arg("sources"), py::kw_only(), py::arg("weight"),
          py::arg("n_threads"));
}

} // namespace mlcore
