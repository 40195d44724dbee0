// All parallel loops of the library. What they promise:
//   - small work runs on the calling thread: a thread is worth waking for about 20 us of work, so callers state what
//     one item costs (an estimate within a factor of ten does);
//   - the first exception of a worker cancels its siblings and is rethrown on the calling thread, after the join;
//   - Ctrl-C is seen: the calling thread polls between pieces of work, all threads leave, Interrupted is thrown;
//   - parallel_reduce gives the same bits for any number of threads;
//   - a loop inside another parallel loop runs on the thread that reached it;
//   - on a machine that is busy with other things, work is not left to threads that do not get to run.
// The only OpenMP region of the project is in parallel.cpp.
#pragma once

#include "core/context.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mlcore {

/// How many threads a job of this estimated single-thread time is worth: 1 .. ctx.n_threads. It is 1 inside a parallel
/// loop.
int threads_for(const RunContext& ctx, double work_ns) noexcept;

/// What the threads are made with: "OpenMP 201511, /usr/lib/libgomp.so.1".
std::string thread_runtime();

namespace detail {

/// Runs call(body, slot) for every slot in [0, n_slots), each once, slot 0 on the calling thread, on a team of
/// n_threads >= n_slots or, where no team can start or the machine is busy, on as many other threads as the work is
/// worth. call must not throw.
void run_slots(int n_slots, int n_threads, double work_ns, void (*call)(void* body, int slot), void* body);

/// True on a thread that is working for a region of two or more slots.
bool inside_region() noexcept;

/// One parallel loop: cancels, polls and rethrows on behalf of the three loops below.
class Region {
  public:
    explicit Region(const RunContext& ctx) : ctx_(ctx), may_poll_(!inside_region()) {}

    /// Asked before each piece of work; the calling thread also polls for signals.
    bool keep_going() {
        if (may_poll_ && ctx_.on_calling_thread()) ctx_.progress.poll();
        return !failed_.load(std::memory_order_relaxed) && !ctx_.stop.requested();
    }

    /// body(slot) for every slot, then the join, then the rethrow.
    template <class Body>
    void run(std::size_t n_slots, double work_ns, Body&& body) {
        auto guarded = [&](int slot) {
            try {
                body(slot);
            } catch (...) {
                if (!failed_.exchange(true)) error_ = std::current_exception();
            }
        };
        using Guarded = decltype(guarded);
        run_slots(
            static_cast<int>(n_slots), ctx_.n_threads, work_ns,
            [](void* g, int slot) { (*static_cast<Guarded*>(g))(slot); }, &guarded);
        if (error_) std::rethrow_exception(error_);
        if (ctx_.stop.requested()) throw Interrupted();
    }

  private:
    const RunContext& ctx_;
    const bool may_poll_;
    std::atomic<bool> failed_{false};
    std::exception_ptr error_; // written by the first slot that failed, read after the join
};

/// Items whose estimated time is `target_ns`, at least 1.
inline std::size_t items_for(double target_ns, double ns_per_item) {
    return static_cast<std::size_t>(std::clamp(target_ns / std::max(ns_per_item, 1e-3), 1.0, 1e15));
}

} // namespace detail

/// f(task, thread) for each task in [0, n_tasks), in any order: whoever is free takes the next few (about 10 us worth).
/// `thread` is in [0, threads_for(...)) and no two calls at one time share it: it may index scratch memory.
template <class F>
void parallel_tasks(const RunContext& ctx, std::size_t n_tasks, double ns_per_task, F&& f) {
    if (n_tasks == 0) return;
    const double work_ns = static_cast<double>(n_tasks) * ns_per_task;
    const std::size_t n_slots = std::min(static_cast<std::size_t>(threads_for(ctx, work_ns)), n_tasks);
    const std::size_t grain = std::clamp<std::size_t>(n_tasks / (8 * n_slots), 1, detail::items_for(10e3, ns_per_task));
    std::atomic<std::size_t> next{0};
    detail::Region region(ctx);
    region.run(n_slots, work_ns, [&](int slot) {
        while (region.keep_going()) {
            const std::size_t begin = next.fetch_add(grain, std::memory_order_relaxed);
            if (begin >= n_tasks) break;
            const std::size_t end = std::min(begin + grain, n_tasks);
            for (std::size_t task = begin; task < end; ++task) f(task, slot);
        }
    });
}

/// f(begin, end, thread) over [0, n), cut into one contiguous range a thread. A range of more than some 200 us is
/// handed over in several calls, in order, so that a stop is seen in time: f must not assume one call a thread. All
/// cuts are at multiples of 64 items, so that threads do not write to the same cache line.
template <class F>
void parallel_ranges(const RunContext& ctx, std::size_t n, double ns_per_item, F&& f) {
    if (n == 0) return;
    constexpr std::size_t unit = 64;
    const std::size_t n_units = (n + unit - 1) / unit;
    const double work_ns = static_cast<double>(n) * ns_per_item;
    const std::size_t n_slots = std::min(static_cast<std::size_t>(threads_for(ctx, work_ns)), n_units);
    const std::size_t step = (detail::items_for(200e3, ns_per_item) / unit + 1) * unit;
    detail::Region region(ctx);
    region.run(n_slots, work_ns, [&](int slot) {
        const auto s = static_cast<std::size_t>(slot);
        const std::size_t last = std::min(n, n_units * (s + 1) / n_slots * unit);
        for (std::size_t begin = n_units * s / n_slots * unit; begin < last && region.keep_going(); begin += step)
            f(begin, std::min(begin + step, last), slot);
    });
}

/// Items a block of parallel_reduce: fixed, because it decides the order of rounding and so the last bits of a result.
inline constexpr std::size_t reduce_block = 4096;

/// combine(... combine(combine(init, map(block 0)), map(block 1)) ...) with map(begin, end) -> T over blocks of
/// `reduce_block` items. One T a block is kept, so T should be small.
template <class T, class Map, class Combine>
T parallel_reduce(const RunContext& ctx, std::size_t n, double ns_per_item, T init, Map&& map, Combine&& combine) {
    static_assert(!std::is_same_v<T, bool>, "threads cannot write to neighbours in a vector<bool>");
    const std::size_t n_blocks = (n + reduce_block - 1) / reduce_block;
    std::vector<T> partials(n_blocks, init);
    parallel_tasks(ctx, n_blocks, ns_per_item * static_cast<double>(reduce_block), [&](std::size_t block, int) {
        const std::size_t begin = block * reduce_block;
        partials[block] = map(begin, std::min(begin + reduce_block, n));
    });
    T total = std::move(init);
    for (T& partial : partials) total = combine(std::move(total), std::move(partial));
    return total;
}

} // namespace mlcore
