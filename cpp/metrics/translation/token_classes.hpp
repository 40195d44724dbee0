// The tokenizers of BLEU (Papineni et al., 2002), as the scripts mteval-v13a and mteval-v14 of NIST and sacreBLEU
// (Post, "A call for clarity in reporting BLEU scores", WMT 2018) define them. Those are rows of regular expressions,
// each of which puts blanks into what the one before has made; here one pass over the characters finds the same tokens,
// because what the expressions do depends on classes of characters alone:
//   - a symbol is always a token of its own;
//   - a mark (full stop, comma; with `intl` any punctuation) is one too, unless it stands between numbers: "3.14";
//   - a dash is one if it follows a digit;
//   - all else between white space is one token.
// Marks are matched in pairs from left to right, so that a row of them may keep its last one on the number that
// follows: "1..5" is "1 . . 5", but "a..5" is "a . .5" (tokens.hpp counts).
#pragma once

#include "text/unicode/character_table.hpp"

#include <array>
#include <cstdint>

namespace mlcore::metrics {

enum class Tokenization {
    v13a,      // mteval-v13a: punctuation of ASCII, escapes such as &quot; resolved
    intl,      // mteval-v14, international: punctuation, symbols and numbers of Unicode
    zh,        // as 13a without escapes, and each Chinese character is a token
    character, // each character but white space
    none,      // white space alone divides
};

enum class CharClass : std::uint8_t { space, other, number, symbol, mark, dash };

/// What str.isspace() holds for, and so where str.split() splits.
constexpr bool is_space(char32_t c) {
    if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

class TokenClasses {
  public:
    /// `table` with the categories of all characters to come; asked by intl alone.
    TokenClasses(Tokenization tokenization, const text::CharacterTable* table);

    CharClass operator()(std::uint8_t c) const { return latin_[c]; }
    CharClass operator()(char32_t c) const { return c < latin_.size() ? latin_[c] : class_of(c); }

    /// Before the first and after the last character counts as a blank, so that a mark there is a token of its own.
    bool padded() const { return tokenization_ == Tokenization::v13a; }
    /// White space at the beginning is not there at all.
    bool strips_start() const { return tokenization_ == Tokenization::zh; }
    /// &quot;, <skipped> and words divided at the end of a line are resolved first.
    bool resolves_escapes() const { return tokenization_ == Tokenization::v13a; }

  private:
    CharClass class_of(char32_t c) const;

    Tokenization tokenization_;
    const text::CharacterTable* table_;
    std::array<CharClass, 256> latin_;
};

} // namespace mlcore::metrics
