#include "check.hpp"

#include "text/characters_twin.hpp"

#include "text/hashing/hashed_rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

using namespace mlcore;
using namespace mlcore::text;

namespace {

/// The published algorithm, byte by byte.
std::uint32_t murmur3_twin(const std::string& key) {
    const auto rotl = [](std::uint32_t x, int r) { return x << r | x >> (32 - r); };
    const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
    std::uint32_t h = 0, k = 0;
    const std::size_t n_blocks = key.size() / 4;
    for (std::size_t i = 0; i < key.size(); ++i) {
        k |= static_cast<std::uint32_t>(bytes[i]) << 8 * (i % 4);
        const bool full = i % 4 == 3, last = i + 1 == key.size();
        if (!full && !last) continue;
        h ^= rotl(k * 0xcc9e2d51, 15) * 0x1b873593;
        if (i / 4 < n_blocks) h = rotl(h, 13) * 5 + 0xe6546b64;
        k = 0;
    }
    h ^= static_cast<std::uint32_t>(key.size());
    h = (h ^ h >> 16) * 0x85ebca6b;
    h = (h ^ h >> 13) * 0xc2b2ae35;
    return h ^ h >> 16;
}

/// n-grams of parts, joined.
std::vector<std::string> ngrams(const std::vector<std::string>& parts, std::size_t min_n, std::size_t max_n,
                                const std::string& blank) {
    std::vector<std::string> all;
    for (std::size_t n = min_n; n <= std::min(max_n, parts.size()); ++n)
        for (std::size_t i = 0; i + n <= parts.size(); ++i) {
            std::string term = parts[i];
            for (std::size_t k = 1; k < n; ++k) term += blank + parts[i + k];
            all.push_back(term);
        }
    return all;
}

std::vector<std::string> terms_of(std::u32string_view text, const Analysis& analysis) {
    const std::u32string lower = twin::prepared(text, true, Accents::keep);
    if (analysis.level == Level::character) return ngrams(twin::characters(lower), analysis.min_n, analysis.max_n, "");
    std::vector<std::string> words = twin::words(lower, analysis.analyzer.options().rule), all;
    if (analysis.level == Level::word) {
        std::erase_if(words, [&](const std::string& word) {
            return std::count(analysis.stop_words.begin(), analysis.stop_words.end(), word) > 0;
        });
        return ngrams(words, analysis.min_n, analysis.max_n, " ");
    }
    for (const std::string& word : words) {
        std::vector<std::string> padded{" "};
        for (std::size_t i = 0; i < word.size(); i += utf8_length(word[i]))
            padded.push_back(word.substr(i, utf8_length(word[i])));
        padded.push_back(" ");
        for (std::size_t n = analysis.min_n; n <= analysis.max_n; ++n) {
            const bool whole = n >= padded.size();
            const auto grams = ngrams(padded, std::min(n, padded.size()), std::min(n, padded.size()), "");
            all.insert(all.end(), grams.begin(), grams.end());
            if (whole) break;
        }
    }
    return all;
}

std::vector<std::u32string> some_texts() {
    std::vector<std::u32string> texts{U"", U"   ", U"a", U"the word and the Word",
                                      U"\xe9t\xe9 \u0130\u0130 中丁 \U00010400x"};
    std::u32string text;
    std::uint32_t state = 1;
    for (int i = 0; i < 6000; ++i) {
        state = state * 1664525 + 1013904223;
        text += U"abcdefgh  .\n\xe9\u0130ij"[state >> 24 & 15];
        if (i % 1999 == 0) texts.push_back(text);
    }
    texts.push_back(text);
    return texts;
}

} // namespace

TEST(murmur3_is_as_published) {
    std::string key;
    for (int n = 0; n < 70; ++n, key += static_cast<char>(7 * n + 200)) {
        std::vector<char> exact(key.begin(), key.end());
        exact.resize(key.size() + 4, 'x');
        exact.shrink_to_fit();
        CHECK_EQUAL(murmur3({exact.data(), key.size()}), murmur3_twin(key));
    }
    CHECK_EQUAL(murmur3(std::string_view("MHCraa....", 6)), 0x80000000U); // without an absolute value
}

TEST(columns_are_remainders) {
    for (const std::uint32_t n : {1U, 2U, 3U, 1000U, 1U << 20, 0x7FFFFFFEU, 0x7FFFFFFFU})
        for (const bool alternate : {false, true})
            for (int i = 0; i < 3000; ++i) {
                const std::string term = i == 0 ? "MHCraa" : std::to_string(i);
                const auto h = static_cast<std::int32_t>(murmur3_twin(term));
                const auto column = static_cast<std::uint32_t>(std::llabs(std::int64_t{h}) % n);
                CHECK_EQUAL(TermHash(n, alternate)(term), column << 1 | (alternate && h < 0));
            }
}

TEST(rows_are_those_of_the_twin) {
    const std::vector<std::u32string> texts = some_texts();
    std::vector<twin::Text> own;
    std::vector<Document> documents;
    for (int copy = 0; copy < 12; ++copy) // several chunks
        for (const std::u32string& text : texts) own.emplace_back(text, 4);
    for (const twin::Text& text : own) documents.push_back(text.document());
    const struct {
        Level level;
        std::size_t min_n, max_n;
        TokenRule rule;
    } cases[] = {{Level::word, 1, 1, TokenRule::words(2)},
                 {Level::word, 1, 3, TokenRule::words(1)},
                 {Level::word, 2, 2, TokenRule::words(2)},
                 {Level::character, 1, 1, TokenRule::space()},
                 {Level::character, 2, 5, TokenRule::space()},
                 {Level::character_word, 1, 3, TokenRule::not_space()},
                 {Level::character_word, 4, 9, TokenRule::not_space()}};
    for (const auto& c : cases) {
        const Analysis analysis(twin::table(), {.rule = c.rule}, c.level, c.min_n, c.max_n, {"the", "ab", "\xc3\xa9"});
        for (const std::uint32_t n_features : {5U, 1U << 18}) {
            const HashingOptions options{TermHash(n_features, true), false};
            StandaloneRun run(3);
            const HashedRows<double> rows = hashed_rows<double>(run.context, documents, analysis, options);
            const auto& indptr = std::get<Buffer<std::int32_t>>(rows.indptr);
            const auto& indices = std::get<Buffer<std::int32_t>>(rows.indices);
            CHECK_EQUAL(indptr.size(), documents.size() + 1);
            for (std::size_t d = 0; d < documents.size(); ++d) {
                std::map<std::int32_t, double> expected, got;
                for (const std::string& term : terms_of(texts[d % texts.size()], analysis)) {
                    const auto h = static_cast<std::int32_t>(murmur3_twin(term));
                    expected[static_cast<std::int32_t>(std::llabs(std::int64_t{h}) % n_features)] += h < 0 ? -1 : 1;
                }
                for (auto i = static_cast<std::size_t>(indptr[d]); i < static_cast<std::size_t>(indptr[d + 1]); ++i) {
                    CHECK(got.empty() || got.rbegin()->first < indices[i]);
                    got[indices[i]] = rows.data[i];
                }
                CHECK(got == expected);
            }
        }
    }
}
