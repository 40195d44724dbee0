#include "check.hpp"

#include "core/random.hpp"
#include "metrics/translation/bleu.hpp"
#include "metrics/translation/chrf.hpp"
#include "metrics/translation/ngram_matcher.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

using Sequence = std::vector<Symbol>;

std::map<Sequence, std::int64_t> counts(const Sequence& symbols, std::size_t order) {
    std::map<Sequence, std::int64_t> all;
    for (std::size_t i = 0; i + order <= symbols.size(); ++i)
        ++all[Sequence(symbols.begin() + static_cast<std::ptrdiff_t>(i),
                       symbols.begin() + static_cast<std::ptrdiff_t>(i + order))];
    return all;
}

std::vector<std::int64_t> naive_matches(const Sequence& hypothesis, const std::vector<Sequence>& references,
                                        std::size_t max_order) {
    std::vector<std::int64_t> matches(max_order);
    for (std::size_t order = 1; order <= max_order; ++order) {
        std::map<Sequence, std::int64_t> most;
        for (const Sequence& reference : references)
            for (const auto& [n_gram, n] : counts(reference, order)) most[n_gram] = std::max(most[n_gram], n);
        for (const auto& [n_gram, n] : counts(hypothesis, order))
            matches[order - 1] += std::min(n, most.contains(n_gram) ? most[n_gram] : 0);
    }
    return matches;
}

std::vector<std::int64_t> matches(NgramMatcher& matcher, const Sequence& hypothesis,
                                  const std::vector<Sequence>& references, std::size_t n_symbols,
                                  std::size_t max_order) {
    const std::vector<std::span<const Symbol>> views(references.begin(), references.end());
    std::vector<std::int64_t> out(max_order, -1);
    matcher.match(hypothesis, views, n_symbols, out);
    return out;
}

struct Draws {
    Philox random{7, 0};
    std::uint64_t counter = 0;

    std::size_t below(std::size_t n) { return random.below(counter++, n); }
    Sequence sequence(std::size_t length, std::size_t n_symbols, bool unknown) {
        Sequence symbols(length);
        for (Symbol& symbol : symbols)
            symbol = static_cast<Symbol>(unknown ? below(n_symbols + 1) : below(n_symbols) + 1);
        return symbols;
    }
};

/// Texts of a few letters, a third of the references missing.
struct Corpus {
    explicit Corpus(std::size_t n_segments, std::size_t n_streams) {
        Draws draws;
        const auto text = [&] {
            std::string all;
            for (std::size_t n = draws.below(60); n > 0; --n) all += "aab .,5"[draws.below(7)];
            return all;
        };
        for (std::size_t i = 0; i < n_segments * (n_streams + 1); ++i) texts.push_back(text());
        streams.resize(n_streams);
        for (std::size_t i = 0, k = 0; i < n_segments; ++i) {
            hypotheses.push_back(document(texts[k++]));
            for (auto& stream : streams) {
                const bool missing = &stream != &streams.front() && draws.below(3) == 0;
                stream.push_back(missing ? text::Document{} : document(texts[k]));
                ++k;
            }
        }
    }
    static text::Document document(const std::string& text) { return {text.data(), text.size(), 1, true}; }
    Segments segments() const { return {hypotheses, streams, 60 * texts.size()}; }

    std::vector<std::string> texts;
    std::vector<text::Document> hypotheses;
    std::vector<std::vector<text::Document>> streams;
};

} // namespace

TEST(matches_are_those_of_the_twin) {
    Draws draws;
    NgramMatcher matcher; // one for all: nothing of a segment may be left for the next
    for (int repeat = 0; repeat < 2000; ++repeat) {
        const std::size_t n_symbols = 1 + draws.below(6), n_references = 1 + draws.below(3);
        std::vector<Sequence> references;
        for (std::size_t r = 0; r < n_references; ++r)
            references.push_back(draws.sequence(draws.below(20), n_symbols, false));
        const Sequence hypothesis = draws.sequence(draws.below(20), n_symbols, true);
        CHECK(matches(matcher, hypothesis, references, n_symbols, 6) == naive_matches(hypothesis, references, 6));
    }
}

TEST(long_texts_are_searched) {
    Draws draws;
    NgramMatcher matcher;
    const std::size_t n_symbols = 300; // times 3,000 positions: too many for a plain table
    const std::vector<Sequence> references{draws.sequence(3000, n_symbols, false),
                                           draws.sequence(10, n_symbols, false)};
    Sequence hypothesis = draws.sequence(2000, n_symbols, true);
    std::copy_n(references[0].begin() + 500, 700, hypothesis.begin() + 100);
    for (int repeat = 0; repeat < 2; ++repeat)
        CHECK(matches(matcher, hypothesis, references, n_symbols, 5) == naive_matches(hypothesis, references, 5));
}

TEST(nothing_matches_an_empty_text) {
    NgramMatcher matcher;
    const std::vector<std::int64_t> none(4);
    CHECK(matches(matcher, {}, {{1, 2}}, 2, 4) == none);
    CHECK(matches(matcher, {1, 2}, {{}}, 0, 4) == none);
    CHECK(matches(matcher, {0, 0}, {{1}, {}}, 1, 4) == none);
}

TEST(no_character_is_found_in_an_empty_table) {
    CharacterSymbols characters;
    characters.reset(0, false);
    CHECK_EQUAL(characters.find(U'中'), 0u);
    CHECK_EQUAL(characters.find(U'a'), 0u);
    characters.reset(1, false);
    CHECK_EQUAL(characters.insert(U'中'), 1u);
    CHECK_EQUAL(characters.find(U'中'), 1u);
    CHECK_EQUAL(characters.find(U'国'), 0u);
}

TEST(words_grow_beyond_the_first_table) {
    WordSymbols words;
    std::vector<std::string> all;
    for (int i = 0; i < 1000; ++i) all.push_back("a word of more than sixteen bytes, number " + std::to_string(i));
    for (int repeat = 0; repeat < 2; ++repeat) {
        for (std::size_t i = 0; i < all.size(); ++i)
            CHECK_EQUAL(words.insert(all[i], all[i].data() + all[i].size()), i + 1);
        for (std::size_t i = 0; i < all.size(); ++i)
            CHECK_EQUAL(words.find(all[i], all[i].data() + all[i].size()), i + 1);
        const std::string other = all[5] + "!";
        CHECK_EQUAL(words.find(other, other.data() + other.size()), 0u);
        words.clear();
        CHECK_EQUAL(words.find(all[0], all[0].data() + all[0].size()), 0u);
    }
}

TEST(statistics_do_not_depend_on_threads) {
    const Corpus corpus(3000, 3);
    const TokenClasses classes(Tokenization::v13a, nullptr);
    const ChrfOptions options{.word_order = 2};
    StandaloneRun one(1);
    const auto bleu = bleu_statistics(one.context, corpus.segments(), classes, 4);
    const auto chrf = chrf_statistics(one.context, corpus.segments(), options);
    for (const int n_threads : {2, 3, 8}) {
        StandaloneRun run(n_threads);
        CHECK(bleu_statistics(run.context, corpus.segments(), classes, 4) == bleu);
        CHECK(chrf_statistics(run.context, corpus.segments(), options) == chrf);
    }
}

TEST(scores_of_counts) {
    const std::vector<std::int64_t> counts{10, 12, 8, 5, 2, 0, 10, 9, 8, 7};
    const BleuScore none = bleu_score(counts, {.smoothing = Smoothing::none});
    CHECK_CLOSE(none.brevity_penalty, std::exp(1 - 1.2), 1e-15);
    CHECK_EQUAL(none.score, 0.0);
    CHECK_EQUAL(none.precisions[3], 0.0);
    CHECK_CLOSE(bleu_score(counts, {.smoothing = Smoothing::exp}).precisions[3], 100.0 / 14, 1e-12);
    CHECK_CLOSE(bleu_score(counts, {.smoothing = Smoothing::floor, .smooth_value = 0.1}).precisions[3], 10.0 / 7,
                1e-12);
    const BleuScore added = bleu_score(counts, {.smoothing = Smoothing::add_k, .smooth_value = 1});
    CHECK_CLOSE(added.precisions[0], 80.0, 1e-12);
    CHECK_CLOSE(added.precisions[3], 100.0 / 8, 1e-12);
    CHECK_CLOSE(added.score, std::exp(1 - 1.2) * 100 * std::pow(0.8 * 0.6 * (3.0 / 9) * (1.0 / 8), 0.25), 1e-12);

    const std::vector<std::int64_t> two_words{2, 2, 2, 1, 0, 0, 2, 1, 0, 0};
    CHECK_CLOSE(bleu_score(two_words, {.effective_order = true}).score, 100.0, 1e-12);
    CHECK_EQUAL(bleu_score(two_words, {.effective_order = false}).score, 0.0);
    CHECK_EQUAL(bleu_score(std::vector<std::int64_t>{0, 5, 0, 0, 0, 0}, {}).brevity_penalty, 0.0);
}
