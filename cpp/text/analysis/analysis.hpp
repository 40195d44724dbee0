// What the terms of a document are: n-grams of its words, of its characters, or of the characters of each word.
#pragma once

#include "text/analysis/analyzer.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mlcore::text {

enum class Level {
    word,
    character,      // scikit-learn's analyzer "char"
    character_word, // "char_wb": words, as str.split() finds them, with a blank on either side
};

struct Analysis {
    Analysis(const CharacterTable& table, const AnalyzerOptions& options, Level of, std::size_t min, std::size_t max,
             std::vector<std::string> stop)
        : analyzer(table, options), level(of), min_n(min), max_n(max), stop_words(std::move(stop)) {}

    const Analyzer analyzer;
    const Level level;
    const std::size_t min_n, max_n;            // 1 <= min_n <= max_n
    const std::vector<std::string> stop_words; // left out before n-grams are formed; of words alone
};

} // namespace mlcore::text
