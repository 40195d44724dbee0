#include "core/fork.hpp"

#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define MLCORE_HAS_FORK 1
#endif

namespace mlcore {
namespace {

// The state of the process, not of a run: nothing here influences a result.
std::atomic<bool> pool_used{false};
std::atomic<bool> forked_child{false};
std::atomic<bool> warning_due{false};

#ifdef MLCORE_HAS_FORK
void mark_child() {
    if (!pool_used.load(std::memory_order_relaxed)) return;
    forked_child.store(true, std::memory_order_relaxed);
    warning_due.store(true, std::memory_order_relaxed);
}
#endif

} // namespace

void note_thread_pool_use() noexcept {
#ifdef MLCORE_HAS_FORK
    [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, mark_child);
#endif
    if (!pool_used.load(std::memory_order_relaxed)) pool_used.store(true, std::memory_order_relaxed);
}

bool in_forked_child() noexcept { return forked_child.load(std::memory_order_relaxed); }

bool take_fork_warning() noexcept { return warning_due.exchange(false, std::memory_order_relaxed); }

} // namespace mlcore
