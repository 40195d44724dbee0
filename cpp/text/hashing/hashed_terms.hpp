// The terms of one document after the other, hashed. An n-gram of words is hashed as its text: words are joined by
// blanks in a buffer, where every n-gram then is a piece. One thread has one reader.
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/analysis/character_reader.hpp"
#include "text/analysis/word_reader.hpp"
#include "text/hashing/term_hash.hpp"
#include "text/unicode/document.hpp"
#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mlcore::text {

class HashedTermReader {
  public:
    HashedTermReader(const Analysis& analysis, const TermHash& hash);

    /// Appends the terms of a document, as often as they occur.
    void read(const RunContext& ctx, const Document& document, std::vector<HashedTerm>& terms);

  private:
    void read_words(const RunContext& ctx, std::vector<HashedTerm>& terms);
    void read_word_ngrams(const RunContext& ctx, std::vector<HashedTerm>& terms);
    void read_characters(const RunContext& ctx, std::vector<HashedTerm>& terms);
    void read_within_words(const RunContext& ctx, std::vector<HashedTerm>& terms);

    bool next_words(const RunContext& ctx, WordRun& run);
    bool is_stop_word(std::string_view word) const;
    void keep_last_words(std::size_t n);
    void join(std::string_view word);
    void append_within(std::string_view padded, std::vector<HashedTerm>& terms);

    const Analysis& analysis_;
    const TermHash hash_;
    WordReader words_;
    CharacterReader characters_;
    WordTable stop_words_;
    std::vector<char> joined_;           // words, each with a blank behind it
    std::vector<std::size_t> starts_{0}; // of those words, and of the next one
    std::vector<std::uint32_t> offsets_; // of the characters of a word
    std::size_t n_runs_ = 0;
};

} // namespace mlcore::text
