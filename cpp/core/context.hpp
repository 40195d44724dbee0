// Everything a kernel may know about the run that it is part of. Passed by const reference from the binding down; there
// is no mutable global, so two fits in two Python threads never meet.
#pragma once

#include "core/error.hpp"
#include "core/progress.hpp"

#include <cstdint>
#include <thread>

namespace mlcore {

struct RunContext {
    int n_threads; // upper bound, >= 1; small work uses fewer
    std::uint64_t seed;
    Progress& progress;
    StopFlag& stop;
    std::thread::id caller = std::this_thread::get_id(); // the thread that the run was started on

    bool on_calling_thread() const noexcept { return std::this_thread::get_id() == caller; }

    /// Between steps of a long serial section, on any thread: throws Interrupted if a stop was asked for. The calling
    /// thread first polls for signals.
    void checkpoint() const {
        if (on_calling_thread()) progress.poll();
        if (stop.requested()) throw Interrupted();
    }
};

/// A context that nobody listens to: for native tests and benchmarks.
struct StandaloneRun {
    Progress progress;
    StopFlag stop;
    RunContext context;

    explicit StandaloneRun(int n_threads = 1, std::uint64_t seed = 0) : context{n_threads, seed, progress, stop} {}
    StandaloneRun(const StandaloneRun&) = delete; // context refers to the other members
    StandaloneRun& operator=(const StandaloneRun&) = delete;
};

} // namespace mlcore
