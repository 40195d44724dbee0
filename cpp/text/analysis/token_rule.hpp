// What a token is: a run of characters of a set, as long as possible. That covers the patterns that people give to
// vectorizers, and is found by bit masks instead of a regular expression.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace mlcore::text {

struct TokenRule {
    /// Which characters beyond ASCII belong to the set.
    enum class Others { none, word, space, not_space };

    std::array<bool, 128> ascii{}; // which of ASCII do
    Others others = Others::none;
    std::size_t min_length = 1; // characters
    // The run must have a boundary of words (\b of re) on both sides: a run of word characters of which all are in the
    // set. Only where the set has no other characters.
    bool whole_words = false;

    /// \w{min_length,}
    static TokenRule words(std::size_t min_length);
    /// \S+: what str.split() gives
    static TokenRule not_space();
    /// \s+: for CharacterReader
    static TokenRule space();

    /// The rule whose runs are re.findall(pattern, text) for every text, where the pattern is one that is known:
    /// an optional (?u), a set, repeated so that at least one character is needed, with \b around it or without.
    /// Sets are \w, \S, [^\s] and classes of ASCII characters, ranges and \w, such as [a-zA-Z0-9], [\w'-].
    /// Repetitions are X+, XX+, XX*, X{k,}. Nothing for any other pattern.
    static std::optional<TokenRule> of_pattern(std::string_view pattern);

    bool operator==(const TokenRule&) const = default;
};

} // namespace mlcore::text
