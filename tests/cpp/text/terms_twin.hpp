// Naive twin of the counting of terms: what scikit-learn's vectorizers do to documents of ASCII, string by string.
#pragma once

#include "text/characters_twin.hpp"

#include "text/analysis/analysis.hpp"
#include "text/unicode/document.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace twin {

using Strings = std::vector<std::string>;

inline std::string in_lower_case(std::string text) {
    for (char& c : text) c = static_cast<char>(lower(static_cast<unsigned char>(c))[0]);
    return text;
}

/// Runs of characters for which belongs(c), of min_length or more.
template <class Belongs>
Strings runs(const std::string& text, std::size_t min_length, Belongs&& belongs) {
    Strings all(1);
    for (const char c : text + ' ') {
        if (belongs(static_cast<unsigned char>(c)))
            all.back() += c;
        else
            all.emplace_back();
    }
    std::erase_if(all, [&](const std::string& run) { return run.size() < min_length; });
    return all;
}

inline Strings terms(const std::string& document, Level level, std::size_t min_n, std::size_t max_n,
                     const Strings& stop_words) {
    const std::string text = in_lower_case(document);
    Strings all;
    if (level == Level::word) {
        Strings words = runs(text, 2, [](char32_t c) { return is_word(c); });
        std::erase_if(words, [&](const std::string& word) {
            return std::find(stop_words.begin(), stop_words.end(), word) != stop_words.end();
        });
        for (std::size_t n = min_n; n <= std::min(max_n, words.size()); ++n)
            for (std::size_t i = 0; i + n <= words.size(); ++i) {
                std::string term = words[i];
                for (std::size_t k = 1; k < n; ++k) term += ' ' + words[i + k];
                all.push_back(term);
            }
    } else if (level == Level::character) {
        std::string squeezed;
        for (std::size_t i = 0; i < text.size();) {
            std::size_t end = i;
            while (end < text.size() && is_space(static_cast<unsigned char>(text[end]))) ++end;
            if (end - i >= 2)
                squeezed += ' ';
            else
                squeezed += text[i], end = i + 1;
            i = end;
        }
        for (std::size_t n = min_n; n <= std::min(max_n, squeezed.size()); ++n)
            for (std::size_t i = 0; i + n <= squeezed.size(); ++i) all.push_back(squeezed.substr(i, n));
    } else {
        for (const std::string& word : runs(text, 1, [](char32_t c) { return !is_space(c); })) {
            const std::string padded = ' ' + word + ' ';
            for (std::size_t n = min_n; n <= max_n; ++n) {
                for (std::size_t i = 0; i + n <= padded.size(); ++i) all.push_back(padded.substr(i, n));
                if (n > padded.size() && n == min_n) all.push_back(padded);
                if (n >= padded.size()) break;
            }
        }
    }
    return all;
}

/// How often each term occurs, document by document.
using Counts = std::vector<std::map<std::string, std::int64_t>>;

inline Counts count(const std::vector<Strings>& documents) {
    Counts counts(documents.size());
    for (std::size_t i = 0; i < documents.size(); ++i)
        for (const std::string& term : documents[i]) ++counts[i][term];
    return counts;
}

inline std::vector<Document> views(const Strings& texts) {
    std::vector<Document> documents;
    for (const std::string& text : texts) documents.push_back({text.data(), text.size(), 1, true});
    return documents;
}

/// Documents of words with a few frequent and many rare ones, between all sorts of blanks; some are empty.
inline Strings random_documents(std::uint32_t seed, std::size_t n, std::size_t n_words) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t m) { return std::uniform_int_distribution<std::size_t>(0, m - 1)(random); };
    const std::string blanks[] = {" ", ", ", "  ", "\n", " - ", "\t\n"};
    Strings documents(n);
    for (std::string& document : documents)
        for (std::size_t words = below(8) ? below(60) : 0; words > 0; --words) {
            std::size_t number = below(below(n_words) + 1) + 1;
            std::string word;
            for (; number; number /= 20) word += "etaoinshrdlcumwfgyETA"[number % 20];
            if (below(50) == 0) word += std::string(below(40), 'x');
            if (below(200) == 0) word += std::string(below(200), 'y') + std::to_string(below(100));
            if (below(300) == 0) word += '\0';
            document += word + blanks[below(6)];
        }
    return documents;
}

} // namespace twin
