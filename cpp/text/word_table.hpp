// Distinct words, numbered in the order in which they came, with a count each. A hash table with linear probing, at
// most half full, made so that reading a text seldom waits:
//   - the slot holds the first and the last 8 bytes of its word: with the length that is all of a word of up to 16
//     bytes. Longer ones, one in a thousand of English, have a hash as second half and are compared byte by byte;
//   - a key is computed without a branch on the length, which nothing could predict;
//   - for_each_key asks for the slots of 32 words before it looks at the first.
// Words that came first, as a rule the frequent ones, lie where the search for them starts.
#pragma once

#include "core/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// What a word is found by.
struct WordKey {
    std::uint64_t head; // the first 8 bytes, padded with zeros
    std::uint64_t tail; // of a word of 9 to 16 bytes the last 8, of a longer one a hash
    std::uint32_t length;
};

namespace word_key_parts {

inline std::uint64_t load8(const char* p) {
    std::uint64_t bits;
    std::memcpy(&bits, p, 8);
    return bits;
}
std::uint64_t hash(const char* p, std::size_t n); // n >= 16

inline constexpr std::uint64_t first_bytes[9] = {
    0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};

} // namespace word_key_parts

/// Memory may be read up to `readable`, which is at least the end of the word. The word is shorter than 4 GiB.
inline WordKey word_key(std::string_view word, const char* readable) {
    using namespace word_key_parts;
    const char* const p = word.data();
    const std::size_t n = word.size();
    std::uint64_t head = 0, tail = 0;
    if (std::endian::native == std::endian::little && readable - p >= 8) [[likely]] {
        // Arithmetic where a condition would do: compilers like to make that a branch.
        const std::uint64_t is_long = n > 8;
        head = load8(p) & first_bytes[std::min<std::size_t>(n, 8)];
        tail = load8(p + (n - 8) * is_long) & (0 - is_long);
    } else if (n > 0) {
        std::memcpy(&head, p, std::min<std::size_t>(n, 8));
        if (n > 8) tail = load8(p + n - 8);
    }
    if (n > 16) [[unlikely]]
        tail = hash(p, n);
    return {head, tail, static_cast<std::uint32_t>(n)};
}
inline WordKey word_key(std::string_view word) { return word_key(word, word.data() + word.size()); }

class WordTable {
  public:
    static constexpr std::size_t max_words = 0x7FFFFFFF;
    static constexpr std::size_t max_word_bytes = 0x7FFFFFFF;

    WordTable();

    std::size_t size() const { return counts_.size(); }
    std::string_view word(std::int32_t id) const {
        const auto i = static_cast<std::size_t>(id);
        return {pool_.data() + starts_[i], starts_[i + 1] - starts_[i]};
    }
    /// Occurrences of each word, size() of them.
    std::span<const std::int64_t> counts() const { return counts_; }

    /// -1 if it is not there. The key is that of the word.
    std::int32_t find(const WordKey& key, const char* word) const {
        for (std::size_t i = home(key);; i = (i + 1) & last_slot_) {
            const Slot& slot = slots_[i];
            // One branch for all three; an empty slot has the key of the empty word, and its id is the answer then.
            const std::uint64_t difference =
                (slot.head ^ key.head) | (slot.tail ^ key.tail) | (slot.length ^ key.length);
            if (difference == 0 && (key.length <= 16 || same_bytes(slot.id, word))) return slot.id;
            if (slot.id < 0) return -1;
        }
    }
    std::int32_t find(std::string_view word) const {
        return word.size() > max_word_bytes ? -1 : find(word_key(word), word.data());
    }

    /// Adds a word that is not there, with a count of 0; returns its id.
    std::int32_t insert(const WordKey& key, std::string_view word);
    std::int32_t insert(std::string_view word) { return insert(word_key(word), word); }

    /// Counts a word of a text and returns its id; one that is not there is checked first and inserted. `source` and
    /// `offset` as in check_word. Throws ValueError.
    std::int32_t add(const WordKey& key, std::string_view word, const std::string& source, std::uint64_t offset) {
        std::int32_t id = find(key, word.data());
        if (id < 0) [[unlikely]]
            id = insert_checked(key, word, source, offset);
        count(id);
        return id;
    }

    void count(std::int32_t id, std::int64_t n = 1) { counts_[static_cast<std::size_t>(id)] += n; }

    /// Room for so many words: the table will not grow before.
    void reserve(std::size_t n_words);

    /// f(word, key) for each word of a sequence with size() and []; all lie in memory that may be read up to
    /// `readable`. The table may change meanwhile.
    template <class Words, class F>
    void for_each_key(const Words& words, const char* readable, F&& f) const {
        constexpr std::size_t batch = 32;
        WordKey keys[batch];
        for (std::size_t begin = 0; begin < words.size(); begin += batch) {
            const std::size_t n = std::min(batch, words.size() - begin);
            for (std::size_t i = 0; i < n; ++i) {
                keys[i] = word_key(words[begin + i], readable);
                __builtin_prefetch(&slots_[home(keys[i])]);
            }
            for (std::size_t i = 0; i < n; ++i) f(words[begin + i], keys[i]);
        }
    }

  private:
    struct Slot {
        std::uint64_t head, tail;
        std::uint32_t length;
        std::int32_t id; // -1: empty
    };

    std::size_t home(const WordKey& key) const {
        const std::uint64_t hash = key.head ^ key.tail * 0xD6E8FEB86659FD93;
        return (hash ^ hash >> 32) * 0x9E3779B97F4A7C15 >> shift_;
    }
    bool same_bytes(std::int32_t id, const char* bytes) const {
        const std::string_view mine = word(id);
        return std::memcmp(mine.data(), bytes, mine.size()) == 0;
    }
    std::int32_t insert_checked(const WordKey& key, std::string_view word, const std::string& source,
                                std::uint64_t offset);
    void rebuild(int log2_slots);
    void place(const WordKey& key, std::int32_t id);

    Buffer<Slot> slots_;
    std::size_t last_slot_ = 0;
    int shift_ = 0; // 64 - log2 of the number of slots
    std::vector<char> pool_;
    std::vector<std::size_t> starts_{0}; // word i is pool_[starts_[i]] .. pool_[starts_[i + 1]]
    std::vector<std::int64_t> counts_;
};

} // namespace mlcore::text
