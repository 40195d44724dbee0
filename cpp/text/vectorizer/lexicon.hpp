// All distinct terms, each with a number. Words, and whatever has no shorter form, are kept as text. Others are a code
// of 64 bits, which is quicker to find and needs no text:
//   - an n-gram of words: the number of its first n - 1 words, an n-gram too, and that of its last word. So some words
//     and n-grams have numbers that are no terms themselves; no document counts them;
//   - up to 8 bytes of characters: these bytes.
// A lexicon has codes of one kind.
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/vectorizer/arena.hpp"
#include "text/vectorizer/term_table.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Number of a term: that of a text, or that of a code with this bit set.
using TermId = std::uint32_t;
inline constexpr TermId code_bit = 0x80000000;
inline constexpr TermId no_term = 0xFFFFFFFF;

enum class Codes { none, ngrams, characters };

/// How the terms of documents are kept; those of documents that are tokens already, without an analysis (nullptr), are
/// texts.
inline Codes codes_for(const Analysis* analysis) {
    if (!analysis) return Codes::none;
    if (analysis->level != Level::word) return Codes::characters;
    return analysis->max_n > 1 ? Codes::ngrams : Codes::none;
}

class Lexicon {
    auto same(const WordKey& key, const char* bytes) const {
        return [this, length = key.length, bytes](std::int32_t id) {
            return length <= 16 || std::memcmp(texts_.content(id).view().data(), bytes, length) == 0;
        };
    }
    static bool always(std::int32_t) { return true; }

  public:
    using Texts = TermTable<WordSlot, StoredText>;
    using CodeTable = TermTable<CodeSlot, std::uint64_t>;

    /// What a thread needs to add terms.
    struct Writer {
        Texts::Stock texts;
        CodeTable::Stock codes;
        Arena bytes;
    };

    explicit Lexicon(Codes kind) : kind_(kind) {}

    Codes kind() const { return kind_; }

    /// Call it before threads take their writers.
    void set_writers(std::size_t n) {
        if (n > writers_.size()) writers_.resize(n);
    }
    Writer& writer(std::size_t i) { return writers_[i]; }

    const Texts& texts() const { return texts_; }
    const CodeTable& codes() const { return codes_; }

    std::string_view text(TermId id) const { return texts_.content(static_cast<std::int32_t>(id)).view(); }
    std::uint64_t code(TermId id) const { return codes_.content(static_cast<std::int32_t>(id & ~code_bit)); }

    // ---- n-grams of words ------------------------------------------------------------------------------------------

    static std::uint64_t pair(TermId before, TermId last) { return std::uint64_t{before} << 32 | last; }
    TermId before_last(TermId ngram) const { return static_cast<TermId>(code(ngram) >> 32); }
    TermId last(TermId ngram) const { return static_cast<TermId>(code(ngram)); }

    // ---- characters ------------------------------------------------------------------------------------------------

    /// Whether a text is told by its first 8 bytes alone: it is no longer, and has no zeros.
    static bool is_code(const WordKey& key) {
        constexpr std::uint64_t ones = 0x0101010101010101;
        const std::uint64_t padded = key.head | ~word_key_parts::first_bytes[key.length <= 8 ? key.length : 8];
        return key.length - 1 < 8 && ((padded - ones) & ~padded & ones << 7) == 0;
    }
    void prefetch_characters(const WordKey& key) const {
        if (is_code(key))
            codes_.prefetch(key.head);
        else
            texts_.prefetch(key);
    }
    TermId find_characters(const WordKey& key, const char* bytes) const {
        return is_code(key) ? find_code(key.head) : find_text(key, bytes);
    }
    TermId add_characters(const WordKey& key, std::string_view text, Writer& writer) {
        return is_code(key) ? add_code(key.head, writer) : add_text(key, text, writer);
    }
    /// The text of a term that is not an n-gram of words, in `buffer` if it is a code.
    std::string_view characters(TermId id, char (&buffer)[8]) const {
        if (!(id & code_bit)) return text(id);
        const std::uint64_t bytes = code(id);
        std::memcpy(buffer, &bytes, 8);
        if constexpr (std::endian::native == std::endian::little)
            return {buffer, 8 - static_cast<std::size_t>(std::countl_zero(bytes)) / 8};
        else
            return {buffer, 8 - static_cast<std::size_t>(std::countr_zero(bytes)) / 8};
    }

    // ---- finding and adding: no_term if it is not there ------------------------------------------------------------

    TermId find_text(const WordKey& key, const char* bytes) const {
        return static_cast<TermId>(texts_.find(key, same(key, bytes))); // -1 becomes no_term
    }
    TermId find_code(std::uint64_t code) const { return static_cast<TermId>(codes_.find(code, &always)) | code_bit; }

    /// Whether the writer has numbers for so many texts and codes; if not, grow() is needed.
    bool claim(Writer& writer, std::size_t n_texts, std::size_t n_codes) {
        return texts_.claim(writer.texts, n_texts, writers_.size()) &&
               codes_.claim(writer.codes, n_codes, writers_.size());
    }
    TermId add_text(const WordKey& key, std::string_view text, Writer& writer) {
        return static_cast<TermId>(texts_.find_or_insert(key, writer.texts, same(key, text.data()),
                                                         [&] { return StoredText(text, writer.bytes); }));
    }
    TermId add_code(std::uint64_t code, Writer& writer) {
        return static_cast<TermId>(codes_.find_or_insert(code, writer.codes, &always, [&] { return code; })) | code_bit;
    }

    /// Room for more of what could not be claimed.
    void grow(const RunContext& ctx) {
        if (texts_.full()) texts_.grow(ctx);
        if (codes_.full()) codes_.grow(ctx);
    }

    /// How many of the first texts are stop words.
    std::size_t n_stop_words() const { return n_stop_words_; }
    void set_stop_words(std::size_t n) { n_stop_words_ = n; }

    /// Every number as an index: those of codes after those of texts.
    std::size_t n_indices() const { return texts_.n_ids() + codes_.n_ids(); }
    std::size_t index(TermId id) const { return (id & ~code_bit) + (id >> 31) * texts_.n_ids(); }

  private:
    const Codes kind_;
    Texts texts_;
    CodeTable codes_;
    std::vector<Writer> writers_;
    std::size_t n_stop_words_ = 0;
};

} // namespace mlcore::text
