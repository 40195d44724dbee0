#include "check.hpp"

#include "core/context.hpp"
#include "core/error.hpp"
#include "embedding/subwords.hpp"

#include <cstring>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

/// FNV-1a as fastText has it, over a whole n-gram.
std::uint32_t hash_of(const std::string& ngram) {
    std::uint32_t hash = 2166136261U;
    for (const char c : ngram) {
        hash ^= static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<signed char>(c)));
        hash *= 16777619U;
    }
    return hash;
}

std::vector<std::int64_t> rows_of(const std::vector<std::string>& ngrams, std::size_t n_buckets) {
    std::vector<std::int64_t> rows;
    for (const std::string& ngram : ngrams) rows.push_back(static_cast<std::int64_t>(hash_of(ngram) % n_buckets));
    return rows;
}

std::vector<std::int64_t> rows_of(std::string_view word, const Ngrams& ngrams) {
    std::vector<std::int64_t> rows;
    append_ngrams(word, ngrams, rows);
    return rows;
}

struct Words {
    explicit Words(const std::vector<std::string>& words) : offsets{0} {
        for (const std::string& word : words) {
            utf8.insert(utf8.end(), word.begin(), word.end());
            offsets.push_back(static_cast<std::int64_t>(utf8.size()));
        }
    }
    PackedWords packed() const { return {utf8, offsets}; }
    std::vector<std::uint8_t> utf8;
    std::vector<std::int64_t> offsets;
};

std::vector<std::uint8_t> bytes_of(const std::vector<float>& values) {
    std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

} // namespace

TEST(ngrams_of_a_word) {
    const Ngrams three_to_four{3, 4, 1000};
    CHECK(rows_of("ab", three_to_four) == rows_of({"<ab", "<ab>", "ab>"}, 1000));
    CHECK(rows_of("", three_to_four).empty());
    CHECK(rows_of("</s>", three_to_four).empty());
    CHECK(rows_of("ab", {3, 0, 1000}).empty());
    CHECK(rows_of("ab", {3, 6, 0}).empty());
    // the brackets alone are none; characters are those of UTF-8
    CHECK(rows_of("b\xc3\xa4", {1, 2, 77}) == rows_of({"<b", "b", "b\xc3\xa4", "\xc3\xa4", "\xc3\xa4>"}, 77));
    CHECK(rows_of("a", {1, 1, 77}) == rows_of({"a"}, 77));
    CHECK_THROWS(ValueError, check_ngrams({0, 3, 5}));
    CHECK_THROWS(ValueError, check_ngrams({4, 3, 5}));
}

TEST(means_of_rows) {
    const StandaloneRun run(2);
    const std::size_t n_buckets = 50, cols = 3;
    std::vector<float> buckets(n_buckets * cols), own{1, 2, 3, -1, -2, -3};
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] = static_cast<float>(i % 17) - 5;
    const Ngrams ngrams{2, 3, n_buckets};
    const Words words({"tree", "</s>"});
    std::vector<std::uint8_t> shifted = bytes_of(buckets); // anywhere in memory
    shifted.insert(shifted.begin(), 0);
    const PackedRows table{std::span(shifted).subspan(1), cols};
    const std::vector<std::uint8_t> own_bytes = bytes_of(own);
    std::vector<float> out(2 * cols);
    CHECK_EQUAL(subword_means(run.context, words.packed(), ngrams, {own_bytes, cols}, table, out.data()), 2u);
    const auto rows = rows_of("tree", ngrams);
    for (std::size_t c = 0; c < cols; ++c) {
        double sum = own[c];
        for (const std::int64_t row : rows) sum += buckets[static_cast<std::size_t>(row) * cols + c];
        CHECK_EQUAL(out[c], static_cast<float>(sum / static_cast<double>(rows.size() + 1)));
        CHECK_EQUAL(out[cols + c], own[cols + c]);
    }
    CHECK_EQUAL(subword_means(run.context, words.packed(), ngrams, {{}, cols}, table, out.data()), 2u);
    CHECK_EQUAL(out[cols], 0.0F); // no rows at all

    CHECK_THROWS(ValueError,
                 subword_means(run.context, words.packed(), {2, 3, n_buckets + 1}, {{}, cols}, table, out.data()));
    CHECK_THROWS(ValueError, subword_means(run.context, words.packed(), ngrams, {std::span(own_bytes).first(12), cols},
                                           table, out.data()));
    std::vector<std::uint8_t> bad = bytes_of({1, 2, 3, 1e30F, 0, 0});
    CHECK_EQUAL(subword_means(run.context, words.packed(), {2, 3, 0}, {bad, cols}, table, out.data()), 1u);
}

TEST(entries_of_a_dictionary) {
    const auto entry = [](std::string word, std::int64_t count, char kind) {
        word += '\0';
        word.append(reinterpret_cast<const char*>(&count), sizeof count);
        return word + kind;
    };
    const std::string good = entry("the", 7, 0) + entry("</s>", 3, 0) + entry("__label__x", 2, 1);
    const FasttextEntries entries = parse_fasttext_entries(good + "rest", 3);
    CHECK_EQUAL(entries.begins.size(), 2u);
    CHECK_EQUAL(entries.counts[1], 3);
    CHECK_EQUAL(good.substr(static_cast<std::size_t>(entries.begins[1]), 4), "</s>");
    CHECK_EQUAL(entries.n_bytes, good.size());
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK_THROWS(ValueError, parse_fasttext_entries(std::span(good).first(size), 3));
    CHECK_THROWS(ValueError, parse_fasttext_entries(entry("a", -1, 0), 1));
    CHECK_THROWS(ValueError, parse_fasttext_entries(entry("a", 1, 2), 1));
    CHECK_THROWS(ValueError, parse_fasttext_entries(entry("a", 1, 1) + entry("b", 1, 0), 2));
    CHECK_THROWS(ValueError, parse_fasttext_entries(good, std::size_t{1} << 60));
}
