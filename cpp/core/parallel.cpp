#include "core/parallel.hpp"

#include "core/team.hpp"

#include <thread>

#ifndef MLCORE_PLAIN_THREADS
#include <dlfcn.h>
#include <omp.h>
#endif

namespace mlcore {
namespace {

constexpr double ns_worth_a_thread = 20e3;        // a few times what waking a thread and joining it costs
constexpr double ns_worth_a_plain_thread = 100e3; // the same where it must be started and ended

thread_local bool working_in_region = false;

/// Marks the current thread for as long as it runs slots.
struct InsideRegion {
    InsideRegion() { working_in_region = true; }
    ~InsideRegion() { working_in_region = false; }
};

/// Threads for this one loop. What cannot be started, for want of memory or of processes, is done by the calling
/// thread.
void run_on_plain_threads(int n_slots, void (*call)(void* body, int slot), void* body) {
    const auto work = [&](int slot) {
        const InsideRegion mark;
        call(body, slot);
    };
    std::vector<std::thread> workers;
    try {
        workers.reserve(static_cast<std::size_t>(n_slots) - 1);
        for (int slot = 1; slot < n_slots; ++slot) workers.emplace_back(work, slot);
    } catch (const std::exception&) { // std::system_error or std::bad_alloc
        note_missing_thread();
    }
    work(0);
    for (int slot = static_cast<int>(workers.size()) + 1; slot < n_slots; ++slot) work(slot);
    for (std::thread& worker : workers) worker.join();
}

} // namespace

int threads_for(const RunContext& ctx, double work_ns) noexcept {
    if (ctx.n_threads <= 1 || working_in_region) return 1;
    const double worth = team_is_refused(ctx.n_threads) ? ns_worth_a_plain_thread : ns_worth_a_thread;
    return static_cast<int>(std::clamp(work_ns / worth, 1.0, static_cast<double>(ctx.n_threads)));
}

std::string thread_runtime() {
#ifdef MLCORE_PLAIN_THREADS
    return "std::thread";
#else
    std::string text = "OpenMP " + std::to_string(_OPENMP);
    Dl_info library{}; // several runtimes may be loaded: say which one these loops really call
    if (dladdr(reinterpret_cast<void*>(&omp_get_num_threads), &library) != 0 && library.dli_fname)
        text += std::string(", ") + library.dli_fname;
    return text;
#endif
}

bool detail::inside_region() noexcept { return working_in_region; }

void detail::run_slots(int n_slots, int n_threads, void (*call)(void* body, int slot), void* body) {
    if (n_slots == 1) return call(body, 0); // not a region: a loop further down may still go parallel
    if (!team_can_start(n_threads)) return run_on_plain_threads(n_slots, call, body);
#ifndef MLCORE_PLAIN_THREADS
    // The team has the same size each time, even where few of its members find a slot: libgomp ends the threads that a
    // smaller team does not need and starts them anew for the next larger one, at some 100 us a thread.
#pragma omp parallel num_threads(n_threads)
    {
        const InsideRegion mark;
        // The runtime may give a smaller team than asked for: its members then take several slots each.
        for (int slot = omp_get_thread_num(); slot < n_slots; slot += omp_get_num_threads()) call(body, slot);
    }
#endif
}

} // namespace mlcore
