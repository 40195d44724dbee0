#include "embedding/subwords.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "linalg/nearest.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>

namespace mlcore::embedding {
namespace {

constexpr std::string_view line_end = "</s>";

/// Continues the FNV-1a hash of 32 bits. fastText reads bytes as signed, which sets the upper bits of those beyond
/// ASCII.
std::uint32_t hash_on(std::uint32_t hash, char c) {
    return (hash ^ static_cast<std::uint32_t>(static_cast<std::int8_t>(c))) * 16777619U;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::string number(std::size_t n) { return std::to_string(n); }

} // namespace

void check_ngrams(const Ngrams& ngrams) {
    if (ngrams.max_n != 0 && (ngrams.min_n < 1 || ngrams.max_n < ngrams.min_n))
        throw ValueError("n-grams must have 1 <= min_n <= max_n, or max_n 0, got min_n " +
                         std::to_string(ngrams.min_n) + " and max_n " + std::to_string(ngrams.max_n));
}

void append_ngrams(std::string_view word, const Ngrams& ngrams, std::vector<std::int64_t>& rows) {
    if (ngrams.max_n == 0 || ngrams.n_buckets == 0 || word == line_end) return;
    std::string text;
    text.reserve(word.size() + 2);
    text += '<';
    text += word;
    text += '>';
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
        if (!begins_character(text[begin])) continue;
        std::uint32_t hash = 2166136261U;
        std::size_t end = begin;
        for (int n = 1; n <= ngrams.max_n && end < text.size(); ++n) {
            do hash = hash_on(hash, text[end++]);
            while (end < text.size() && !begins_character(text[end]));
            const bool is_bracket = n == 1 && (begin == 0 || end == text.size());
            if (n >= ngrams.min_n && !is_bracket) rows.push_back(static_cast<std::int64_t>(hash % ngrams.n_buckets));
        }
    }
}

std::size_t subword_means(const RunContext& ctx, const PackedWords& words, const Ngrams& ngrams, const PackedRows& own,
                          const PackedRows& buckets, float* out) {
    check_ngrams(ngrams);
    const std::size_t cols = buckets.cols, width = cols * sizeof(float);
    const std::size_t n_words = words.offsets.empty() ? 0 : words.offsets.size() - 1;
    if (words.offsets.empty() || words.offsets.front() != 0 ||
        words.offsets.back() != static_cast<std::int64_t>(words.utf8.size()) ||
        !std::is_sorted(words.offsets.begin(), words.offsets.end()))
        throw ValueError("offsets of words must ascend from 0 to the number of bytes, one more than there are words");
    if (cols == 0 || buckets.bytes.size() / width < ngrams.n_buckets)
        throw ValueError(number(buckets.bytes.size()) + " bytes are no " + number(ngrams.n_buckets) + " rows of " +
                         number(cols) + " numbers");
    if (!own.bytes.empty() && (own.cols != cols || own.bytes.size() / width < n_words))
        throw ValueError("the rows of " + number(n_words) + " words must have " + number(cols) + " numbers each");

    std::atomic<std::size_t> first_bad{n_words};
    const double ns = 40.0 * (20.0 + static_cast<double>(cols)); // some 40 n-grams, each a row that is not in cache
    parallel_ranges(ctx, n_words, ns, [&](std::size_t begin, std::size_t end, int) {
        std::vector<std::int64_t> rows;
        std::vector<float> row(cols);
        std::vector<double> sum(cols);
        for (std::size_t i = begin; i < end; ++i) {
            const auto from = static_cast<std::size_t>(words.offsets[i]);
            const auto to = static_cast<std::size_t>(words.offsets[i + 1]);
            rows.clear();
            append_ngrams({reinterpret_cast<const char*>(words.utf8.data()) + from, to - from}, ngrams, rows);
            std::fill(sum.begin(), sum.end(), 0.0);
            const auto add = [&](const PackedRows& table, std::size_t r) {
                std::memcpy(row.data(), table.bytes.data() + r * width, width);
                for (std::size_t c = 0; c < cols; ++c) sum[c] += row[c];
            };
            if (!own.bytes.empty()) add(own, i);
            for (const std::int64_t r : rows) add(buckets, static_cast<std::size_t>(r));
            const std::size_t n_rows = rows.size() + (own.bytes.empty() ? 0 : 1);
            bool is_usable = true;
            for (std::size_t c = 0; c < cols; ++c) {
                const double mean = n_rows == 0 ? 0 : sum[c] / static_cast<double>(n_rows);
                out[i * cols + c] = static_cast<float>(mean);
                is_usable &= std::abs(mean) <= static_cast<double>(linalg::largest_entry); // false for NaN
            }
            if (is_usable) continue;
            std::size_t seen = first_bad.load(std::memory_order_relaxed);
            while (i < seen && !first_bad.compare_exchange_weak(seen, i, std::memory_order_relaxed)) {}
        }
    });
    return first_bad;
}

FasttextEntries parse_fasttext_entries(std::span<const char> bytes, std::size_t n_entries) {
    constexpr std::size_t tail = sizeof(std::int64_t) + 1;
    if (n_entries > bytes.size() / (tail + 1))
        throw ValueError(number(n_entries) + " words and labels are promised, more than the " + number(bytes.size()) +
                         " bytes that follow can hold: the file is truncated or damaged");
    FasttextEntries out;
    const char* const begin = bytes.data();
    const char* const end = begin + bytes.size();
    const char* p = begin;
    for (std::size_t i = 0; i < n_entries; ++i) {
        const char* const word_end = std::find(p, end, '\0');
        if (static_cast<std::size_t>(end - word_end) < 1 + tail)
            throw ValueError("the bytes end within word " + number(i + 1) + " of " + number(n_entries) +
                             ": the file is truncated or damaged");
        std::int64_t count = 0;
        std::memcpy(&count, word_end + 1, sizeof count);
        const char kind = word_end[1 + sizeof count];
        if (count < 0 || kind < 0 || kind > 1)
            throw ValueError("word " + number(i + 1) + " of " + number(n_entries) + " has the count " +
                             std::to_string(count) + " and the kind " + std::to_string(int{kind}) +
                             ": the file is damaged");
        if (kind == 0) {
            if (out.begins.size() != i) throw ValueError("a word stands after a label: the file is damaged");
            out.begins.push_back(p - begin);
            out.ends.push_back(word_end - begin);
            out.counts.push_back(count);
        }
        p = word_end + 1 + tail;
    }
    out.n_bytes = static_cast<std::size_t>(p - begin);
    return out;
}

} // namespace mlcore::embedding
