#include "check.hpp"

#include "text/analysis/token_rule.hpp"

#include <string>

using namespace mlcore::text;

namespace {

TokenRule of_ascii(std::string_view members, std::size_t min_length = 1, bool whole_words = false) {
    TokenRule rule{.min_length = min_length, .whole_words = whole_words};
    for (const char c : members) rule.ascii[static_cast<std::size_t>(c)] = true;
    return rule;
}

} // namespace

TEST(patterns_that_are_known) {
    const auto is = [](const char* pattern, const TokenRule& expected) {
        const auto rule = TokenRule::of_pattern(pattern);
        if (!rule || *rule != expected) check::fail(pattern, 0, rule ? "another rule" : "not known");
    };
    is("(?u)\\b\\w\\w+\\b", TokenRule::words(2));
    is("(?u)\\b\\w+\\b", TokenRule::words(1));
    is("\\w+", TokenRule::words(1));
    is("\\w+\\b", TokenRule::words(1));
    is("\\w\\w*", TokenRule::words(1));
    is("\\w{3,}", TokenRule::words(3));
    is("\\w\\w{2,}", TokenRule::words(3));
    is("\\S+", TokenRule::not_space());
    is("[^\\s]+", TokenRule::not_space());
    is("[abc]+", of_ascii("abc"));
    is("[a-c0-2]+", of_ascii("abc012"));
    is("[-ab]+", of_ascii("-ab"));
    is("[ab-]{2,}", of_ascii("-ab", 2));
    is("[\\]\\-\\\\]+", of_ascii("]-\\"));
    is("\\b[a-c]+\\b", of_ascii("abc", 1, true));
    is("(?u)\\b[a-c][a-c]+\\b", of_ascii("abc", 2, true));
    TokenRule with_hyphen = TokenRule::words(1);
    with_hyphen.ascii['-'] = true;
    is("[\\w-]+", with_hyphen);
}

TEST(patterns_that_are_not_known) {
    for (const char* pattern :
         {"",          "a+",        "\\w",         "\\w*",          "\\w?",         "\\w{0,}",
          "\\w{2}",    "\\w{1,3}",  "\\w+?",       "\\w++",         "\\W+",         "\\d+",
          "\\s+",      "(\\w+)",    "\\w+|\\d+",   "(?i)\\w+",      "(?u)(?u)\\w+", "\\b\\S+\\b",
          "\\b[a-c]+", "[a-c]+\\b", "\\b[a.]+\\b", "\\b[\\w-]+\\b", "[^a]+",        "[]a]+",
          "[a",        "[a]",       "[a--b]+",     "[a-\\w]+",      "[\\w-a]+",     "[c-a]+",
          "[[a]+",     "[a&&b]+",   "[\\d]+",      "[\\n]+",        "[\xc3\xa9]+",  "\\w{9999999,}",
          "\\w{2,}x",  "^\\w+",     "\\B\\w+"})
        if (TokenRule::of_pattern(pattern)) check::fail(pattern, 0, "known");
}
