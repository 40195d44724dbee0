// What is not part of a family: facts about the build, the mapping of exceptions, and `testing`, through which the
// Python tests reach the foundation.
#include "bindings/module.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/choice.hpp"
#include "core/cpu.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/vecmath.hpp"
#include "linalg/bf16/product.hpp"
#include "linalg/int8/product.hpp"

#include <chrono>
#include <new>
#include <stdexcept>

namespace py = pybind11;

namespace mlcore {
namespace {

using bindings::run;

// ---- exceptions ----

void translate(std::exception_ptr error) { // what is not caught here goes on to pybind11's own translator
    try {
        if (error) std::rethrow_exception(error);
    } catch (const ValueError& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const TypeError& e) {
        PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const InternalError& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (const Interrupted&) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
}

// ---- facts ----

py::dict build_info() {
    py::dict info;
    info["version"] = MLCORE_VERSION;
    info["isa_level"] = isa_level();
    info["int8"] = linalg::int8_kernel_name();
    info["bfloat16"] = linalg::bf16_kernel_name();
    info["available_cpus"] = available_cpus();
    info["openmp"] = thread_runtime();
#if defined(__clang__)
    info["compiler"] = "clang " __clang_version__;
#else
    info["compiler"] = "g++ " __VERSION__;
#endif
    return info;
}

// ---- testing ----

/// One of 64 tasks throws; returns how many ran if `kind` is "none".
int throw_in_worker(const std::string& kind, int n_threads) {
    return run(n_threads, 0, [&](const RunContext& context) {
        std::atomic<int> n_done = 0;
        parallel_tasks(context, 64, 1e6, [&](std::size_t task, int) {
            if (task == 13) {
                if (kind == "value") throw ValueError("bad value in a worker");
                if (kind == "type") throw TypeError("bad type in a worker");
                if (kind == "memory") throw std::bad_alloc();
                if (kind == "internal") MLCORE_CHECK(1 + 1 == 3, "arithmetic holds");
                if (kind == "interrupted") throw Interrupted();
                if (kind == "other") throw std::runtime_error("some other failure in a worker");
            }
            ++n_done;
        });
        return n_done.load();
    });
}

/// Keeps n_threads threads at work for so many seconds, inside one loop.
void busy(double seconds, int n_threads) {
    run(n_threads, 0, [&](const RunContext& context) {
        using Clock = std::chrono::steady_clock;
        constexpr double item_ns = 10e3;
        const auto n_items = static_cast<std::size_t>(seconds * 1e9 / item_ns * context.n_threads);
        parallel_ranges(context, n_items, item_ns, [&](std::size_t begin, std::size_t end, int) {
            const auto until = Clock::now() + std::chrono::duration<double, std::nano>(item_ns) * (end - begin);
            while (Clock::now() < until) {}
        });
    });
}

/// Column sums of a table: shows that any layout is read rightly.
py::array_t<double> column_sums(const py::object& X, int n_threads) {
    const Table table = bindings::table_arg("X", X);
    auto sums = run(n_threads, 0, [&](const RunContext&) {
        return std::visit(
            [](const auto& view) {
                Buffer<double> total(view.cols, 0.0);
                for (std::size_t i = 0; i < view.rows; ++i) {
                    if constexpr (requires { view.indptr; })
                        for (std::size_t k = view.begin(i); k < view.end(i); ++k)
                            total[static_cast<std::size_t>(view.indices[k])] += view.data[k];
                    else
                        for (std::size_t j = 0; j < view.cols; ++j) total[j] += view(i, j);
                }
                return total;
            },
            table);
    });
    return bindings::to_numpy(std::move(sums));
}

double parallel_sum(const py::object& x, int n_threads) {
    const VectorView<const double> view = bindings::vector_arg<double>("x", x);
    return run(n_threads, 0, [&](const RunContext& context) {
        const auto sum = [&](std::size_t begin, std::size_t end) {
            double total = 0;
            for (std::size_t i = begin; i < end; ++i) total += view[i];
            return total;
        };
        return parallel_reduce(context, view.size, 100.0, 0.0, sum, [](double a, double b) { return a + b; });
    });
}

py::array_t<std::uint32_t> philox_u32(std::uint64_t seed, std::uint64_t stream, const py::object& counters) {
    const auto view = bindings::vector_arg<std::uint64_t>("counters", counters);
    Buffer<std::uint32_t> values(view.size);
    for (std::size_t i = 0; i < view.size; ++i) values[i] = Philox(seed, stream).u32(view[i]);
    return bindings::to_numpy(std::move(values));
}

template <class T>
py::array_t<T> vecmath_of(const std::string& function, std::span<const T> x) {
    Buffer<T> y(x.size());
    using Function = void (*)(const T*, T*, std::size_t);
    const auto f = choose<Function>("function", function,
                                    {{"exp", vm::exp}, {"log", vm::log}, {"tanh", vm::tanh}, {"sigmoid", vm::sigmoid}});
    f(x.data(), y.data(), x.size());
    return bindings::to_numpy(std::move(y));
}

py::array vecmath(const std::string& function, const py::object& x) {
    if (py::isinstance<py::array_t<float>>(x)) return vecmath_of(function, bindings::span_arg<float>("x", x));
    return vecmath_of(function, bindings::span_arg<double>("x", x));
}

} // namespace

void register_core(py::module_& m) {
    py::register_local_exception_translator(translate);
    m.def("build_info", build_info, "Version, ISA level, compiler, OpenMP runtime and available CPUs, as a dict.");
    m.def("available_cpus", available_cpus, "CPUs that this process may use: affinity and cgroup quota respected.");

    py::module_ testing = m.def_submodule("testing", "The foundation, as the Python tests see it. Not for use.");
    testing.def("throw_in_worker", throw_in_worker, py::arg("kind"), py::arg("n_threads"));
    testing.def("busy", busy, py::arg("seconds"), py::arg("n_threads"));
    testing.def("column_sums", column_sums, py::arg("X"), py::arg("n_threads"));
    testing.def("parallel_sum", parallel_sum, py::arg("x"), py::arg("n_threads"));
    testing.def("philox_u32", philox_u32, py::arg("seed"), py::arg("stream"), py::arg("counters"));
    testing.def("vecmath", vecmath, py::arg("function"), py::arg("x"));
}

} // namespace mlcore
