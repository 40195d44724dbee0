// What the counter and the finder of phrases share: numbers for sequences of words of the form
//     first word, connector words (any number, as a rule none), last word
// The connectors between, a short sequence that occurs again and again, have a number of their own (0: none), so that a
// phrase is 12 bytes however long it is.
#pragma once

#include "core/memory.hpp"
#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::text {

struct PhraseKey {
    std::int32_t first, last;
    std::uint32_t between; // number of the connectors, see GapTable

    bool operator==(const PhraseKey&) const = default;
    std::uint64_t hash() const {
        std::uint64_t hash =
            (static_cast<std::uint64_t>(static_cast<std::uint32_t>(first)) << 32 | static_cast<std::uint32_t>(last)) ^
            between * 0xD6E8FEB86659FD93;
        hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15;
        return (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9;
    }
};

/// Numbers for sequences of word ids: 0 for the empty one.
class GapTable {
  public:
    /// 0xFFFFFFFF if it is not there.
    std::uint32_t find(std::span<const std::int32_t> ids) const {
        if (ids.empty()) return 0;
        const std::int32_t id = table_.find(bytes(ids));
        return id < 0 ? none : static_cast<std::uint32_t>(id) + 1;
    }
    std::uint32_t find_or_add(std::span<const std::int32_t> ids) {
        const std::uint32_t number = find(ids);
        return number != none ? number : static_cast<std::uint32_t>(table_.insert(bytes(ids))) + 1;
    }
    std::vector<std::int32_t> ids(std::uint32_t number) const {
        if (number == 0) return {};
        const std::string_view word = table_.word(static_cast<std::int32_t>(number - 1));
        std::vector<std::int32_t> ids(word.size() / sizeof(std::int32_t));
        std::memcpy(ids.data(), word.data(), word.size());
        return ids;
    }
    std::size_t size() const { return table_.size() + 1; }

    static constexpr std::uint32_t none = 0xFFFFFFFF;

  private:
    static std::string_view bytes(std::span<const std::int32_t> ids) {
        return {reinterpret_cast<const char*>(ids.data()), ids.size_bytes()};
    }
    WordTable table_; // of byte strings, here not of text
};

/// A number for each of many phrases: a hash table with linear probing, at most three quarters full, 16 bytes a slot.
class PhraseTable {
  public:
    PhraseTable() : slots_(256, empty) {}

    std::size_t size() const { return size_; }

    /// nullptr if it is not there.
    const std::uint32_t* find(const PhraseKey& key) const {
        const Slot& slot = slots_[place_of(key)];
        return slot.key.first < 0 ? nullptr : &slot.value;
    }
    /// 0 if it is new. Valid until the next call.
    std::uint32_t& at(const PhraseKey& key) {
        std::size_t i = place_of(key);
        if (slots_[i].key.first < 0) {
            if (4 * (size_ + 1) > 3 * slots_.size()) {
                grow();
                i = place_of(key);
            }
            slots_[i] = {key, 0};
            ++size_;
        }
        return slots_[i].value;
    }
    void prefetch(const PhraseKey& key) const { __builtin_prefetch(&slots_[key.hash() & (slots_.size() - 1)]); }

    template <class F>
    void for_each(F&& f) const {
        for (const Slot& slot : slots_)
            if (slot.key.first >= 0) f(slot.key, slot.value);
    }

  private:
    struct Slot {
        PhraseKey key; // first < 0: empty
        std::uint32_t value;
    };
    static constexpr Slot empty{{-1, -1, 0}, 0};

    std::size_t place_of(const PhraseKey& key) const {
        std::size_t i = key.hash() & (slots_.size() - 1);
        while (slots_[i].key.first >= 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
        return i;
    }
    void grow() {
        Buffer<Slot> old(2 * slots_.size(), empty);
        std::swap(old, slots_);
        for (const Slot& slot : old)
            if (slot.key.first >= 0) slots_[place_of(slot.key)] = slot;
    }

    Buffer<Slot> slots_;
    std::size_t size_ = 0;
};

} // namespace mlcore::text
