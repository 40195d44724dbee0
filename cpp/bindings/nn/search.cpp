// Submodule `nn`: tokens that a network writes one after the other.
#include "nn/search/search.hpp"
#include "bindings/nn/nn.hpp"
#include "bindings/nn/tensor_args.hpp"
#include "bindings/run_guard.hpp"
#include "nn/search/beam_search.hpp"
#include "nn/search/sampling.hpp"

#include <limits>
#include <string>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace nn;

std::int64_t int_arg(const std::string& name, py::handle object) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (PyErr_Occurred() != nullptr) {
        PyErr_Clear();
        throw TypeError(name + " must be an int, got " + describe(object));
    }
    if (overflow != 0) throw ValueError(name + " must fit into 64 bits, got " + describe(object));
    return value;
}

/// An int for all sources, or an array of int64 with one for each.
std::vector<std::int64_t> for_each_source(const char* name, py::handle object, std::size_t n_sources) {
    if (py::isinstance<py::int_>(object)) return std::vector<std::int64_t>(n_sources, int_arg(name, object));
    const auto values = span_arg<std::int64_t>(name, object, n_sources);
    return {values.begin(), values.end()};
}

EarlyStopping early_stopping_arg(py::handle object) {
    if (py::isinstance<py::bool_>(object))
        return object.cast<bool>() ? EarlyStopping::always : EarlyStopping::by_live_score;
    if (py::isinstance<py::str>(object) && object.cast<std::string>() == "never")
        return EarlyStopping::by_possible_score;
    throw ValueError("early_stopping must be True, False or 'never', got " + describe(object));
}

std::int32_t token_id(std::int64_t token) { // out of range stays out of range
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max(), least = -2;
    return static_cast<std::int32_t>(std::clamp(token, least, most));
}

/// For each source a list of (ids, score, log-probability).
py::list to_python(const Hypotheses& found) {
    py::list sources;
    for (const auto& hypotheses : found) {
        py::list written;
        for (const Hypothesis& h : hypotheses)
            written.append(py::make_tuple(to_numpy(std::vector<std::int64_t>(h.tokens.begin(), h.tokens.end())),
                                          h.score, h.log_probability));
        sources.append(std::move(written));
    }
    return sources;
}

py::list py_search(StepModel& model, py::object begin, py::object end, py::object max_length, std::int64_t min_length,
                   double length_penalty, const std::string& method, std::size_t beam_size, std::size_t n_best,
                   py::object early_stopping, double temperature, std::size_t top_k, double top_p, py::object keys,
                   std::uint64_t seed, int n_threads) {
    const ModelUse use(model, ModelUse::Purpose::search);
    const std::size_t n_sources = model.n_sources();
    std::vector<std::int32_t> first;
    for (const std::int64_t token : for_each_source("begin", begin, n_sources)) first.push_back(token_id(token));
    const auto lengths = for_each_source("max_length", max_length, n_sources);
    SearchTask task;
    task.begin = first;
    if (!end.is_none()) {
        task.end = token_id(int_arg("end", end));
        if (task.end < 0) throw ValueError("end must be a token of the vocabulary or None, got a negative number");
    }
    task.max_length = lengths;
    task.min_length = min_length;
    task.length_penalty = length_penalty;
    const BeamOptions beam{beam_size, n_best, early_stopping_arg(early_stopping)};
    SamplingOptions sampling;
    sampling.n_samples = n_best;
    sampling.temperature = temperature;
    sampling.top_k = top_k;
    sampling.top_p = top_p;
    std::vector<std::int64_t> numbers;
    if (keys.is_none())
        for (std::size_t s = 0; s < n_sources; ++s) numbers.push_back(static_cast<std::int64_t>(s));
    else
        numbers = for_each_source("keys", keys, n_sources);
    sampling.keys = numbers;
    return to_python(run(n_threads, seed, [&](const RunContext& ctx) {
        if (method == "greedy") return greedy_search(ctx, model, task);
        if (method == "beam") return beam_search(ctx, model, task, beam);
        if (method == "sample") return sample(ctx, model, task, sampling);
        throw ValueError("method must be 'greedy', 'beam' or 'sample', got '" + method + "'");
    }));
}

} // namespace

void register_nn_search(py::module_& m) {
    m.def("search", &py_search, py::arg("model"), py::kw_only(), py::arg("begin"), py::arg("end"),
          py::arg("max_length"), py::arg("min_length") = 0, py::arg("length_penalty") = 0.0,
          py::arg("method") = "greedy", py::arg("beam_size") = 5, py::arg("n_best") = 1,
          py::arg("early_stopping") = false, py::arg("temperature") = 1.0, py::arg("top_k") = 0, py::arg("top_p") = 1.0,
          py::arg("keys") = py::none(), py::arg("seed") = 0, py::arg("n_threads"));
}

} // namespace mlcore
