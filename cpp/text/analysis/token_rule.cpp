#include "text/analysis/token_rule.hpp"

#include <algorithm>

namespace mlcore::text {
namespace {

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_word(char c) { return is_alnum(c) || c == '_'; }
/// White space of a str, which includes the separators of files, groups, records and units.
bool is_str_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F); }

template <class F>
std::array<bool, 128> ascii_where(F&& f) {
    std::array<bool, 128> all{};
    for (std::size_t c = 0; c < all.size(); ++c) all[c] = f(static_cast<char>(c));
    return all;
}

/// Reads a pattern from its front.
class PatternReader {
  public:
    explicit PatternReader(std::string_view pattern) : rest_(pattern) {}

    std::string_view rest() const { return rest_; }

    bool take(std::string_view what) {
        if (!rest_.starts_with(what)) return false;
        rest_.remove_prefix(what.size());
        return true;
    }

    /// The set at the front: a rule without a length.
    std::optional<TokenRule> set() {
        if (take("\\w")) return TokenRule::words(1);
        if (take("\\S") || take("[^\\s]")) return TokenRule::not_space();
        if (take("[") && !rest_.starts_with('^')) return members();
        return std::nullopt;
    }

    /// A number of up to six digits.
    std::optional<std::size_t> number() {
        std::size_t value = 0, digits = 0;
        for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; rest_.remove_prefix(1), ++digits)
            value = 10 * value + static_cast<std::size_t>(rest_[0] - '0');
        if (digits == 0 || digits > 6) return std::nullopt;
        return value;
    }

  private:
    /// What stands in brackets, up to the closing one.
    std::optional<TokenRule> members() {
        TokenRule rule;
        if (rest_.starts_with(']')) return std::nullopt; // a literal there
        while (!take("]")) {
            if (take("\\w")) {
                for (std::size_t c = 0; c < 128; ++c) rule.ascii[c] |= is_word(static_cast<char>(c));
                rule.others = TokenRule::Others::word;
                if (rest_.starts_with('-') && !rest_.starts_with("-]")) return std::nullopt;
                continue;
            }
            const auto first = literal();
            if (!first) return std::nullopt;
            char last = *first;
            if (rest_.starts_with('-') && !rest_.starts_with("-]")) {
                rest_.remove_prefix(1);
                if (rest_.starts_with('-')) return std::nullopt; // re warns of two
                const auto end = literal();
                if (!end || *end < *first) return std::nullopt;
                last = *end;
            }
            for (char c = *first; c < last; ++c) rule.ascii[static_cast<std::size_t>(c)] = true;
            rule.ascii[static_cast<std::size_t>(last)] = true;
        }
        return rule;
    }

    /// A character that stands for itself in brackets.
    std::optional<char> literal() {
        if (rest_.empty()) return std::nullopt;
        char c = rest_[0];
        if (c == '\\') {
            // A letter or digit after it would be a class, a control character or a mistake.
            if (rest_.size() < 2 || is_alnum(rest_[1])) return std::nullopt;
            c = rest_[1];
            rest_.remove_prefix(1);
        } else if (c == '[' || (rest_.size() > 1 && rest_[1] == c && !is_word(c))) {
            return std::nullopt; // what re warns of: [[ -- && ~~ || may become operators
        }
        if (c < 0x20 || c == 0x7F) return std::nullopt; // also beyond ASCII, where char has a sign
        if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
        rest_.remove_prefix(1);
        return c;
    }

    std::string_view rest_;
};

} // namespace

TokenRule TokenRule::words(std::size_t min_length) {
    return {.ascii = ascii_where(is_word), .others = Others::word, .min_length = min_length};
}

TokenRule TokenRule::not_space() {
    return {.ascii = ascii_where([](char c) { return !is_str_space(c); }), .others = Others::not_space};
}

TokenRule TokenRule::space() { return {.ascii = ascii_where(is_str_space), .others = Others::space}; }

std::optional<TokenRule> TokenRule::of_pattern(std::string_view pattern) {
    PatternReader reader(pattern);
    reader.take("(?u)");
    const bool boundary_before = reader.take("\\b");
    const std::string_view at_set = reader.rest();
    auto rule = reader.set();
    if (!rule) return std::nullopt;
    const std::string_view set = at_set.substr(0, at_set.size() - reader.rest().size());
    std::size_t n_sets = 1;
    while (reader.take(set)) ++n_sets;
    if (reader.take("+")) {
        rule->min_length = n_sets;
    } else if (reader.take("*")) {
        rule->min_length = n_sets - 1;
    } else if (reader.take("{")) {
        const auto least = reader.number();
        if (!least || !reader.take(",}")) return std::nullopt;
        rule->min_length = n_sets - 1 + *least;
    } else {
        return std::nullopt;
    }
    const bool boundary_after = reader.take("\\b");
    if (!reader.rest().empty() || rule->min_length == 0) return std::nullopt;
    const TokenRule all_words = words(rule->min_length);
    if ((boundary_before || boundary_after) && *rule != all_words) {
        const bool within_words = std::equal(rule->ascii.begin(), rule->ascii.end(), all_words.ascii.begin(),
                                             [](bool mine, bool of_words) { return of_words || !mine; });
        if (!boundary_before || !boundary_after || !within_words || rule->others != Others::none) return std::nullopt;
        rule->whole_words = true;
    }
    return rule;
}

} // namespace mlcore::text
