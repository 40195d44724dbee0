// Rows of the kernel matrix over one set of columns, as many as a bound of bytes allows; the least recently used one
// makes room. All lie in one block of memory, so that the bound is kept to the byte, and stay packed when columns are
// left out. A row in use stays where it is: those who share a cache must not use more rows at a time than it has slots.
// May be called from any thread: the problems of one-vs-one classification share rows.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"

#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace mlcore::svm {

class RowCache {
  public:
    /// A row in use; it must not outlive the cache.
    class Row {
      public:
        Row() = default;
        Row(Row&& other) noexcept : cache_(std::exchange(other.cache_, nullptr)), slot_(other.slot_) {}
        Row& operator=(Row&& other) noexcept {
            std::swap(cache_, other.cache_);
            std::swap(slot_, other.slot_);
            return *this;
        }
        ~Row() {
            if (cache_) cache_->release(slot_);
        }

        explicit operator bool() const { return cache_ != nullptr; }
        float* data() const { return cache_->values_.data() + static_cast<std::size_t>(slot_) * cache_->stride_; }

      private:
        friend class RowCache;
        Row(RowCache* cache, std::int32_t slot) : cache_(cache), slot_(slot) {}
        RowCache* cache_ = nullptr;
        std::int32_t slot_ = 0;
    };

    /// For rows of padded(n_columns) values, of `n_points` points. There are `min_slots` slots even if they take more
    /// than `max_bytes`.
    RowCache(std::size_t n_points, std::size_t n_columns, std::size_t max_bytes, std::size_t min_slots);
    RowCache(const RowCache&) = delete;
    RowCache& operator=(const RowCache&) = delete;

    std::size_t n_slots() const { return n_slots_; }

    /// The row of a point, now the most recently used one; none if it is not here.
    Row find(std::int32_t point);

    /// A slot for a new row, to be filled and then published. Throws InternalError if all are in use.
    Row reserve();

    /// From now on the row is found. If another thread was faster, its row is.
    void publish(std::int32_t point, const Row& row);

    /// Rows shrink to the columns at `kept`, ascending; there is room for more of them then. For one thread alone, with
    /// no row in use.
    void compact(const RunContext& ctx, std::span<const std::int32_t> kept);

    /// Forgets all rows; from now on rows have padded(n_columns) values, not more than at first.
    void reset(std::size_t n_columns);

    /// Most bytes that rows took at one time.
    std::size_t peak() const { return peak_; }

  private:
    static constexpr std::int32_t none = -1;
    struct Slot {
        std::int32_t point = none;
        std::int32_t n_users = 0;
        std::int32_t older = none, newer = none; // neighbours in the order of last use, while it has a point
    };

    void resize(std::size_t n_columns);
    void link_newest(std::int32_t slot);
    void unlink(std::int32_t slot);
    void release(std::int32_t slot);

    std::mutex mutex_;
    const std::size_t min_slots_;
    Buffer<float> values_;
    std::size_t stride_ = 0, n_slots_ = 0;
    std::size_t n_taken_ = 0; // slots from here on were never used
    std::vector<Slot> slots_;
    std::vector<std::int32_t> free_;    // below n_taken_, without a point
    std::vector<std::int32_t> slot_of_; // by point
    std::int32_t oldest_ = none, newest_ = none;
    std::size_t peak_ = 0;
};

} // namespace mlcore::svm
