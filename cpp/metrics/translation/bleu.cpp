#include "metrics/translation/bleu.hpp"
#include "metrics/translation/ngram_matcher.hpp"
#include "metrics/translation/symbol_tables.hpp"
#include "metrics/translation/tokens.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_character = 6;

struct BleuScratch {
    explicit BleuScratch(const Segments& segments) : texts(segments) {}

    SegmentTexts texts;
    // By text of the segment: what had to be changed of it. Words stay there until the segment is done.
    std::vector<std::vector<std::uint8_t>> narrow;
    std::vector<std::vector<char32_t>> wide;

    WordSymbols words;
    std::vector<Symbol> symbols; // of all texts, the hypothesis last
    std::vector<std::size_t> ends;
    std::vector<std::span<const Symbol>> references;
    NgramMatcher matcher;
};

/// symbol(word, readable) for each token of a text.
template <class Char, class F>
void add_symbols(const TokenClasses& classes, std::span<const Char> text, std::vector<Char>& changed,
                 std::vector<Symbol>& symbols, F&& symbol) {
    text = prepared(classes, text, changed);
    const auto bytes = reinterpret_cast<const char*>(text.data());
    const char* const readable = bytes + text.size_bytes();
    for_each_token(classes, text, [&](std::size_t begin, std::size_t end) {
        symbols.push_back(symbol({bytes + begin * sizeof(Char), (end - begin) * sizeof(Char)}, readable));
    });
}

/// Of the reference lengths the one nearest to that of the hypothesis, the shorter of two.
std::size_t closest_length(std::size_t length, std::span<const std::span<const Symbol>> references) {
    const auto distance = [&](std::size_t n) { return n > length ? n - length : length - n; };
    std::size_t closest = references.front().size();
    for (const std::span<const Symbol> reference : references)
        closest = std::min(closest, reference.size(), [&](std::size_t a, std::size_t b) {
            return std::pair(distance(a), a) < std::pair(distance(b), b);
        });
    return closest;
}

template <class Char>
void segment_statistics(const TokenClasses& classes, std::span<const Char> hypothesis,
                        std::span<const std::span<const Char>> references, std::vector<std::vector<Char>>& changed,
                        BleuScratch& scratch, std::span<std::int64_t> out) {
    if (changed.size() < references.size() + 1) changed.resize(references.size() + 1);
    WordSymbols& words = scratch.words;
    scratch.symbols.clear();
    scratch.ends.clear();
    for (std::size_t r = 0; r < references.size(); ++r) {
        add_symbols(classes, references[r], changed[r], scratch.symbols,
                    [&](std::string_view word, const char* readable) { return words.insert(word, readable); });
        scratch.ends.push_back(scratch.symbols.size());
    }
    add_symbols(classes, hypothesis, changed[references.size()], scratch.symbols,
                [&](std::string_view word, const char* readable) { return words.find(word, readable); });

    const std::span<const Symbol> all(scratch.symbols);
    scratch.references.clear();
    std::size_t begin = 0;
    for (const std::size_t end : scratch.ends) {
        scratch.references.push_back(all.subspan(begin, end - begin));
        begin = end;
    }
    const std::span<const Symbol> own = all.subspan(begin);

    const std::size_t max_order = (out.size() - 2) / 2;
    out[0] = static_cast<std::int64_t>(own.size());
    out[1] = static_cast<std::int64_t>(closest_length(own.size(), scratch.references));
    scratch.matcher.match(own, scratch.references, words.size(), out.subspan(2, max_order));
    for (std::size_t n = 1; n <= max_order; ++n)
        out[1 + max_order + n] = own.size() < n ? 0 : static_cast<std::int64_t>(own.size() - n + 1);
    words.clear();
}

} // namespace

std::vector<std::int64_t> bleu_statistics(const RunContext& ctx, const Segments& segments, const TokenClasses& classes,
                                          std::size_t max_order) {
    const std::size_t columns = bleu_columns(max_order);
    std::vector<std::int64_t> statistics(segments.size() * columns);
    for_each_segment<BleuScratch>(ctx, segments, ns_per_character, [&](std::size_t segment, BleuScratch& scratch) {
        const auto out = std::span(statistics).subspan(segment * columns, columns);
        scratch.texts.visit(segment, [&]<class Char>(std::span<const Char> hypothesis,
                                                     std::span<const std::span<const Char>> references) {
            if constexpr (sizeof(Char) == 1)
                segment_statistics(classes, hypothesis, references, scratch.narrow, scratch, out);
            else
                segment_statistics(classes, hypothesis, references, scratch.wide, scratch, out);
        });
    });
    return statistics;
}

BleuScore bleu_score(std::span<const std::int64_t> statistics, const BleuOptions& options) {
    const std::size_t max_order = (statistics.size() - 2) / 2;
    const auto length = static_cast<double>(statistics[0]), reference_length = static_cast<double>(statistics[1]);
    const std::span<const std::int64_t> matches = statistics.subspan(2, max_order),
                                        n_grams = statistics.subspan(2 + max_order);
    BleuScore result{.brevity_penalty = 1, .precisions = std::vector<double>(max_order)};
    if (length < reference_length) result.brevity_penalty = length > 0 ? std::exp(1 - reference_length / length) : 0;
    if (std::all_of(matches.begin(), matches.end(), [](std::int64_t n) { return n == 0; })) return result;

    double halved = 1; // exp: 2 to the number of orders so far without a match
    std::size_t effective_order = max_order;
    for (std::size_t n = 1; n <= max_order; ++n) {
        const double added = options.smoothing == Smoothing::add_k && n > 1 ? options.smooth_value : 0;
        const double matched = static_cast<double>(matches[n - 1]) + added;
        const double total = static_cast<double>(n_grams[n - 1]) + added;
        if (total == 0) break;
        if (options.effective_order) effective_order = n;
        double& precision = result.precisions[n - 1];
        if (matched != 0)
            precision = 100 * matched / total;
        else if (options.smoothing == Smoothing::exp)
            precision = 100 / ((halved *= 2) * total);
        else if (options.smoothing == Smoothing::floor)
            precision = 100 * options.smooth_value / total;
    }
    double sum = 0; // of logarithms; that of 0 is a large negative number, so that the score becomes 0
    for (std::size_t n = 0; n < effective_order; ++n)
        sum += result.precisions[n] == 0 ? -9999999999.0 : std::log(result.precisions[n]);
    // Of a perfect text exp(log 100) is rounded to a little more than 100.
    result.score = std::min(100.0, result.brevity_penalty * std::exp(sum / static_cast<double>(effective_order)));
    return result;
}

} // namespace mlcore::metrics
