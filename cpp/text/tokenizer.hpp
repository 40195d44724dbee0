// Words of a text: the longest runs of bytes that are not ASCII whitespace (space, \t, \n, \v, \f, \r). '\n' also ends
// a text. 64 bytes at a time become bit masks; in (in_word ^ in_word << 1) each set bit is the start or the end of a
// word, and the positions of set bits are written out without a branch that depends on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mlcore::text {

/// Words that follow each other in one text.
class WordRun {
  public:
    std::size_t size() const { return size_; }
    std::string_view operator[](std::size_t i) const {
        return {base_ + edges_[2 * i], edges_[2 * i + 1] - edges_[2 * i]};
    }
    /// The text ends after these words.
    bool ends_text() const { return ends_text_; }

  private:
    friend class Tokenizer;
    friend class WordReader;
    const char* base_ = nullptr;
    const std::uint32_t* edges_ = nullptr; // start and end of each word
    std::size_t size_ = 0;
    bool ends_text_ = false;
};

/// Hands out the words that *start* in text[begin, limit), so that adjacent ranges give every word once: one
/// that started before `begin` is skipped, one that goes on beyond `limit` is given whole. Reads inside `text` alone.
class Tokenizer {
  public:
    /// begin <= limit <= text.size()
    Tokenizer(std::string_view text, std::size_t begin, std::size_t limit);
    explicit Tokenizer(std::string_view text) : Tokenizer(text, 0, text.size()) {}

    /// False at the end. A run may be empty and still end a text. It is valid until the next call.
    /// Throws ValueError for a word of 2 GiB or more.
    bool next(WordRun& run) {
        while (break_ == n_breaks_ && word_ == n_words_)
            if (!fill()) return false;
        run.ends_text_ = break_ < n_breaks_;
        const std::size_t last = run.ends_text_ ? breaks_[break_++] : n_words_;
        run.base_ = base_;
        run.edges_ = edges_ + 2 * word_;
        run.size_ = last - word_;
        word_ = last;
        return true;
    }

  private:
    static constexpr std::size_t batch_bytes = 2048;

    bool fill();

    const std::string_view text_;
    const std::size_t limit_;
    std::size_t position_;
    const char* base_ = nullptr;
    std::size_t word_ = 0, n_words_ = 0;    // of the batch: given out, in all
    std::size_t break_ = 0, n_breaks_ = 0;  // likewise
    std::uint16_t breaks_[batch_bytes];     // words of the batch before each '\n'
    std::uint32_t edges_[batch_bytes + 16]; // from base_
};

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Length of the bytes EF BB BF that some editors put before a text in UTF-8, 0 or 3: no part of its first word.
inline std::size_t byte_order_mark(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

/// Position of the first whitespace from `from` on, `limit` if there is none.
std::size_t find_space(std::string_view text, std::size_t from, std::size_t limit);

} // namespace mlcore::text
