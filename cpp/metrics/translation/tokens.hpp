// The tokens of one text, in one pass: see token_classes.hpp.
#pragma once

#include "metrics/translation/token_classes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::metrics {

namespace detail {

/// Puts `to`, which is not longer, in the place of every `from`, from left to right.
template <class Char>
void replace_all(std::vector<Char>& text, std::string_view from, std::string_view to) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t same = 0;
        while (same < from.size() && i + same < text.size() && text[i + same] == static_cast<Char>(from[same])) ++same;
        if (same < from.size()) {
            text[size++] = text[i++];
        } else {
            for (const char c : to) text[size++] = static_cast<Char>(c);
            i += same;
        }
    }
    text.resize(size);
}

template <class Char>
bool contains(std::span<const Char> text, char c) {
    if constexpr (sizeof(Char) == 1) // by vectors
        return !text.empty() && std::memchr(text.data(), c, text.size());
    else
        return std::find(text.begin(), text.end(), static_cast<Char>(c)) != text.end();
}

template <class Char>
bool may_have_escapes(std::span<const Char> text) {
    return contains(text, '&') || contains(text, '\n') || contains(text, '<');
}

/// In the order of sacreBLEU, on which it depends what becomes of "&amp;lt;".
template <class Char>
void resolve_escapes(std::vector<Char>& text) {
    replace_all(text, "<skipped>", "");
    replace_all(text, "-\n", "");
    replace_all(text, "\n", " ");
    replace_all(text, "&quot;", "\"");
    replace_all(text, "&amp;", "&");
    replace_all(text, "&lt;", "<");
    replace_all(text, "&gt;", ">");
}

} // namespace detail

/// What the tokenizer reads of a text: without the white space that it strips, escapes resolved. `scratch` holds the
/// text where it had to be changed.
template <class Char>
std::span<const Char> prepared(const TokenClasses& classes, std::span<const Char> text, std::vector<Char>& scratch) {
    while (!text.empty() && classes(text.back()) == CharClass::space) text = text.first(text.size() - 1);
    if (classes.strips_start())
        while (!text.empty() && classes(text.front()) == CharClass::space) text = text.subspan(1);
    if (!classes.resolves_escapes() || !detail::may_have_escapes(text)) return text;
    scratch.assign(text.begin(), text.end());
    detail::resolve_escapes(scratch);
    return scratch;
}

/// emit(begin, end) for each token of a prepared text.
template <class Char, class F>
void for_each_token(const TokenClasses& classes, std::span<const Char> text, F&& emit) {
    const std::size_t size = text.size();
    std::size_t start = 0; // of the token that is open if start < i
    const auto close = [&](std::size_t end) {
        if (start < end) emit(start, end);
    };
    const auto alone = [&](std::size_t i) {
        close(i);
        emit(i, i + 1);
        start = i + 1;
    };
    const auto is_number = [&](std::size_t i) { return classes(text[i]) == CharClass::number; };
    for (std::size_t i = 0; i < size;) {
        switch (classes(text[i])) {
        case CharClass::other:
        case CharClass::number:
            ++i;
            break;
        case CharClass::space:
            close(i);
            start = ++i;
            break;
        case CharClass::symbol:
            alone(i++);
            break;
        case CharClass::dash:
            if (i > 0 && is_number(i - 1)) alone(i);
            ++i;
            break;
        case CharClass::mark: {
            const std::size_t first = i;
            while (i < size && classes(text[i]) == CharClass::mark) ++i;
            // Pairs (a character that is no number, the mark after it) from the left: whether the last mark is the
            // second of a pair. If so, a blank comes after it.
            const bool pairs_with_before = first > 0 ? !is_number(first - 1) : classes.padded();
            const bool last_is_paired = ((i - first) % 2 == 1) == pairs_with_before;
            const bool before_blank = i < size ? !is_number(i) : classes.padded();
            if (last_is_paired || before_blank) {
                for (std::size_t k = first; k < i; ++k) alone(k);
            } else if (i - first > 1) { // the last one goes with what comes after it
                for (std::size_t k = first; k + 1 < i; ++k) alone(k);
            } // else: within a number
            break;
        }
        }
    }
    close(size);
}

} // namespace mlcore::metrics
