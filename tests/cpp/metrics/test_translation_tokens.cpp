#include "check.hpp"

#include "metrics/translation/tokens.hpp"

#include <functional>
#include <iterator>
#include <string>

using namespace mlcore::metrics;
using mlcore::text::CharacterTable;

namespace {

/// The rules of the scripts, taken literally: each puts blanks into what the one before has made.
namespace twin {

using Test = std::function<bool(char32_t)>;

/// s/(first)(second)/.../ with blanks at the places that are asked for, from left to right without overlap.
std::u32string pair_rule(const std::u32string& text, const Test& first, const Test& second, bool before, bool between,
                         bool after) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
            if (before) out += U' ';
            out += text[i];
            if (between) out += U' ';
            out += text[i + 1];
            if (after) out += U' ';
            i += 2;
        } else {
            out += text[i++];
        }
    }
    return out;
}

std::u32string single_rule(const std::u32string& text, const Test& test) {
    std::u32string out;
    for (const char32_t c : text) {
        if (test(c)) out += U' ';
        out += c;
        if (test(c)) out += U' ';
    }
    return out;
}

std::vector<std::u32string> split(const std::u32string& text) {
    std::vector<std::u32string> words;
    std::u32string word;
    for (const char32_t c : text + U' ') {
        if (!is_space(c)) {
            word += c;
        } else if (!word.empty()) {
            words.push_back(word);
            word.clear();
        }
    }
    return words;
}

std::u32string western(std::u32string text) {
    const Test symbol = [](char32_t c) {
        return (c >= 0x7B && c <= 0x7E) || (c >= 0x5B && c <= 0x60) || (c >= 0x20 && c <= 0x26) ||
               (c >= 0x28 && c <= 0x2B) || (c >= 0x3A && c <= 0x40) || c == 0x2F;
    };
    const Test digit = [](char32_t c) { return c >= '0' && c <= '9'; };
    const Test no_digit = [&](char32_t c) { return !digit(c); };
    const Test mark = [](char32_t c) { return c == '.' || c == ','; };
    text = single_rule(text, symbol);
    text = pair_rule(text, no_digit, mark, false, true, true);
    text = pair_rule(text, mark, no_digit, true, true, false);
    return pair_rule(text, digit, [](char32_t c) { return c == '-'; }, false, true, true);
}

std::u32string stripped(std::u32string text, bool both_ends) {
    while (!text.empty() && is_space(text.back())) text.pop_back();
    while (both_ends && !text.empty() && is_space(text.front())) text.erase(0, 1);
    return text;
}

std::vector<std::u32string> tokens(Tokenization tokenization, const CharacterTable& table, const std::u32string& raw) {
    std::u32string text = stripped(raw, tokenization == Tokenization::zh);
    switch (tokenization) {
    case Tokenization::v13a:
        text = western(U' ' + text + U' ');
        break;
    case Tokenization::zh:
        text = western(single_rule(text, [](char32_t c) { return c >= 0x4E00 && c <= 0x9FBB; }));
        break;
    case Tokenization::intl: {
        const Test no_number = [&](char32_t c) { return !table.is_number(c); };
        const Test mark = [&](char32_t c) { return table.is_punctuation(c); };
        text = pair_rule(text, no_number, mark, false, true, true);
        text = pair_rule(text, mark, no_number, true, true, false);
        text = single_rule(text, [&](char32_t c) { return table.is_symbol(c); });
        break;
    }
    case Tokenization::character:
        text = single_rule(text, [](char32_t) { return true; });
        break;
    case Tokenization::none:
        break;
    }
    return split(text);
}

} // namespace twin

/// Categories of the few characters that the tests use.
const CharacterTable& categories() {
    static CharacterTable table;
    if (!table.has_categories(0)) {
        CharacterTable::CategoryPage page{};
        for (const char c : std::string("!\"#%&'()*,-./:;?@[\\]_{}"))
            page[static_cast<std::size_t>(c)] = CharacterTable::punctuation;
        for (const char c : std::string("$+<=>^`|~")) page[static_cast<std::size_t>(c)] = CharacterTable::symbol;
        for (char c = '0'; c <= '9'; ++c) page[static_cast<std::size_t>(c)] = CharacterTable::number;
        table.set_categories(0, page);
    }
    return table;
}

template <class Char>
std::vector<std::u32string> tokens(Tokenization tokenization, const std::u32string& text) {
    const TokenClasses classes(tokenization, &categories());
    // A copy whose end is that of its memory: the sanitizer sees a read beyond it.
    const std::vector<Char> characters(text.begin(), text.end());
    std::vector<Char> changed;
    const std::span<const Char> ready = prepared(classes, std::span<const Char>(characters), changed);
    std::vector<std::u32string> words;
    for_each_token(classes, ready, [&](std::size_t begin, std::size_t end) {
        words.emplace_back(ready.begin() + static_cast<std::ptrdiff_t>(begin),
                           ready.begin() + static_cast<std::ptrdiff_t>(end));
    });
    return words;
}

std::u32string joined(const std::vector<std::u32string>& words) {
    std::u32string text;
    for (const std::u32string& word : words) text += (text.empty() ? U"" : U" ") + word;
    return text;
}

constexpr Tokenization all[] = {Tokenization::v13a, Tokenization::intl, Tokenization::zh, Tokenization::character,
                                Tokenization::none};

} // namespace

TEST(every_short_text_over_the_classes) {
    const char32_t alphabet[] = {U'a', U'5', U'.', U' ', U'-', U'('};
    for (std::size_t length = 0; length <= 6; ++length) {
        std::size_t n = 1;
        for (std::size_t i = 0; i < length; ++i) n *= std::size(alphabet);
        for (std::size_t code = 0; code < n; ++code) {
            std::u32string text;
            for (std::size_t i = 0, rest = code; i < length; ++i, rest /= std::size(alphabet))
                text += alphabet[rest % std::size(alphabet)];
            for (const Tokenization tokenization : all) {
                const auto expected = twin::tokens(tokenization, categories(), text);
                if (tokens<std::uint8_t>(tokenization, text) == expected &&
                    tokens<char32_t>(tokenization, text) == expected)
                    continue;
                return check::fail(std::string(text.begin(), text.end()).c_str(), static_cast<int>(tokenization),
                                   "other tokens");
            }
        }
    }
}

TEST(long_rows_of_marks) {
    for (const char32_t before : {U'a', U'5', U' '})
        for (const char32_t after : {U'a', U'5', U' '})
            for (std::size_t n = 1; n < 9; ++n)
                for (const Tokenization tokenization : all) {
                    const std::u32string text = before + std::u32string(n, U'.') + after;
                    CHECK(tokens<std::uint8_t>(tokenization, text) == twin::tokens(tokenization, categories(), text));
                }
}

TEST(every_character_of_latin_1) {
    for (const Tokenization tokenization : all)
        for (char32_t c = 0; c < 256; ++c) {
            if (c == '\n' || c == '&' || c == '<') continue; // escapes of 13a
            for (const std::u32string& text : {std::u32string{U'a', c, U'b'}, std::u32string{U'1', c, U'2'}})
                CHECK(tokens<std::uint8_t>(tokenization, text) == twin::tokens(tokenization, categories(), text));
        }
}

TEST(escapes_are_resolved_in_the_order_of_the_script) {
    const auto resolved = [](const std::u32string& text) {
        const auto narrow = joined(tokens<std::uint8_t>(Tokenization::v13a, text));
        CHECK(joined(tokens<char32_t>(Tokenization::v13a, text)) == narrow);
        return narrow;
    };
    CHECK(resolved(U"a&quot;b") == U"a \" b");
    CHECK(resolved(U"&amp;lt;") == U"<");
    CHECK(resolved(U"&amp;quot;") == U"& quot ;");
    CHECK(resolved(U"&amp;amp;") == U"& amp ;");
    CHECK(resolved(U"a<skipped>b") == U"ab");
    CHECK(resolved(U"<skip<skipped>ped>") == U"< skipped >");
    CHECK(resolved(U"&<skipped>lt;") == U"<");
    CHECK(resolved(U"divi-\nded") == U"divided");
    CHECK(resolved(U"one\ntwo") == U"one two");
    CHECK(resolved(U"at the end-\n") == U"at the end-");
    CHECK(resolved(U"a-<skipped>\nb") == U"ab");
    CHECK(resolved(U"&") == U"&");
    CHECK(resolved(U"&quot") == U"& quot");
}

TEST(chinese_characters_stand_alone) {
    CHECK(joined(tokens<char32_t>(Tokenization::zh, U"我有3.5个apples.")) == U"我 有 3.5 个 apples .");
    CHECK(joined(tokens<char32_t>(Tokenization::zh, U" “是” ")) == U"“ 是 ”");
    CHECK(joined(tokens<char32_t>(Tokenization::zh, U"\U00020000\U00020001")) == U"\U00020000\U00020001");
    CHECK(joined(tokens<char32_t>(Tokenization::zh, U".5")) == U".5");
    CHECK(joined(tokens<char32_t>(Tokenization::zh, U"中.5")) == U"中 . 5");
}
