#include "core/parallel.hpp"

#include "core/team.hpp"

#include <chrono>
#include <memory>
#include <thread>

#ifndef MLCORE_PLAIN_THREADS
#include <dlfcn.h>
#include <omp.h>
#endif

namespace mlcore {
namespace {

constexpr double ns_worth_a_thread = 20e3;        // a few times what waking a thread and joining it costs
constexpr double ns_worth_a_plain_thread = 200e3; // the same where it must be started first, and may be late

thread_local bool working_in_region = false;

/// Marks the current thread for as long as it runs slots.
struct InsideRegion {
    InsideRegion() { working_in_region = true; }
    ~InsideRegion() { working_in_region = false; }
};

/// Slots that are taken one by one by whoever is there. Shared with threads that may come when all is done: these then
/// touch nothing else.
struct SlotQueue {
    std::atomic<int> next{1}, n_done{0};
    const int n_slots;
    void (*const call)(void* body, int slot);
    void* const body;

    SlotQueue(int slots, void (*function)(void* body, int slot), void* argument)
        : n_slots(slots), call(function), body(argument) {}

    void work(int slot) {
        const InsideRegion mark;
        call(body, slot);
        if (n_done.fetch_add(1, std::memory_order_acq_rel) + 1 == n_slots) n_done.notify_all();
    }
    void work_while_any() {
        for (int slot; (slot = next.fetch_add(1, std::memory_order_relaxed)) < n_slots;) work(slot);
    }
};

/// Threads for this one loop. The calling thread does all that none of them has begun: it waits neither for one that
/// cannot be started nor for one that does not get to run.
void run_on_plain_threads(int n_slots, double work_ns, void (*call)(void* body, int slot), void* body) {
    const auto queue = std::make_shared<SlotQueue>(n_slots, call, body);
    const int n_helpers = static_cast<int>(std::min<double>(n_slots, work_ns / ns_worth_a_plain_thread)) - 1;
    try {
        for (int i = 0; i < n_helpers; ++i) std::thread([queue] { queue->work_while_any(); }).detach();
    } catch (const std::exception&) { // std::system_error or std::bad_alloc
        note_missing_thread();
    }
    queue->work(0);
    queue->work_while_any();
    for (int done; (done = queue->n_done.load(std::memory_order_acquire)) < n_slots;) queue->n_done.wait(done);
}

} // namespace

int threads_for(const RunContext& ctx, double work_ns) noexcept {
    if (ctx.n_threads <= 1 || working_in_region) return 1;
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

void detail::run_slots(int n_slots, int n_threads, double work_ns, void (*call)(void* body, int slot), void* body) {
    if (n_slots == 1) return call(body, 0); // not a region: a loop further down may still go parallel
    if (!team_can_start(n_threads)) return run_on_plain_threads(n_slots, work_ns, call, body);
#ifndef MLCORE_PLAIN_THREADS
    std::atomic<int> n_begun{0};
    bool all_have_begun = true;
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    Clock::time_point done = start;
    // The team has the same size each time, even where few of its members find a slot: libgomp ends the threads that a
    // smaller team does not need and starts them again for the next larger one, at some 100 us a thread.
#pragma omp parallel num_threads(n_threads)
    {
        const InsideRegion mark;
        n_begun.fetch_add(1, std::memory_order_relaxed);
        // The runtime may give a smaller team than asked for: its members then take several slots each.
        for (int slot = omp_get_thread_num(); slot < n_slots; slot += omp_get_num_threads()) call(body, slot);
        if (omp_get_thread_num() == 0) {
            all_have_begun = n_begun.load(std::memory_order_relaxed) == omp_get_num_threads();
            done = Clock::now();
        }
    }
    note_join(all_have_begun, done - start, Clock::now() - done);
#endif
}

} // namespace mlcore
