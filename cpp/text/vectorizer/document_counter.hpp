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
    std::size_t size() const { return n_used_; }

    void add(std::uint32_t id, std::uint32_t n = 1) {
        for (std::size_t i = home(id);; i = (i + 1) & last_slot_) {
            Slot& slot = slots_[i];
            if (slot.n == 0) {
                slot = {id, n};
                used_[n_used_++] = static_cast<std::uint32_t>(i);
                if (n_used_ == used_.size()) [[unlikely]]
                    resize(2 * slots_.size());
                return;
            }
            if (slot.id == id) {
                slot.n += n;
                return;
            }
        }
    }

    /// f(id, n) for each term, in the order in which they came first; then there is none. soon(id) comes some terms
    /// before: what f needs of memory may be asked for.
    template <class Soon, class F>
    void drain(Soon&& soon, F&& f) {
        constexpr std::size_t ahead = 16;
        for (std::size_t k = 0; k < std::min(ahead, n_used_); ++k) soon(slots_[used_[k]].id);
        for (std::size_t k = 0; k < n_used_; ++k) {
            if (k + ahead < n_used_) soon(slots_[used_[k + ahead]].id);
            Slot& slot = slots_[used_[k]];
            f(slot.id, slot.n);
            slot.n = 0;
        }
        const std::size_t fits = std::max(min_slots, std::bit_ceil(4 * n_used_));
        n_used_ = 0;
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
        used_.resize(n_slots / 2);
        used_.shrink_to_fit();
        for (std::size_t k = 0; k < n_used_; ++k) {
            std::size_t i = home(old[used_[k]].id);
            while (slots_[i].n) i = (i + 1) & last_slot_;
            slots_[i] = old[used_[k]];
            used_[k] = static_cast<std::uint32_t>(i);
        }
    }

    std::vector<Slot> slots_;
    std::size_t last_slot_ = 0;
    int shift_ = 0;                   // 32 - log2 of the number of slots
    std::vector<std::uint32_t> used_; // n_used_ slots, in the order in which they were filled; room for half
    std::size_t n_used_ = 0;
};

} // namespace mlcore::text
