// Rows of the kernel matrix that have been computed, as many as a bound of bytes allows; the least recently used one
// makes room. A row in use stays, so the bound holds as long as those who share a cache keep no more rows at a time
// than fit into it. May be called from any thread: the problems of one-vs-one classification share rows.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

namespace mlcore::svm {

class RowCache {
  public:
    /// A row in use. Copies share it.
    using Row = std::shared_ptr<Buffer<float>>;
    /// (point, set of columns)
    using Key = std::uint64_t;
    static Key key(std::size_t point, std::size_t columns) { return point << 24 | columns; }

    explicit RowCache(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}
    RowCache(const RowCache&) = delete;
    RowCache& operator=(const RowCache&) = delete;

    /// The row, now the most recently used one; nothing if it is not here.
    Row find(Key key);

    /// Memory for a new row of n values. Others are dropped to keep the bound; if all others are in use, the bound is
    /// overstepped.
    Row allocate(std::size_t n);

    /// Offers a row that was filled; the cache keeps the one it has if another thread was faster.
    void insert(Key key, const Row& row);

    /// All rows shrink to the columns at `kept`, ascending. For one thread alone, with no row in use.
    void compact(const RunContext& ctx, std::span<const std::int32_t> kept);
    /// Forgets all rows.
    void clear();

    std::size_t capacity() const { return capacity_; }
    /// Most bytes of rows that lived at one time.
    std::size_t peak() const { return peak_; }

  private:
    struct Entry {
        Key key;
        Row row;
    };
    using Order = std::list<Entry>;

    Row make(std::size_t n);
    void make_room(std::size_t bytes);

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    Order order_; // least recently used first
    std::unordered_map<Key, Order::iterator> entries_;
    std::atomic<std::size_t> bytes_ = 0; // of all living rows, also of those that are in use and no longer listed
    std::atomic<std::size_t> peak_ = 0;
};

} // namespace mlcore::svm
