// Errors of numbers, a column each.
#include "metrics/errors/errors.hpp"
#include "bindings/metrics/label_args.hpp"
#include "bindings/metrics/metrics.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "metrics/labels/counts.hpp"

namespace mlcore {
namespace {

using namespace metrics;
using namespace bindings;

/// A 1-D array of float or double, or a float for a constant column of n rows.
class NumbersArg {
  public:
    NumbersArg(const char* name, py::handle object, std::optional<std::size_t> n = {}) {
        if (PyFloat_Check(object.ptr())) {
            constant_ = PyFloat_AS_DOUBLE(object.ptr());
            numbers_ = {&constant_, n.value(), 0, true};
            return;
        }
        const bool is_double = py::isinstance<py::array_t<double>>(object);
        const auto fill = [&](auto view) { numbers_ = {view.data, view.size, view.stride, is_double}; };
        if (is_double)
            fill(vector_arg<double>(name, object, n));
        else
            fill(vector_arg<float>(name, object, n));
        if (numbers_.size == 0) throw ValueError(std::string(name) + " must have rows");
    }
    NumbersArg(const NumbersArg&) = delete;
    NumbersArg& operator=(const NumbersArg&) = delete;

    const Numbers& view() const { return numbers_; }

  private:
    double constant_ = 0;
    Numbers numbers_{};
};

/// (sum, sum of weights, lowest y_true, lowest y_pred, finite)
py::tuple py_error_sum(const std::string& error, double parameter, py::object y_true, py::object y_pred,
                       py::object sample_weight) {
    const auto kind = choose<Error>("error", error,
                                    {{"absolute", Error::absolute},
                                     {"squared", Error::squared},
                                     {"percentage", Error::percentage},
                                     {"squared_log", Error::squared_log},
                                     {"pinball", Error::pinball},
                                     {"tweedie", Error::tweedie}});
    const NumbersArg t("y_true", y_true);
    const std::size_t n = t.view().size;
    const NumbersArg p("y_pred", y_pred, n);
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n);
    double weights = static_cast<double>(n);
    const ErrorSum total = run(metric_threads(n), 0, [&](const RunContext& ctx) {
        if (!weight.empty()) weights = weight_sum(ctx, weight);
        return error_sum(ctx, kind, parameter, t.view(), p.view(), weight);
    });
    return py::make_tuple(total.sum, weights, total.lowest_true, total.lowest_predicted, total.finite);
}

double py_largest_error(py::object y_true, py::object y_pred) {
    const NumbersArg t("y_true", y_true);
    const NumbersArg p("y_pred", y_pred, t.view().size);
    return run(metric_threads(t.view().size), 0,
               [&](const RunContext& ctx) { return largest_error(ctx, t.view(), p.view()); });
}

/// (sum of weights, sum of squares, total, unexplained, mean of y_true)
py::tuple py_variance_sums(py::object y_true, py::object y_pred, py::object sample_weight) {
    const NumbersArg t("y_true", y_true);
    const std::size_t n = t.view().size;
    const NumbersArg p("y_pred", y_pred, n);
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n);
    const VarianceSums sums = run(
        metric_threads(n), 0, [&](const RunContext& ctx) { return variance_sums(ctx, t.view(), p.view(), weight); });
    return py::make_tuple(sums.weight, sums.squared, sums.total, sums.unexplained, sums.mean_true);
}

double py_median_error(py::object y_true, py::object y_pred, py::object sample_weight) {
    const NumbersArg t("y_true", y_true);
    const std::size_t n = t.view().size;
    const NumbersArg p("y_pred", y_pred, n);
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n);
    return run(metric_threads(n), 0,
               [&](const RunContext& ctx) { return median_error(ctx, t.view(), p.view(), weight); });
}

double py_quantile(py::object values, py::object sample_weight, double level) {
    const NumbersArg x("values", values);
    const std::size_t n = x.view().size;
    const auto weight = optional_span_arg<double>("sample_weight", sample_weight, n);
    return run(1, 0, [&](const RunContext&) {
        std::vector<double> copy(n);
        copy_numbers(x.view(), 0, n, copy.data());
        return weighted_quantile(copy, weight, level);
    });
}

} // namespace

void register_metrics_errors(py::module_& m) {
    using namespace py::literals;
    m.def("error_sum", py_error_sum, "error"_a, "parameter"_a, "y_true"_a, "y_pred"_a, "sample_weight"_a);
    m.def("largest_error", py_largest_error, "y_true"_a, "y_pred"_a);
    m.def("variance_sums", py_variance_sums, "y_true"_a, "y_pred"_a, "sample_weight"_a);
    m.def("median_error", py_median_error, "y_true"_a, "y_pred"_a, "sample_weight"_a);
    m.def("quantile", py_quantile, "values"_a, "sample_weight"_a, "level"_a);
}

} // namespace mlcore
