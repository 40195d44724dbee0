// Words and characters of one segment as small numbers, its symbols: what n-grams are made of. Both tables are empty
// again after clear(), which costs as much as what was entered, so that they serve one segment after the other.
#pragma once

#include "text/word_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace mlcore::metrics {

/// 0 stands for "not there", the symbols are 1 .. size().
using Symbol = std::uint32_t;

/// Words, where they lie: the memory must last until clear(). Compared byte by byte, so that all words of a segment
/// must have the same width of characters. Linear probing, at most half full.
class WordSymbols {
  public:
    std::size_t size() const { return words_.size(); }

    /// The bytes may be read up to `readable`.
    Symbol insert(std::string_view word, const char* readable) {
        const text::WordKey key = text::word_key(word, readable);
        std::size_t slot = find_slot(key, word);
        if (slots_[slot] == 0) {
            words_.push_back({key, word.data(), slot});
            slots_[slot] = static_cast<Symbol>(words_.size());
            if (2 * words_.size() > slots_.size()) grow();
            return static_cast<Symbol>(words_.size());
        }
        return slots_[slot];
    }
    Symbol find(std::string_view word, const char* readable) const {
        return slots_[find_slot(text::word_key(word, readable), word)];
    }

    void clear() {
        for (const Word& word : words_) slots_[word.slot] = 0;
        words_.clear();
    }

  private:
    struct Word {
        text::WordKey key;
        const char* bytes;
        std::size_t slot;
    };

    std::size_t find_slot(const text::WordKey& key, std::string_view word) const {
        const std::size_t last = slots_.size() - 1;
        std::size_t slot = home(key);
        for (; slots_[slot] != 0; slot = (slot + 1) & last) {
            const Word& other = words_[slots_[slot] - 1];
            if (other.key.head == key.head && other.key.tail == key.tail && other.key.length == key.length &&
                (word.size() <= 16 || std::memcmp(other.bytes, word.data(), word.size()) == 0))
                break;
        }
        return slot;
    }
    std::size_t home(const text::WordKey& key) const {
        const std::uint64_t hash = (key.head ^ key.tail * 0xD6E8FEB86659FD93) + key.length;
        return ((hash ^ hash >> 32) * 0x9E3779B97F4A7C15) >> shift_;
    }
    void grow() {
        slots_.assign(2 * slots_.size(), 0);
        --shift_;
        for (std::size_t i = 0; i < words_.size(); ++i) {
            std::size_t slot = home(words_[i].key);
            while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
            slots_[slot] = static_cast<Symbol>(i + 1);
            words_[i].slot = slot;
        }
    }

    std::vector<Word> words_;
    std::vector<Symbol> slots_ = std::vector<Symbol>(256);
    int shift_ = 64 - 8;
};

/// A map from 64-bit keys to numbers other than 0, for a number of keys that is known beforehand.
class KeyTable {
  public:
    /// Empties the table and makes room for so many keys.
    void reset(std::size_t n_keys) {
        const std::size_t n_slots = std::bit_ceil(2 * n_keys + 2); // 2 at least: no shift by all 64 bits
        shift_ = 64 - std::countr_zero(n_slots);
        slots_.assign(n_slots, Slot{});
    }
    /// The number of a key, 0 of a new one, which the caller must set.
    std::uint32_t& at(std::uint64_t key) {
        const std::size_t slot = find_slot(key);
        slots_[slot].key = key;
        return slots_[slot].value;
    }
    std::uint32_t find(std::uint64_t key) const { return slots_[find_slot(key)].value; }

  private:
    struct Slot {
        std::uint64_t key = 0;
        std::uint32_t value = 0;
    };
    std::size_t find_slot(std::uint64_t key) const {
        std::size_t slot = (key ^ key >> 32) * 0x9E3779B97F4A7C15 >> shift_;
        while (slots_[slot].value != 0 && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
        return slot;
    }

    std::vector<Slot> slots_;
    int shift_ = 63;
};

/// Characters: those of Latin-1 by a plain table, others by search.
class CharacterSymbols {
  public:
    std::size_t size() const { return size_; }

    /// Of a text with so many characters at most; the table is empty now.
    void reset(std::size_t n_characters, bool latin) {
        latin_.fill(0);
        size_ = 0;
        if (!latin) others_.reset(n_characters);
    }
    Symbol insert(char32_t c) {
        Symbol& entry = c < latin_.size() ? latin_[c] : others_.at(c);
        const Symbol is_new = entry == 0; // arithmetic instead of a branch
        size_ += is_new;
        return entry |= size_ & (0 - is_new);
    }
    Symbol find(char32_t c) const { return c < latin_.size() ? latin_[c] : others_.find(c); }

  private:
    std::array<Symbol, 256> latin_{};
    KeyTable others_;
    Symbol size_ = 0;
};

} // namespace mlcore::metrics
