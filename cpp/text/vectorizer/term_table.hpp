// Numbers for distinct keys, given out by several threads at once: a hash table with linear probing, at most half full.
// Threads search it and add to it without locks: who meets an empty slot marks it as taken (compare-and-swap), writes
// the key and what belongs to it, and publishes the number last.
//
// The table never grows while threads work. Each of them keeps a stock of numbers (claim) before it adds; where no more
// can be had, the threads end their round, one of them calls grow(), and all go on. Which key has which number depends
// on the threads: nothing that users see may follow from it.
#pragma once

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "text/vectorizer/pages.hpp"
#include "text/word_table.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mlcore::text {

/// A word or an n-gram of characters, as word_key describes it.
struct WordSlot {
    using Key = WordKey;
    std::uint64_t head, tail;
    std::uint32_t length;
    std::int32_t entry; // the number + 1; 0: empty

    bool holds(const Key& key) const { return ((head ^ key.head) | (tail ^ key.tail) | (length ^ key.length)) == 0; }
    void set(const Key& key) { head = key.head, tail = key.tail, length = key.length; }
    Key key() const { return {head, tail, length}; }
    static std::uint64_t hash(const Key& key) {
        const std::uint64_t mixed = key.head ^ key.tail * 0xD6E8FEB86659FD93;
        return (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15;
    }
};

/// What 64 bits say in full.
struct CodeSlot {
    using Key = std::uint64_t;
    std::uint64_t code;
    std::int32_t entry;

    bool holds(Key key) const { return code == key; }
    void set(Key key) { code = key; }
    Key key() const { return code; }
    static std::uint64_t hash(Key key) {
        key = (key ^ key >> 32) * 0x9E3779B97F4A7C15;
        return (key ^ key >> 29) * 0xBF58476D1CE4E5B9;
    }
};

/// Content: what is kept for each number, in memory of its own.
template <class Slot, class Content>
class TermTable {
  public:
    using Key = typename Slot::Key;
    static constexpr std::size_t max_ids = 0x7FFFFFFF;

    /// Numbers that a worker may give out.
    class alignas(cache_line) Stock {
      public:
        std::size_t size() const { return size_; }
        std::int32_t take() {
            while (ranges_.back().first == ranges_.back().second) ranges_.pop_back();
            --size_;
            return ranges_.back().first++;
        }
        void add(std::int32_t begin, std::int32_t end) {
            if (!ranges_.empty() && ranges_.back().second == begin)
                ranges_.back().second = end;
            else
                ranges_.emplace_back(begin, end);
            size_ += static_cast<std::size_t>(end - begin);
        }

      private:
        std::vector<std::pair<std::int32_t, std::int32_t>> ranges_; // begin and end
        std::size_t size_ = 0;
    };

    TermTable() { rebuild(9, nullptr); }

    /// All numbers are below. Some may be in nobody's hands yet.
    std::size_t n_ids() const { return static_cast<std::size_t>(n_ids_.load(std::memory_order_relaxed)); }
    /// Numbers are below this until grow() is called.
    std::size_t capacity() const { return contents_.size(); }
    const Content& content(std::int32_t id) const { return contents_[static_cast<std::size_t>(id)]; }

    void prefetch(const Key& key) const { __builtin_prefetch(&slots_[home(key)]); }

    /// The number of a key, -1 if it is not there. same(id): whether the key, which looks the same, is the same.
    template <class Same>
    std::int32_t find(const Key& key, Same&& same) const {
        for (std::size_t i = home(key);; i = (i + 1) & last_slot_) {
            const Slot& slot = slots_[i];
            const std::int32_t entry = published(slot);
            if (entry == empty) return -1;
            if (slot.holds(key) && same(entry - 1)) return entry - 1;
        }
    }

    /// The number of a key; one that is not there gets the next of the stock, which must not be empty, and the content
    /// make().
    template <class Same, class Make>
    std::int32_t find_or_insert(const Key& key, Stock& stock, Same&& same, Make&& make) {
        for (std::size_t i = home(key);;) {
            Slot& slot = slots_[i];
            std::int32_t entry = published(slot);
            if (entry == empty) {
                const std::atomic_ref shared(slot.entry);
                if (!shared.compare_exchange_strong(entry, taken, std::memory_order_acquire)) continue;
                std::int32_t id;
                try {
                    const Content content = make();
                    id = stock.take();
                    contents_[static_cast<std::size_t>(id)] = content;
                } catch (...) { // no memory: others must not wait for this slot
                    shared.store(empty, std::memory_order_release);
                    throw;
                }
                slot.set(key);
                shared.store(id + 1, std::memory_order_release);
                return id;
            }
            if (slot.holds(key) && same(entry - 1)) return entry - 1;
            i = (i + 1) & last_slot_;
        }
    }

    /// Makes sure that the stock has n numbers. False if there are no more: grow() is needed.
    bool claim(Stock& stock, std::size_t n, std::size_t n_workers) {
        if (stock.size() >= n) [[likely]]
            return true;
        const std::size_t wanted = std::clamp(capacity() / (4 * n_workers), n, std::max<std::size_t>(n, 4096));
        std::int32_t begin = n_ids_.load(std::memory_order_relaxed), end = 0;
        do {
            const std::size_t left = capacity() - static_cast<std::size_t>(begin);
            if (left + stock.size() < n) {
                full_.store(true, std::memory_order_relaxed);
                return false;
            }
            end = begin + static_cast<std::int32_t>(std::min(left, wanted));
        } while (!n_ids_.compare_exchange_weak(begin, end, std::memory_order_relaxed));
        stock.add(begin, end);
        return true;
    }

    bool full() const { return full_.load(std::memory_order_relaxed); }

    /// Twice the room, or more until n numbers are free. Throws ValueError if there are too many.
    void grow(const RunContext& ctx, std::size_t n = 1) {
        int log2_slots = std::countr_zero(slots_.size()) + 1;
        while (room_of(log2_slots) < n_ids() + n) ++log2_slots;
        rebuild(log2_slots, &ctx);
    }

  private:
    static constexpr std::int32_t empty = 0, taken = -1;

    static std::size_t room_of(int log2_slots) { return std::min((std::size_t{3} << log2_slots) / 4, max_ids); }

    std::size_t home(const Key& key) const { return Slot::hash(key) >> shift_; }

    static std::int32_t published(const Slot& slot) {
        const std::atomic_ref shared(const_cast<Slot&>(slot).entry);
        std::int32_t entry = shared.load(std::memory_order_acquire);
        while (entry == taken) { // for the few instructions that its owner needs
            std::this_thread::yield();
            entry = shared.load(std::memory_order_acquire);
        }
        return entry;
    }

    void rebuild(int log2_slots, const RunContext* ctx) {
        const std::size_t n_slots = std::size_t{1} << log2_slots;
        if (n_slots > 2 * (max_ids + 1)) throw ValueError("more than " + std::to_string(max_ids) + " distinct terms");
        Pages<Slot> old(n_slots);
        Pages<Content> contents(room_of(log2_slots));
        if (ctx) std::copy_n(contents_.data(), n_ids(), contents.data());
        contents_ = std::move(contents);
        std::swap(old, slots_);
        last_slot_ = n_slots - 1;
        shift_ = 64 - log2_slots;
        full_ = false;
        if (!ctx) return;
        // The order of slots is that of their hashes, in the old table and in the new: memory is written in order.
        parallel_ranges(*ctx, old.size(), 5, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t i = begin; i < end; ++i)
                if (old[i].entry != empty) place(old[i]);
        });
    }

    void place(const Slot& slot) {
        for (std::size_t i = home(slot.key());; i = (i + 1) & last_slot_) {
            std::int32_t entry = empty;
            if (!std::atomic_ref(slots_[i].entry).compare_exchange_strong(entry, slot.entry, std::memory_order_relaxed))
                continue;
            slots_[i].set(slot.key());
            return;
        }
    }

    Pages<Slot> slots_;
    std::size_t last_slot_ = 0;
    int shift_ = 0; // 64 - log2 of the number of slots
    Pages<Content> contents_;
    std::atomic<std::int32_t> n_ids_{0};
    std::atomic<bool> full_{false};
};

} // namespace mlcore::text
