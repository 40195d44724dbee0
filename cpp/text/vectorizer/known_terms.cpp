#include "text/vectorizer/known_terms.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace mlcore::text {
namespace {

TermId enter_word(const RunContext& ctx, Lexicon& lexicon, std::string_view word) {
    while (!lexicon.claim(lexicon.writer(0), 1, 0)) lexicon.grow(ctx);
    return lexicon.add_text(word_key(word), word, lexicon.writer(0));
}

TermId enter_characters(const RunContext& ctx, Lexicon& lexicon, std::string_view term) {
    while (!lexicon.claim(lexicon.writer(0), 1, 1)) lexicon.grow(ctx);
    return lexicon.add_characters(word_key(term), term, lexicon.writer(0));
}

/// Whether readers could have made the term of several words.
bool has_words(std::string_view term) {
    return term.find(' ') != std::string_view::npos && term.front() != ' ' && term.back() != ' ' &&
           term.find("  ") == std::string_view::npos;
}

} // namespace

void enter_stop_words(const RunContext& ctx, const Analysis* analysis, Lexicon& lexicon) {
    if (!analysis) return;
    lexicon.set_writers(1);
    TermId last = 0;
    for (const std::string& word : analysis->stop_words) last = std::max(last, enter_word(ctx, lexicon, word));
    lexicon.set_stop_words(analysis->stop_words.empty() ? 0 : last + 1);
}

TermId enter_term(const RunContext& ctx, Lexicon& lexicon, std::string_view term) {
    lexicon.set_writers(1);
    if (lexicon.kind() == Codes::characters) return enter_characters(ctx, lexicon, term);
    if (lexicon.kind() == Codes::none || !has_words(term)) return enter_word(ctx, lexicon, term);
    TermId id = no_term;
    for (std::size_t begin = 0, end; begin <= term.size(); begin = end + 1) {
        end = std::min(term.find(' ', begin), term.size());
        const TermId word = enter_word(ctx, lexicon, term.substr(begin, end - begin));
        while (!lexicon.claim(lexicon.writer(0), 0, 1)) lexicon.grow(ctx);
        id = id == no_term ? word : lexicon.add_code(Lexicon::pair(id, word), lexicon.writer(0));
    }
    return id;
}

} // namespace mlcore::text
