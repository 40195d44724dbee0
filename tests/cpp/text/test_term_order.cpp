#include "check.hpp"

#include "text/vectorizer/known_terms.hpp"
#include "text/vectorizer/term_order.hpp"

#include "core/context.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

void check_order(const std::set<std::string>& texts, Codes kind) {
    for (const int n_threads : {1, 2, 6}) {
        StandaloneRun run(n_threads);
        Lexicon lexicon(kind);
        std::vector<std::string> shuffled(texts.begin(), texts.end());
        std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(7));
        std::vector<TermId> ids;
        for (const std::string& text : shuffled) ids.push_back(enter_term(run.context, lexicon, text));
        sort_terms(run.context, lexicon, ids);
        const PackedTerms packed = pack_terms(run.context, lexicon, ids);
        std::vector<std::string> got;
        for (const std::string_view text : views(packed)) got.emplace_back(text);
        CHECK(got == std::vector<std::string>(texts.begin(), texts.end()));
    }
}

/// Strings of an alphabet, many of which begin alike.
std::set<std::string> random_texts(const std::string& alphabet, std::size_t n, std::size_t longest) {
    std::mt19937 random(3);
    std::set<std::string> texts;
    for (std::size_t i = 0; i < n; ++i) {
        std::string text = random() % 3 ? "" : std::string(random() % 30, alphabet[0]);
        for (std::size_t length = random() % longest; length > 0; --length)
            text += alphabet[random() % alphabet.size()];
        texts.insert(text);
    }
    return texts;
}

} // namespace

TEST(texts_come_in_the_order_of_their_bytes) {
    for (const Codes kind : {Codes::none, Codes::characters}) {
        check_order(random_texts("ab", 3000, 12), kind);
        check_order(random_texts(std::string("a\0\x01\xC3\xFF", 5), 3000, 20), kind);
        check_order(random_texts("abcdefghijklmnopqrstuvwxyz", 20'000, 14), kind);
    }
}

TEST(ngrams_come_in_the_order_of_their_bytes) {
    // A blank comes before letters, so "ab c" before "abc"; after '\x01', so "a\x01" before "a b".
    check_order(random_texts("ab ", 3000, 12), Codes::ngrams);
    check_order(random_texts("ab \x01", 3000, 12), Codes::ngrams);
    check_order(random_texts("abcdef ", 20'000, 30), Codes::ngrams);
    check_order(random_texts("a ", 2000, 150), Codes::ngrams); // more words than a digit has room for
}
