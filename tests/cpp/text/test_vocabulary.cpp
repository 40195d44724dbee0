#include "check.hpp"

#include "text/twin.hpp"

#include "text/vocabulary.hpp"

#include <algorithm>

using namespace mlcore;
using namespace mlcore::text;

namespace {

WordTable table_of(const std::vector<std::pair<std::string, std::int64_t>>& words) {
    WordTable table;
    for (const auto& [word, count] : words) table.count(table.insert(word), count);
    return table;
}

std::string text_of(const Vocabulary& vocabulary) {
    std::string text;
    for (std::size_t i = 0; i < vocabulary.size(); ++i)
        text += std::string(vocabulary.word(static_cast<std::int32_t>(i))) + ":" +
                std::to_string(vocabulary.counts()[i]) + " ";
    return text;
}

} // namespace

TEST(words_are_sorted_by_count_and_then_by_bytes) {
    const WordTable corpus =
        table_of({{"b", 2}, {"z", 9}, {"a", 2}, {"\xC3\xA9", 2}, {"B", 2}, {"rare", 1}, {"ab", 2}});
    CHECK_EQUAL(text_of(Vocabulary::build(corpus, 1, 0)), "z:9 B:2 a:2 ab:2 b:2 \xC3\xA9:2 rare:1 ");
    CHECK_EQUAL(text_of(Vocabulary::build(corpus, 2, 0)), "z:9 B:2 a:2 ab:2 b:2 \xC3\xA9:2 ");
    CHECK_EQUAL(text_of(Vocabulary::build(corpus, 2, 3)), "z:9 B:2 a:2 ");
    CHECK_EQUAL(text_of(Vocabulary::build(corpus, 2, 100)), text_of(Vocabulary::build(corpus, 2, 0)));
    CHECK_EQUAL(Vocabulary::build(corpus, 10, 0).size(), std::size_t{0});
    CHECK_EQUAL(Vocabulary::build(WordTable(), 1, 0).size(), std::size_t{0});
}

TEST(the_order_of_the_corpus_does_not_matter) {
    twin::Random random(1);
    std::vector<std::pair<std::string, std::int64_t>> words;
    for (std::size_t i = 0; i < 3000; ++i)
        words.emplace_back(twin::Random::word(i), static_cast<std::int64_t>(1 + random.below(20)));
    const std::string expected = text_of(Vocabulary::build(table_of(words), 3, 2000));
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = words.size(); i > 1; --i) std::swap(words[i - 1], words[random.below(i)]);
        const Vocabulary vocabulary = Vocabulary::build(table_of(words), 3, 2000);
        CHECK_EQUAL(text_of(vocabulary), expected);
        for (std::size_t i = 0; i < vocabulary.size(); ++i)
            CHECK_EQUAL(vocabulary.id(vocabulary.word(static_cast<std::int32_t>(i))), static_cast<std::int32_t>(i));
    }
}

TEST(a_vocabulary_that_grows_keeps_its_ids) {
    const Vocabulary old = Vocabulary::build(table_of({{"a", 5}, {"b", 3}, {"c", 3}}), 3, 0);
    const WordTable corpus = table_of({{"new", 4}, {"c", 100}, {"few", 1}, {"more", 7}, {"a", 1}});
    CHECK_EQUAL(text_of(old.grow(corpus, 2, 0)), "a:6 b:3 c:103 more:7 new:4 ");
    CHECK_EQUAL(text_of(old.grow(corpus, 2, 4)), "a:6 b:3 c:103 more:7 ");
    CHECK_EQUAL(text_of(old.grow(corpus, 2, 3)), "a:6 b:3 c:103 ");
    CHECK_EQUAL(text_of(old.grow(corpus, 2, 1)), "a:6 b:3 c:103 "); // none is taken away
    CHECK_EQUAL(text_of(old.grow(WordTable(), 1, 0)), text_of(old));
    CHECK_EQUAL(old.grow(corpus, 2, 0).id("more"), 3);
    CHECK_EQUAL(old.grow(corpus, 2, 0).id("few"), -1);
}
