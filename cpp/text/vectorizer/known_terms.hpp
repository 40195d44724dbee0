// Terms that are known beforehand, as text: how they enter a lexicon.
#pragma once

#include "core/context.hpp"
#include "text/vectorizer/analysis.hpp"
#include "text/vectorizer/lexicon.hpp"

#include <string_view>

namespace mlcore::text {

/// Whether terms of several words are n-grams of words in the lexicon; they are words as a whole otherwise, and where
/// there is no analysis (nullptr).
inline bool makes_ngrams(const Analysis* analysis) {
    return analysis && analysis->level == Level::word && analysis->max_n > 1;
}

/// The stop words become the first words of an empty lexicon.
void enter_stop_words(const RunContext& ctx, const Analysis* analysis, Lexicon& lexicon);

/// Adds a term as readers of documents would; with `ngrams` its words are told apart by blanks. Nobody else uses the
/// lexicon meanwhile.
TermId enter_term(const RunContext& ctx, bool ngrams, Lexicon& lexicon, std::string_view term);

} // namespace mlcore::text
