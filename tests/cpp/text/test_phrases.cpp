#include "check.hpp"

#include "text/twin.hpp"

#include "text/phrase_counter.hpp"
#include "text/phrase_finder.hpp"
#include "text/text_corpus.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <set>

using namespace mlcore;
using namespace mlcore::text;

namespace {

using Words = std::vector<std::string>;

/// Every candidate of the texts, with its count.
std::map<Words, std::int64_t> count_naively(const std::vector<twin::Text>& texts,
                                            const std::set<std::string>& connectors) {
    std::map<Words, std::int64_t> counts;
    for (const twin::Text& text : texts)
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (connectors.contains(text[i])) continue;
            std::size_t end = i + 1;
            while (end < text.size() && connectors.contains(text[end])) ++end;
            if (end < text.size())
                ++counts[Words(text.begin() + static_cast<std::ptrdiff_t>(i),
                               text.begin() + static_cast<std::ptrdiff_t>(end) + 1)];
        }
    return counts;
}

/// A text is divided at every word; what the finder should make of it.
Words join_naively(const twin::Text& text, const std::set<std::string>& connectors, const std::set<Words>& phrases) {
    Words result;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        while (end < text.size() && connectors.contains(text[end])) ++end;
        const auto at = [&](std::size_t k) { return text.begin() + static_cast<std::ptrdiff_t>(k); };
        if (!connectors.contains(text[i]) && end < text.size() && phrases.contains(Words(at(i), at(end + 1)))) {
            std::string joined = text[i];
            for (std::size_t k = i + 1; k <= end; ++k) joined += "_" + text[k];
            result.push_back(joined);
            i = end + 1;
        } else {
            result.push_back(text[i++]);
        }
    }
    return result;
}

struct Counted {
    std::map<Words, std::int64_t> counts;
    std::int64_t n_distinct;
};

Counted count(const std::string& content, const std::set<std::string>& connectors, std::int64_t min_count,
              std::size_t max_distinct, int n_threads) {
    TextCorpus corpus({{content, "file"}});
    StandaloneRun run(n_threads);
    const auto vocabulary = std::make_shared<Vocabulary>(Vocabulary::build(corpus.count(run.context), 1, 0));
    corpus.set_vocabulary(vocabulary);
    std::vector<std::uint8_t> is_connector(vocabulary->size());
    for (std::size_t i = 0; i < is_connector.size(); ++i)
        is_connector[i] = connectors.contains(std::string(vocabulary->word(static_cast<std::int32_t>(i))));
    const PhraseCounts found = count_phrases(run.context, corpus, is_connector, min_count, max_distinct);
    Counted result{{}, found.n_distinct};
    for (std::size_t i = 0; i < found.counts.size(); ++i) {
        Words words;
        for (auto k = static_cast<std::size_t>(found.starts[i]); k < static_cast<std::size_t>(found.starts[i + 1]); ++k)
            words.emplace_back(vocabulary->word(found.ids[k]));
        CHECK(result.counts.emplace(words, found.counts[i]).second); // none comes twice
    }
    return result;
}

void compare_with_twin(const std::string& content, const std::set<std::string>& connectors) {
    const auto expected = count_naively(twin::split(content), connectors);
    for (const std::int64_t min_count : {1, 3}) {
        auto frequent = expected;
        std::erase_if(frequent, [&](const auto& entry) { return entry.second < min_count; });
        for (const std::size_t max_distinct : {std::size_t{1} << 40, expected.size() / 3 + 1, std::size_t{1}})
            for (const int n_threads : {1, 2, 7}) {
                if (max_distinct == 1 && (n_threads == 2 || content.size() > 30'000)) continue; // a pass a shard
                const Counted got = count(content, connectors, min_count, max_distinct, n_threads);
                CHECK_EQUAL(got.n_distinct, static_cast<std::int64_t>(expected.size()));
                CHECK(got.counts == frequent);
            }
    }
}

} // namespace

TEST(counts_are_those_of_a_map) {
    twin::Random random(1);
    compare_with_twin("", {});
    compare_with_twin("a", {});
    compare_with_twin("a b\na b a b\n\nb", {});
    compare_with_twin("a of b of the c\nof a b of\nof of\na\nof b", {"of", "the"});
    for (const double newlines : {0.0, 0.2}) {
        compare_with_twin(random.text(20'000, 50, newlines), {});
        compare_with_twin(random.text(20'000, 50, newlines), {twin::Random::word(3), twin::Random::word(7)});
    }
}

TEST(candidates_across_pieces_are_counted) {
    twin::Random random(2);
    const std::set<std::string> connectors{twin::Random::word(1), twin::Random::word(2)};
    for (const double newlines : {0.0, 1e-4, 0.3}) {
        compare_with_twin(random.text(3 * TextCorpus::piece_bytes, 300, newlines), {});
        compare_with_twin(random.text(3 * TextCorpus::piece_bytes, 300, newlines), connectors);
    }
    // Pieces of connectors alone, of nothing, of a piece of a word, between the two words of one candidate.
    const std::size_t long_way = 3 * TextCorpus::piece_bytes;
    std::string of;
    while (of.size() < long_way) of += "of ";
    for (const std::string& between : {of, std::string(long_way, ' '), std::string(long_way, '\n'),
                                       " " + std::string(long_way, 'x') + " ", of + "\n" + of})
        for (const char* before : {"a ", "", "of ", "a\n"})
            for (const char* after : {"b", "", " of", "\nb"}) compare_with_twin(before + between + after, {"of"});
}

TEST(texts_are_joined_as_by_the_twin) {
    twin::Random random(3);
    for (int round = 0; round < 200; ++round) {
        const std::size_t n_words = 3 + random.below(10);
        std::set<std::string> connectors;
        for (std::size_t i = 0; i < n_words; ++i)
            if (random.chance(0.25)) connectors.insert(twin::Random::word(i));
        const auto texts = twin::split(random.text(400, n_words));
        std::set<Words> phrases;
        for (const auto& [words, n] : count_naively(texts, connectors))
            if (random.chance(0.3)) phrases.insert(words);

        WordTable table;
        std::vector<std::uint8_t> is_connector;
        const auto id_of = [&](const std::string& word) {
            if (const std::int32_t id = table.find(word); id >= 0) return id;
            is_connector.push_back(connectors.contains(word));
            return table.insert(word);
        };
        std::vector<std::int32_t> ids;
        std::vector<std::int64_t> starts{0};
        for (const Words& phrase : phrases) {
            for (const std::string& word : phrase) ids.push_back(id_of(word));
            starts.push_back(static_cast<std::int64_t>(ids.size()));
        }
        for (const std::string& word : connectors) id_of(word);
        const std::vector<Words> list(phrases.begin(), phrases.end());
        const PhraseFinder finder(std::move(table), is_connector, ids, starts);
        CHECK_EQUAL(finder.n_phrases(), list.size());

        std::vector<PhraseFinder::Part> parts{{9, 9}};
        for (const twin::Text& text : texts) {
            std::vector<std::int32_t> numbers;
            for (const std::string& word : text) numbers.push_back(finder.words().find(word));
            finder.split(numbers, parts);
            Words got;
            std::size_t begin = 0;
            for (const PhraseFinder::Part& part : parts) {
                std::string joined = text[begin];
                for (std::size_t k = begin + 1; k < part.end; ++k) joined += "_" + text[k];
                if (part.phrase >= 0) {
                    const Words& phrase = list[static_cast<std::size_t>(part.phrase)];
                    CHECK(std::equal(phrase.begin(), phrase.end(), text.begin() + static_cast<std::ptrdiff_t>(begin)));
                    CHECK_EQUAL(phrase.size(), part.end - begin);
                } else {
                    CHECK_EQUAL(part.end - begin, std::size_t{1});
                }
                got.push_back(joined);
                begin = part.end;
            }
            CHECK_EQUAL(begin, text.size());
            CHECK(got == join_naively(text, connectors, phrases));
        }
    }
}

TEST(phrases_that_make_no_sense_are_refused) {
    const auto make = [](std::vector<std::int32_t> ids, std::vector<std::int64_t> starts, std::size_t n_flags = 2) {
        WordTable words;
        words.insert("a");
        words.insert("b");
        const std::vector<std::uint8_t> is_connector(n_flags);
        return PhraseFinder(std::move(words), is_connector, ids, starts).n_phrases();
    };
    CHECK_EQUAL(make({0, 1}, {0, 2}), std::size_t{1});
    CHECK_EQUAL(make({}, {0}), std::size_t{0});
    CHECK_EQUAL(make({}, {}), std::size_t{0});
    CHECK_THROWS(ValueError, make({0, 2}, {0, 2}));
    CHECK_THROWS(ValueError, make({0, -1}, {0, 2}));
    CHECK_THROWS(ValueError, make({0, 1}, {0, 1}));
    CHECK_THROWS(ValueError, make({0, 1}, {0, 3}));
    CHECK_THROWS(ValueError, make({0, 1}, {-1, 2}));
    CHECK_THROWS(ValueError, make({0, 1}, {0, 2}, 1));
}
