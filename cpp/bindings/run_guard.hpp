// How Python enters the core: run(n_threads, seed, f) calls f(const RunContext&) without the GIL. While f runs, the
// calling thread checks for signals ten times a second, so that Ctrl-C ends f early and raises KeyboardInterrupt. With
// run(n_threads, seed, report, f) the callable report(done, figure) is called after each iteration, unless it is None.
// The first run of the process that could not start all its threads issues a RuntimeWarning.
#pragma once

#include "core/context.hpp"
#include "core/team.hpp"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

namespace mlcore::bindings {

namespace py = pybind11;

/// Runs Python's signal handlers. What they raise is kept until rethrow(), because it must cross threads that know
/// nothing of Python; the run itself is told by the flag.
class SignalProgress final : public Progress {
  public:
    /// report: a callable (done, figure) or None; the caller holds it.
    SignalProgress(StopFlag& stop, py::handle report) : stop_(stop), report_(report) {}

    void poll() override {
        const auto now = Clock::now();
        if (now < next_check_ || raised_) return;
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) keep_error();
        next_check_ = Clock::now() + interval;
    }

    void iteration(std::uint64_t done, double figure) override {
        if (report_.is_none() || raised_) return;
        const py::gil_scoped_acquire gil;
        if (const auto result = py::reinterpret_steal<py::object>(
                PyObject_CallFunction(report_.ptr(), "Kd", static_cast<unsigned long long>(done), figure));
            !result)
            keep_error();
    }

    /// With the GIL held, after the run.
    void rethrow() {
        if (raised_) throw std::move(*raised_);
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{100};

    void keep_error() {
        raised_.emplace(); // takes over the Python error
        stop_.request();
    }

    StopFlag& stop_;
    const py::handle report_;
    Clock::time_point next_check_ = Clock::now() + interval;
    std::optional<py::error_already_set> raised_;
};

/// More threads than any machine at hand can use would only exhaust the system, and OpenMP then ends the process.
inline int checked_threads(int n_threads) {
    if (n_threads < 1) throw ValueError("n_threads must be at least 1, got " + std::to_string(n_threads));
    static const int most = std::max(256, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(n_threads, most);
}

/// After a run, because its loops find out.
inline void warn_of_missing_threads() {
    if (!take_missing_thread_warning()) return;
    const char* text = "mlcore could not start as many threads as n_jobs asks for (a limit on memory or on processes?) "
                       "and worked on fewer; results are the same";
    if (PyErr_WarnEx(PyExc_RuntimeWarning, text, 1) != 0) throw py::error_already_set(); // warnings are errors
}

template <class F>
auto run(int n_threads, std::uint64_t seed, py::handle report, F&& f) {
    using Result = std::invoke_result_t<F&, const RunContext&>;
    static_assert(!std::is_base_of_v<py::handle, Result>, "f runs without the GIL: return C++ values");
    n_threads = checked_threads(n_threads);
    StopFlag stop;
    SignalProgress progress(stop, report);
    const RunContext context{n_threads, seed, progress, stop};
    const auto call = [&] {
        const py::gil_scoped_release no_gil;
        return f(context);
    };
    try {
        if constexpr (std::is_void_v<Result>) {
            call();
            progress.rethrow(); // a signal that came too late to stop f is still to be heard
            warn_of_missing_threads();
        } else {
            Result result = call();
            progress.rethrow();
            warn_of_missing_threads();
            return result;
        }
    } catch (const py::error_already_set&) {
        throw;
    } catch (...) {
        progress.rethrow(); // what the signal handler raised goes before what f made of it
        throw;
    }
}

template <class F>
auto run(int n_threads, std::uint64_t seed, F&& f) {
    return run(n_threads, seed, py::none(), std::forward<F>(f));
}

} // namespace mlcore::bindings
