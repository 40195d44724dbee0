// How often each term occurs in one document: a hash table with linear probing, at most half full, as large as the
// documents need it, so that it stays in the fastest cache.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::text {

class DocumentCounter {
  public:
    DocumentCounter() { resize(min_slots); }

    /// Distinct terms so far.
    std::size_t size() const { return used_.size(); }

    void add(std::uint32_t id, std::uint32_t n = 1) {
        for (std::size_t i = home(id);; i = (i + 1) & last_slot_) {
            Slot& slot = slots_[i];
            if (slot.n == 0) {
                slot = {id, n};
                used_.push_back(static_cast<std::uint32_t>(i));
                if (2 * used_.size() > last_slot_) [[unlikely]]
                    resize(2 * slots_.size());
                return;
            }
            if (slot.id == id) {
                slot.n += n;
                return;
            }
        }
    }

    /// f(id, n) for each term, in the order in which they came first; then there is none.
    template <class F>
    void drain(F&& f) {
        for (const std::uint32_t i : used_) {
            f(slots_[i].id, slots_[i].n);
            slots_[i].n = 0;
        }
        const std::size_t fits = std::max(min_slots, std::bit_ceil(4 * used_.size()));
        used_.clear();
        if (slots_.size() > 8 * fits) resize(2 * fits); // a long document among short ones
    }

  private:
    struct Slot {
        std::uint32_t id, n; // n = 0: empty
    };
    static constexpr std::size_t min_slots = 1024;

    std::size_t home(std::uint32_t id) const { return id * std::uint32_t{0x9E3779B1} >> shift_; }

    void resize(std::size_t n_slots) {
        std::vector<Slot> old(n_slots, Slot{0, 0});
        std::swap(old, slots_);
        last_slot_ = n_slots - 1;
        shift_ = 32 - std::countr_zero(n_slots);
        for (std::uint32_t& place : used_) {
            std::size_t i = home(old[place].id);
            while (slots_[i].n) i = (i + 1) & last_slot_;
            slots_[i] = old[place];
            place = static_cast<std::uint32_t>(i);
        }
    }

    std::vector<Slot> slots_;
    std::size_t last_slot_ = 0;
    int shift_ = 0;                   // 32 - log2 of the number of slots
    std::vector<std::uint32_t> used_; // slots, in the order in which they were filled
};

} // namespace mlcore::text
