// How Python enters the core: run(n_threads, seed, f) calls f(const RunContext&) without the GIL. While f runs, the
// calling thread checks for signals ten times a second, so that Ctrl-C ends f early and raises KeyboardInterrupt. In a
// child that was forked after the thread pool was used, the first run that wanted threads issues a RuntimeWarning.
#pragma once

#include "core/context.hpp"
#include "core/fork.hpp"

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
/// nothing of Python; the run itself hears of it through the flag.
class SignalProgress final : public Progress {
  public:
    explicit SignalProgress(StopFlag& stop) : stop_(stop) {}

    void poll() override {
        const auto now = Clock::now();
        if (now < next_check_ || raised_) return;
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) {
            raised_.emplace(); // takes over the Python error
            stop_.request();
        }
        next_check_ = Clock::now() + interval;
    }

    /// With the GIL held, after the run.
    void rethrow() {
        if (raised_) throw std::move(*raised_);
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{100};

    StopFlag& stop_;
    Clock::time_point next_check_ = Clock::now() + interval;
    std::optional<py::error_already_set> raised_;
};

/// More threads than any machine at hand can use would only exhaust the system, and OpenMP then ends the process.
inline int checked_threads(int n_threads) {
    if (n_threads < 1) throw ValueError("n_threads must be at least 1, got " + std::to_string(n_threads));
    static const int most = std::max(256, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(n_threads, most);
}

inline void warn_in_forked_child(int n_threads) {
    if (n_threads == 1 || !in_forked_child() || !take_fork_warning()) return;
    const char* text = "mlcore used several threads before this process was forked, so it runs on one thread here; "
                       "start processes with the method 'spawn' or 'forkserver' to keep all threads";
    if (PyErr_WarnEx(PyExc_RuntimeWarning, text, 1) != 0) throw py::error_already_set(); // warnings are errors
}

template <class F>
auto run(int n_threads, std::uint64_t seed, F&& f) {
    using Result = std::invoke_result_t<F&, const RunContext&>;
    static_assert(!std::is_base_of_v<py::handle, Result>, "f runs without the GIL: return C++ values");
    n_threads = checked_threads(n_threads);
    warn_in_forked_child(n_threads);

    StopFlag stop;
    SignalProgress progress(stop);
    const RunContext context{n_threads, seed, progress, stop};
    const auto call = [&] {
        const py::gil_scoped_release no_gil;
        return f(context);
    };
    try {
        if constexpr (std::is_void_v<Result>) {
            call();
            progress.rethrow(); // a signal that came too late to stop f is still to be heard
        } else {
            Result result = call();
            progress.rethrow();
            return result;
        }
    } catch (const py::error_already_set&) {
        throw;
    } catch (...) {
        progress.rethrow(); // what the signal handler raised goes before what f made of it
        throw;
    }
}

} // namespace mlcore::bindings
