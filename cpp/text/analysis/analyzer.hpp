// How a document becomes words or characters, as scikit-learn's vectorizers have it: lower case, then accents, then
// tokens. An Analyzer is made once and shared by all threads; a WordReader (word_reader.hpp) or a CharacterReader
// (character_reader.hpp) is one thread's way through one document after the other.
//
//     const Analyzer analyzer(table, {.lowercase = true, .rule = TokenRule::words(2)});
//     WordReader reader(analyzer);
//     WordRun run;
//     for (reader.start(document); reader.next(run);)
//         for (std::size_t i = 0; i < run.size(); ++i) word_key(run[i], reader.readable()) ...
//
// Not done here: the lower case of a capital sigma at the end of a word depends on the letters around it. Documents
// that hold one (U+03A3) come in Python's own lower case already, which stays as it is (bindings/text/characters.hpp).
#pragma once

#include "text/analysis/token_rule.hpp"
#include "text/unicode/character_table.hpp"
#include "text/unicode/encode.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::text {

struct AnalyzerOptions {
    bool lowercase = true;
    Accents accents = Accents::keep;
    TokenRule rule = TokenRule::words(2);
};

/// What becomes of each character, and whether that belongs to a token. Any number of threads may read it. The table
/// must outlive it, and have the pages of all characters that come (bindings/text/characters.hpp).
class Analyzer {
  public:
    Analyzer(const CharacterTable& table, const AnalyzerOptions& options);
    ~Analyzer();
    Analyzer(const Analyzer&) = delete;
    Analyzer& operator=(const Analyzer&) = delete;

    const AnalyzerOptions& options() const { return options_; }
    const CharacterTable& table() const { return table_; }

    /// What becomes of one character.
    struct Entry {
        char utf8[max_utf8];
        std::uint8_t size;  // bytes; 0 where nothing remains
        std::uint8_t bits;  // a bit for each byte, set if the character belongs to the set of the rule
        std::uint16_t more; // 1 + place in Page::more of the character that follows; 0: none does
    };
    struct Page {
        std::array<Entry, page_size> entries;
        std::vector<Entry> more;
    };
    /// The page of a character.
    const Page& page(char32_t c) const {
        const Page* page = pages_[c / page_size].load(std::memory_order_acquire);
        return page ? *page : make_page(c / page_size);
    }

    /// Whether a character, which needs no lower case any more, belongs to the set of the rule.
    bool belongs(char32_t c) const;

    /// With TokenRule::not_space all that separates tokens becomes blanks.
    bool blanks_others() const { return options_.rule.others == TokenRule::Others::not_space; }

    /// Byte b of ASCII belongs to the set if low[b & 15] & high[b >> 4].
    struct Nibbles {
        alignas(16) std::array<std::uint8_t, 16> low{}, high{};
    };
    const Nibbles& ascii() const { return ascii_; }

  private:
    const Page& make_page(std::size_t number) const;
    Entry entry(char32_t c) const;

    const CharacterTable& table_;
    const AnalyzerOptions options_;
    Nibbles ascii_;
    mutable std::array<std::atomic<const Page*>, n_pages> pages_{};
};

} // namespace mlcore::text
