// Joins known phrases in texts: greedy, from left to right. A phrase starts at a word that is no connector and ends at
// the next such word; where the two (and what lies between) are a phrase, all of it becomes one word and the search
// goes on after it, otherwise at the second word.
#pragma once

#include "text/phrase_table.hpp"
#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::text {

class PhraseFinder {
  public:
    /// `words` has all connectors and all words of phrases. Phrase i is ids[starts[i]] .. ids[starts[i + 1]], two or
    /// more words, the first and the last no connectors, all others connectors. Throws ValueError.
    PhraseFinder(WordTable words, std::span<const std::uint8_t> is_connector, std::span<const std::int32_t> ids,
                 std::span<const std::int64_t> starts);

    const WordTable& words() const { return words_; }
    std::size_t n_phrases() const { return n_phrases_; }

    /// A word of the result: words up to `end` of the text (from the end of the one before), a phrase if `phrase` >= 0.
    struct Part {
        std::size_t end;
        std::int32_t phrase;
    };
    /// `text` has the id of each word, -1 for those not in words(). Replaces `parts`.
    void split(std::span<const std::int32_t> text, std::vector<Part>& parts) const;

  private:
    bool is_connector(std::int32_t id) const { return id >= 0 && is_connector_[static_cast<std::size_t>(id)]; }

    WordTable words_;
    std::vector<std::uint8_t> is_connector_;
    GapTable gaps_;
    PhraseTable phrases_; // number of each
    std::size_t n_phrases_ = 0;
};

} // namespace mlcore::text
