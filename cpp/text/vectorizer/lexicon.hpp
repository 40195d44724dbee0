// All distinct terms, each with a number. Words and n-grams of characters are kept as text; an n-gram of words as the
// numbers of its first n - 1 words, an n-gram too, and of its last word: 8 bytes however long it is. So some words and
// n-grams have numbers that are no terms themselves; no document counts them.
#pragma once

#include "core/context.hpp"
#include "text/vectorizer/arena.hpp"
#include "text/vectorizer/term_table.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Number of a term: that of a word, or that of an n-gram of words with this bit set.
using TermId = std::uint32_t;
inline constexpr TermId ngram_bit = 0x80000000;
inline constexpr TermId no_term = 0xFFFFFFFF;

class Lexicon {
    auto same(const WordKey& key, const char* bytes) const {
        return [this, length = key.length, bytes](std::int32_t id) {
            return length <= 16 || std::memcmp(words_.content(id).view().data(), bytes, length) == 0;
        };
    }

  public:
    using Words = TermTable<WordSlot, StoredText>;
    using Ngrams = TermTable<PairSlot, std::uint64_t>;

    /// What a thread needs to add terms.
    struct Writer {
        Words::Stock words;
        Ngrams::Stock ngrams;
        Arena texts;
    };

    /// Call it before threads take their writers.
    void set_writers(std::size_t n) {
        if (n > writers_.size()) writers_.resize(n);
    }
    Writer& writer(std::size_t i) { return writers_[i]; }
    std::size_t n_writers() const { return writers_.size(); }

    const Words& words() const { return words_; }
    const Ngrams& ngrams() const { return ngrams_; }

    std::string_view word(TermId id) const { return words_.content(static_cast<std::int32_t>(id)).view(); }
    /// Of the n-gram with this number: what comes before its last word, and that word.
    TermId before_last(TermId ngram) const { return static_cast<TermId>(pair(ngram) >> 32); }
    TermId last(TermId ngram) const { return static_cast<TermId>(pair(ngram)); }
    static std::uint64_t pair(TermId before, TermId last) { return std::uint64_t{before} << 32 | last; }

    /// How many of the first words are stop words.
    std::size_t n_stop_words() const { return n_stop_words_; }
    void set_stop_words(std::size_t n) { n_stop_words_ = n; }

    /// no_term if it is not there.
    TermId find_word(const WordKey& key, const char* bytes) const { return tagged(words_.find(key, same(key, bytes))); }
    TermId find_ngram(std::uint64_t pair) const {
        const std::int32_t id = ngrams_.find(pair, [](std::int32_t) { return true; });
        return id < 0 ? no_term : static_cast<TermId>(id) | ngram_bit;
    }

    /// Whether the writer has numbers for so many words and n-grams; if not, grow() is needed.
    bool claim(Writer& writer, std::size_t n_words, std::size_t n_ngrams) {
        return words_.claim(writer.words, n_words, n_writers()) &&
               (n_ngrams == 0 || ngrams_.claim(writer.ngrams, n_ngrams, n_writers()));
    }
    TermId add_word(const WordKey& key, std::string_view text, Writer& writer) {
        return tagged(words_.find_or_insert(key, writer.words, same(key, text.data()),
                                            [&] { return StoredText(text, writer.texts); }));
    }
    TermId add_ngram(std::uint64_t pair, Writer& writer) {
        return static_cast<TermId>(ngrams_.find_or_insert(
                   pair, writer.ngrams, [](std::int32_t) { return true; }, [&] { return pair; })) |
               ngram_bit;
    }

    /// Room for more of what could not be claimed.
    void grow(const RunContext& ctx) {
        if (words_.full()) words_.grow(ctx);
        if (ngrams_.full()) ngrams_.grow(ctx);
    }

    /// Every number as an index: those of n-grams after those of words.
    std::size_t n_indices() const { return words_.n_ids() + ngrams_.n_ids(); }
    std::size_t index(TermId id) const { return (id & ~ngram_bit) + (id >> 31) * words_.n_ids(); }

  private:
    static TermId tagged(std::int32_t word) { return static_cast<TermId>(word); } // -1 becomes no_term
    std::uint64_t pair(TermId ngram) const { return ngrams_.content(static_cast<std::int32_t>(ngram & ~ngram_bit)); }

    Words words_;
    Ngrams ngrams_;
    std::vector<Writer> writers_;
    std::size_t n_stop_words_ = 0;
};

} // namespace mlcore::text
