// Terms that are known beforehand, as text: how they enter a lexicon.
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/vectorizer/lexicon.hpp"

#include <string_view>

namespace mlcore::text {

/// The stop words become the first words of an empty lexicon.
void enter_stop_words(const RunContext& ctx, const Analysis* analysis, Lexicon& lexicon);

/// Adds a term as readers of documents would: words of n-grams are told apart by blanks. Nobody else uses the lexicon
/// meanwhile.
TermId enter_term(const RunContext& ctx, Lexicon& lexicon, std::string_view term);

} // namespace mlcore::text
