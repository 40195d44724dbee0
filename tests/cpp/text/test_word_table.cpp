#include "check.hpp"

#include "text/twin.hpp"

#include "text/word_table.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <unordered_map>

using namespace mlcore;
using namespace mlcore::text;

namespace {

std::int32_t add(WordTable& table, std::string_view word) { return table.add(word_key(word), word, "test", 0); }

} // namespace

TEST(numbers_and_counts_are_those_of_a_map) {
    twin::Random random(1);
    for (const std::size_t n_words : {1, 3, 400, 600, 30'000}) {
        WordTable table;
        std::unordered_map<std::string, std::int32_t> ids;
        std::vector<std::int64_t> counts;
        for (int i = 0; i < 100'000; ++i) {
            const std::string word = twin::Random::word(random.below(n_words));
            const auto [place, is_new] = ids.emplace(word, static_cast<std::int32_t>(ids.size()));
            if (is_new) counts.push_back(0);
            ++counts[static_cast<std::size_t>(place->second)];
            if (add(table, word) != place->second) return check::fail(word.c_str(), i, "wrong id");
        }
        CHECK_EQUAL(table.size(), ids.size());
        CHECK(std::equal(counts.begin(), counts.end(), table.counts().begin(), table.counts().end()));
        for (const auto& [word, id] : ids) {
            CHECK_EQUAL(table.find(word), id);
            CHECK_EQUAL(table.word(id), word);
            CHECK_EQUAL(table.find(word + "!"), -1);
        }
    }
}

TEST(words_that_are_nearly_the_same_are_told_apart) {
    WordTable table;
    std::vector<std::string> words{""};
    // All lengths around those at which the key changes its form, zero bytes and a difference in any one place.
    for (const std::size_t length : {1, 2, 7, 8, 9, 10, 15, 16, 17, 18, 24, 31, 32, 33, 48, 49, 100})
        for (const char fill : {'a', '\0'}) {
            words.emplace_back(length, fill);
            for (std::size_t i = 0; i < length; ++i) {
                words.emplace_back(length, fill);
                words.back()[i] = 'b';
            }
        }
    // (With one letter, 'b' comes twice.)
    words.erase(std::find(words.begin(), words.end(), "b"));
    for (std::size_t i = 0; i < words.size(); ++i) {
        CHECK_EQUAL(table.find(words[i]), -1);
        CHECK_EQUAL(table.insert(words[i]), static_cast<std::int32_t>(i));
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
        CHECK_EQUAL(table.find(words[i]), static_cast<std::int32_t>(i));
        CHECK_EQUAL(table.word(static_cast<std::int32_t>(i)), words[i]);
    }
}

TEST(a_key_does_not_depend_on_what_follows_the_word) {
    for (std::size_t length = 0; length <= 40; ++length) {
        const std::string word(length, 'x');
        const std::string padded = word + "0123456789";
        const WordKey alone = word_key(word), before = word_key({padded.data(), length}, padded.data() + padded.size());
        CHECK_EQUAL(alone.head, before.head);
        CHECK_EQUAL(alone.tail, before.tail);
        CHECK_EQUAL(alone.length, before.length);
        std::vector<char> exact(word.begin(), word.end()); // the sanitizer sees a read beyond it
        CHECK_EQUAL(word_key({exact.data(), length}).head, alone.head);
    }
}

TEST(batches_hand_out_every_word_with_its_key) {
    const WordTable table;
    for (const std::size_t n : {0, 1, 31, 32, 33, 64, 100}) {
        std::vector<std::string> words;
        for (std::size_t i = 0; i < n; ++i) words.push_back(twin::Random::word(i));
        std::size_t next = 0;
        for (const std::string& word : words) { // one at a time: the words lie in memory of their own
            const std::vector<std::string_view> one{word};
            table.for_each_key(one, word.data() + word.size(), [&](std::string_view got, const WordKey& key) {
                CHECK_EQUAL(got, words[next++]);
                CHECK_EQUAL(key.head, word_key(got).head);
            });
        }
        std::string pool;
        for (const std::string& word : words) pool += word;
        std::vector<std::string_view> views;
        for (std::size_t i = 0, at = 0; i < n; at += words[i++].size())
            views.emplace_back(pool.data() + at, words[i].size());
        next = 0;
        table.for_each_key(views, pool.data() + pool.size(), [&](std::string_view got, const WordKey& key) {
            CHECK_EQUAL(got, words[next++]);
            CHECK_EQUAL(key.tail, word_key(got).tail);
        });
        CHECK_EQUAL(next, n);
    }
}

TEST(a_faulty_word_is_refused_and_leaves_no_trace) {
    WordTable table;
    add(table, "good");
    CHECK_THROWS(ValueError, add(table, "\xFF"));
    CHECK_THROWS(ValueError, add(table, std::string_view("a\0", 2)));
    CHECK_EQUAL(table.size(), std::size_t{1});
    CHECK_EQUAL(add(table, "better"), 1);
}

TEST(a_long_word) {
    WordTable table;
    std::string word(10 << 20, 'x');
    CHECK_EQUAL(add(table, word), 0);
    word.back() = 'y';
    CHECK_EQUAL(add(table, word), 1);
    CHECK_EQUAL(table.find(word), 1);
}

TEST(reserved_tables_hold_the_same) {
    for (const std::size_t n : {0, 1, 511, 512, 513, 5000}) {
        WordTable table;
        table.reserve(n);
        for (std::size_t i = 0; i < 5000; ++i) CHECK_EQUAL(add(table, std::to_string(i)), static_cast<std::int32_t>(i));
        for (std::size_t i = 0; i < 5000; ++i) CHECK_EQUAL(table.find(std::to_string(i)), static_cast<std::int32_t>(i));
    }
}
