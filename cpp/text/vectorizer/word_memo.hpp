// The n-grams of characters that lie within a word depend on the word alone. So each word that comes has its list of
// terms kept, and a document is counted by adding lists.
#pragma once

#include "text/vectorizer/arena.hpp"
#include "text/vectorizer/lexicon.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::text {

class WordMemo {
    auto same(const WordKey& key, const char* bytes) const {
        return [this, length = key.length, bytes](std::int32_t id) {
            return length <= 16 || std::memcmp(words_.content(id).bytes(), bytes, length) == 0;
        };
    }

  public:
    static constexpr std::size_t max_words = 1 << 20;  // some 150 MB
    static constexpr std::size_t max_word_bytes = 128; // longer ones seldom come again

    struct Entry {
        const TermId* terms; // with repetitions
        std::uint32_t n_terms;
        std::uint32_t n_bytes;
        const char* bytes() const { return reinterpret_cast<const char*>(terms + n_terms); }
    };
    using Words = TermTable<WordSlot, Entry>;
    struct Writer {
        Words::Stock words;
        Arena lists;
    };

    void set_writers(std::size_t n) {
        if (n > writers_.size()) writers_.resize(n);
    }
    Writer& writer(std::size_t i) { return writers_[i]; }

    bool accepts(std::string_view word) const { return word.size() <= max_word_bytes; }
    bool has_room() const { return words_.n_ids() < max_words; }

    void prefetch(const WordKey& key) const { words_.prefetch(key); }
    /// -1 if it is not there.
    std::int32_t find(const WordKey& key, const char* bytes) const { return words_.find(key, same(key, bytes)); }
    std::span<const TermId> terms(std::int32_t word) const {
        const Entry& entry = words_.content(word);
        return {entry.terms, entry.n_terms};
    }

    void prefetch_terms(std::int32_t word) const {
        __builtin_prefetch(words_.content(word).terms);
        __builtin_prefetch(words_.content(word).terms + 16);
    }

    bool claim(Writer& writer) { return words_.claim(writer.words, 1, writers_.size()); }
    std::int32_t add(const WordKey& key, std::string_view word, std::span<const TermId> terms, Writer& writer) {
        return words_.find_or_insert(key, writer.words, same(key, word.data()), [&] {
            char* const list = writer.lists.allocate(terms.size_bytes() + word.size());
            std::memcpy(list, terms.data(), terms.size_bytes());
            std::memcpy(list + terms.size_bytes(), word.data(), word.size());
            return Entry{reinterpret_cast<const TermId*>(list), static_cast<std::uint32_t>(terms.size()),
                         static_cast<std::uint32_t>(word.size())};
        });
    }
    void grow(const RunContext& ctx) {
        if (words_.full()) words_.grow(ctx);
    }

  private:
    Words words_;
    std::vector<Writer> writers_;
};

} // namespace mlcore::text
