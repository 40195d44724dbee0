#include "metrics/translation/chrf.hpp"
#include "metrics/translation/ngram_matcher.hpp"
#include "metrics/translation/symbol_tables.hpp"
#include "metrics/translation/tokens.hpp"

#include <algorithm>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_character = 12;

struct ChrfScratch {
    ChrfScratch(const Segments& segments) : texts(segments) {}

    SegmentTexts texts;
    TokenClasses blanks{Tokenization::none, nullptr};
    CharacterSymbols characters;
    WordSymbols words;
    std::vector<Symbol> hypothesis, reference;
    std::vector<std::int64_t> matches, statistics;
    NgramMatcher matcher;
};

/// symbol(c) for each character, white space left out unless it is wanted.
template <class Char, class F>
void character_symbols(const TokenClasses& blanks, std::span<const Char> text, bool whitespace,
                       std::vector<Symbol>& symbols, F&& symbol) {
    symbols.resize(text.size());
    std::size_t size = 0;
    for (const Char c : text) { // white space is overwritten by what follows: no branch that words would mislead
        symbols[size] = symbol(c);
        size += static_cast<std::size_t>(whitespace) | (blanks(c) != CharClass::space);
    }
    symbols.resize(size);
}

bool is_ascii_punctuation(char32_t c) {
    return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
}

/// symbol(word, readable) for each word; a mark of punctuation at its end, or else at its beginning, is one of its own.
template <class Char, class F>
void word_symbols(const TokenClasses& blanks, std::span<const Char> text, std::vector<Symbol>& symbols, F&& symbol) {
    symbols.clear();
    const auto bytes = reinterpret_cast<const char*>(text.data());
    const auto add = [&](std::size_t begin, std::size_t end) {
        symbols.push_back(
            symbol({bytes + begin * sizeof(Char), (end - begin) * sizeof(Char)}, bytes + text.size_bytes()));
    };
    for_each_token(blanks, text, [&](std::size_t begin, std::size_t end) {
        std::size_t cut = end;
        if (end - begin > 1) {
            if (is_ascii_punctuation(text[end - 1]))
                cut = end - 1;
            else if (is_ascii_punctuation(text[begin]))
                cut = begin + 1;
        }
        add(begin, cut);
        if (cut < end) add(cut, end);
    });
}

/// The three counts of each order.
void count_orders(ChrfScratch& scratch, std::size_t n_symbols, std::size_t max_order, std::int64_t* out) {
    const std::span<const Symbol> reference(scratch.reference);
    scratch.matches.resize(max_order);
    scratch.matcher.match(scratch.hypothesis, {&reference, 1}, n_symbols, scratch.matches);
    const auto n_grams = [](std::size_t length, std::size_t order) {
        return length < order ? std::int64_t{0} : static_cast<std::int64_t>(length - order + 1);
    };
    for (std::size_t order = 1; order <= max_order; ++order, out += 3) {
        out[1] = n_grams(reference.size(), order);
        out[0] = out[1] > 0 ? n_grams(scratch.hypothesis.size(), order) : 0;
        out[2] = scratch.matches[order - 1];
    }
}

template <class Char>
void reference_statistics(std::span<const Char> hypothesis, std::span<const Char> reference, const ChrfOptions& options,
                          ChrfScratch& scratch, std::int64_t* out) {
    if (options.char_order > 0) {
        CharacterSymbols& characters = scratch.characters;
        characters.reset(reference.size(), sizeof(Char) == 1);
        character_symbols(scratch.blanks, reference, options.whitespace, scratch.reference,
                          [&](char32_t c) { return characters.insert(c); });
        character_symbols(scratch.blanks, hypothesis, options.whitespace, scratch.hypothesis,
                          [&](char32_t c) { return characters.find(c); });
        count_orders(scratch, characters.size(), options.char_order, out);
    }
    if (options.word_order > 0) {
        WordSymbols& words = scratch.words;
        word_symbols(scratch.blanks, reference, scratch.reference,
                     [&](std::string_view word, const char* readable) { return words.insert(word, readable); });
        word_symbols(scratch.blanks, hypothesis, scratch.hypothesis,
                     [&](std::string_view word, const char* readable) { return words.find(word, readable); });
        count_orders(scratch, words.size(), options.word_order, out + 3 * options.char_order);
        words.clear();
    }
}

} // namespace

std::vector<std::int64_t> chrf_statistics(const RunContext& ctx, const Segments& segments, const ChrfOptions& options) {
    const std::size_t columns = options.columns();
    std::vector<std::int64_t> statistics(segments.size() * columns);
    for_each_segment<ChrfScratch>(ctx, segments, ns_per_character, [&](std::size_t segment, ChrfScratch& scratch) {
        std::int64_t* const out = statistics.data() + segment * columns;
        scratch.texts.visit(segment, [&]<class Char>(std::span<const Char> hypothesis,
                                                     std::span<const std::span<const Char>> references) {
            reference_statistics(hypothesis, references.front(), options, scratch, out);
            if (references.size() == 1) return;
            double best = chrf_score({out, columns}, options);
            scratch.statistics.resize(columns);
            for (const std::span<const Char> reference : references.subspan(1)) {
                reference_statistics(hypothesis, reference, options, scratch, scratch.statistics.data());
                const double score = chrf_score(scratch.statistics, options);
                if (score <= best) continue;
                best = score;
                std::copy(scratch.statistics.begin(), scratch.statistics.end(), out);
            }
        });
    });
    return statistics;
}

double chrf_score(std::span<const std::int64_t> statistics, const ChrfOptions& options) {
    constexpr double eps = 1e-16; // that of chrF++.py, with which Moses and NLTK agree
    const double factor = options.beta * options.beta;
    double sum_of_scores = 0, precisions = 0, recalls = 0;
    int effective_order = 0;
    for (std::size_t i = 0; i < statistics.size(); i += 3) {
        const auto of_hypothesis = static_cast<double>(statistics[i]),
                   of_reference = static_cast<double>(statistics[i + 1]),
                   matched = static_cast<double>(statistics[i + 2]);
        const double precision = of_hypothesis > 0 ? matched / of_hypothesis : eps;
        const double recall = of_reference > 0 ? matched / of_reference : eps;
        const double denominator = factor * precision + recall;
        sum_of_scores += denominator > 0 ? (1 + factor) * precision * recall / denominator : eps;
        if (of_hypothesis > 0 && of_reference > 0) {
            precisions += precision;
            recalls += recall;
            ++effective_order;
        }
    }
    if (options.eps_smoothing)
        return 100 * sum_of_scores / static_cast<double>(options.char_order + options.word_order);
    if (effective_order == 0) return 0;
    const double precision = precisions / effective_order, recall = recalls / effective_order;
    if (precision + recall == 0) return 0;
    return 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
}

} // namespace mlcore::metrics
