#include "core/parallel.hpp"

#include "core/fork.hpp"

// The thread sanitizer does not see libgomp's barriers and would report every join as a race; plain threads it knows.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MLCORE_PLAIN_THREADS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || !defined(_OPENMP)
#define MLCORE_PLAIN_THREADS 1
#endif

#ifdef MLCORE_PLAIN_THREADS
#include <system_error>
#include <thread>
#else
#include <dlfcn.h>
#include <omp.h>
#endif

namespace mlcore {
namespace {

constexpr double ns_worth_a_thread = 20e3; // a few times what waking a thread and joining it costs

thread_local bool working_in_region = false;

/// Marks the current thread for as long as it runs slots.
struct InsideRegion {
    InsideRegion() { working_in_region = true; }
    ~InsideRegion() { working_in_region = false; }
};

} // namespace

int threads_for(const RunContext& ctx, double work_ns) noexcept {
    if (ctx.n_threads <= 1 || working_in_region || in_forked_child()) return 1;
    return static_cast<int>(std::clamp(work_ns / ns_worth_a_thread, 1.0, static_cast<double>(ctx.n_threads)));
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
    note_thread_pool_use();
#ifdef MLCORE_PLAIN_THREADS
    static_cast<void>(n_threads);
    std::vector<std::thread> workers;
    workers.reserve(static_cast<std::size_t>(n_slots));
    auto work = [&](int slot) {
        const InsideRegion mark;
        call(body, slot);
    };
    int started = 1;
    try {
        for (; started < n_slots; ++started) workers.emplace_back(work, started);
    } catch (const std::system_error&) {
        // No more threads to be had: the calling thread does the rest.
    }
    work(0);
    for (int slot = started; slot < n_slots; ++slot) work(slot);
    for (std::thread& worker : workers) worker.join();
#else
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
