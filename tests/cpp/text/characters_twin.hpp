// A small alphabet with characters of every sort, as a CharacterTable and as plain functions that say the same; and
// what a document becomes, character by character.
#pragma once

#include "text/analysis/analyzer.hpp"
#include "text/unicode/character_table.hpp"
#include "text/unicode/document.hpp"
#include "text/unicode/encode.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace twin {

using namespace mlcore::text;

inline bool is_ascii_word(char32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
inline bool is_word(char32_t c) {
    if (c < 0x80) return is_ascii_word(c);
    return (c >= 0xC0 && c < 0x250) || c == 0xBD || (c >= 0x4E00 && c < 0x4F00) || (c >= 0x10400 && c < 0x10450);
}
inline bool is_space(char32_t c) {
    return (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x2003;
}
inline std::u32string lower(char32_t c) {
    if (c == 0x130) return U"i\u0307";
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7)) return {c + 32};
    if (c >= 0x10400 && c < 0x10428) return {c + 40};
    if (c == 0x212A) return U"k";
    return {c};
}
/// NFKD without combining characters.
inline std::u32string without_accents(char32_t c) {
    if (c == 0xE9) return U"e";
    if (c == 0xBD) return U"1\u20442";
    if (c == 0xB4 || c == 0xA0 || c == 0x2003) return U" ";
    if (c == 0x301 || c == 0x307) return {};
    if (c == 0xFDFA) return U"\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647";
    return {c};
}
inline std::uint8_t categories(char32_t c) {
    if (c == '.' || c == 0x3002) return CharacterTable::punctuation;
    if (c == '+' || c == 0x20AC) return CharacterTable::symbol;
    if (c == '7' || c == 0xBD) return CharacterTable::number;
    return 0;
}

inline void fill(CharacterTable& table) {
    for (std::size_t number = 0; number < n_pages; ++number) {
        CharacterTable::CasePage cases;
        CharacterTable::AccentPage accents;
        CharacterTable::CategoryPage category{};
        bool same = true;
        for (std::size_t i = 0; i < page_size; ++i) {
            const auto c = static_cast<char32_t>(number * page_size + i);
            cases.kinds[i] = static_cast<std::uint8_t>((is_word(c) ? CharacterTable::word : 0) |
                                                       (is_space(c) ? CharacterTable::space : 0));
            const std::u32string l = lower(c), plain = without_accents(c);
            if (l.size() == 1)
                cases.lower[i] = static_cast<std::int32_t>(l[0]) - static_cast<std::int32_t>(c);
            else
                cases.long_lower.emplace_back(static_cast<std::uint8_t>(i), l);
            accents.text += plain;
            accents.starts[i + 1] = static_cast<std::uint16_t>(accents.text.size());
            same = same && plain == std::u32string(1, c);
            category[i] = categories(c);
        }
        table.set_cases(number, cases);
        if (same)
            table.set_no_accents(number);
        else
            table.set_accents(number, accents);
        table.set_categories(number, category);
    }
}

inline const CharacterTable& table() {
    static CharacterTable filled;
    static const bool once = (fill(filled), true);
    static_cast<void>(once);
    return filled;
}

/// A document of its own, whose last code point is the last one that may be read.
class Text {
  public:
    Text(std::u32string_view text, int width) : width_(width), size_(text.size()) {
        bytes_.reserve(text.size() * static_cast<std::size_t>(width));
        for (const char32_t c : text)
            for (int i = 0; i < width; ++i) bytes_.push_back(static_cast<std::uint8_t>(c >> 8 * i));
        bytes_.shrink_to_fit();
        for (const char32_t c : text) ascii_ = ascii_ && c < 0x80;
    }
    Document document() const { return {bytes_.data(), size_, width_, ascii_ && width_ == 1}; }

  private:
    std::vector<std::uint8_t> bytes_;
    int width_;
    std::size_t size_;
    bool ascii_ = true;
};

inline std::string utf8(std::u32string_view text) {
    std::string bytes;
    char encoded[max_utf8];
    for (const char32_t c : text) bytes.append(encoded, encode_utf8(c, encoded));
    return bytes;
}

/// Lower case, then accents.
inline std::u32string prepared(std::u32string_view text, bool lowercase, Accents accents) {
    std::u32string out;
    for (const char32_t c : text)
        for (const char32_t l : lowercase ? lower(c) : std::u32string(1, c))
            for (const char32_t a : accents == Accents::keep ? std::u32string(1, l) : without_accents(l))
                if (accents != Accents::ascii || a < 0x80) out += a;
    return out;
}

inline bool belongs(char32_t c, const TokenRule& rule) {
    if (c < 0x80) return rule.ascii[c];
    switch (rule.others) {
    case TokenRule::Others::none:
        return false;
    case TokenRule::Others::word:
        return is_word(c);
    case TokenRule::Others::space:
        return is_space(c);
    case TokenRule::Others::not_space:
        return !is_space(c);
    }
    return false;
}

inline std::vector<std::string> words(std::u32string_view text, const TokenRule& rule) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        bool fits = true;
        const auto goes_on = [&](char32_t c) { return rule.whole_words ? is_word(c) : belongs(c, rule); };
        for (; end < text.size() && goes_on(text[end]); ++end) fits = fits && belongs(text[end], rule);
        if (fits && end - i >= rule.min_length && end > i) all.push_back(utf8(text.substr(i, end - i)));
        i = std::max(end, i + 1);
    }
    return all;
}

/// The characters, where several of white space are one blank.
inline std::vector<std::string> characters(std::u32string_view text) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && is_space(text[end])) ++end;
        all.push_back(end > i + 1 ? " " : utf8(text.substr(i, 1)));
        i = std::max(end, i + 1);
    }
    return all;
}

} // namespace twin
