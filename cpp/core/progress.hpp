// How a long run is told to stop, and how the calling thread reports progress and handles signals meanwhile.
// Workers only read the flag; the calling thread alone polls, because polling may need Python's lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace mlcore {

/// A request to stop, readable from every thread. Relaxed: it guards no data, the join of the region does.
class StopFlag {
  public:
    void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
    bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

  private:
    std::atomic<bool> requested_{false};
};

/// Told by the calling thread that work goes on. poll() is called often (some 10 us apart at the least): a subclass
/// limits its own rate, and asks for a stop through the StopFlag that it was made with.
class Progress {
  public:
    virtual ~Progress() = default;
    virtual void poll() {}
    /// `done` iterations are done, with this figure (loss, gap). Only from the calling thread, outside parallel
    /// loops.
    virtual void iteration([[maybe_unused]] std::uint64_t done, [[maybe_unused]] double figure) {}
};

} // namespace mlcore
