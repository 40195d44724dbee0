// Words as sums of their parts: Bojanowski, Grave, Joulin and Mikolov, "Enriching Word Vectors with Subword
// Information", TACL 2017, with the n-grams, the hash and the files of fastText, so that its models give the same
// vectors here.
//
// The n-grams of a word are those of '<' + word + '>', min_n to max_n characters (of UTF-8) long, but for '<' and '>'
// alone. A hash gives each one of n_buckets rows; n-grams may share a row. The vector of a word is the mean of
// its own row, if it has one, and of the rows of its n-grams, a row that occurs twice counting twice.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"
#include "embedding/vector_file.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::embedding {

struct Ngrams {
    int min_n = 3, max_n = 6;  // in characters; max_n 0: none
    std::size_t n_buckets = 0; // 0: none
};

/// Throws ValueError unless 1 <= min_n <= max_n, or max_n is 0.
void check_ngrams(const Ngrams& ngrams);

/// Appends the rows of the n-grams of a word, each in [0, n_buckets), by beginning and then by length. "</s>", the end
/// of a line, has none.
void append_ngrams(std::string_view word, const Ngrams& ngrams, std::vector<std::int64_t>& rows);

/// Rows of float32 anywhere in memory, for example in a mapped file: not aligned.
struct PackedRows {
    std::span<const std::uint8_t> bytes;
    std::size_t cols = 0;
};

/// out(i) (words, cols) = mean of own row i, unless `own` is empty, and of the rows of the n-grams of word i in
/// `buckets`; zeros for a word without any. Returns the first word whose vector is not finite or has an entry beyond
/// largest_entry of nearest.hpp, or the number of words.
std::size_t subword_means(const RunContext& ctx, const PackedWords& words, const Ngrams& ngrams, const PackedRows& own,
                          const PackedRows& buckets, float* out);

/// The entries of the dictionary of a fastText model, which begin at bytes[0]: a word, NUL, a count (int64), a kind
/// (int8: 0 a word, 1 a label). Throws ValueError where the bytes end too soon, a kind or count cannot be.
struct FasttextEntries {
    std::vector<std::int64_t> begins, ends, counts; // of those that are words
    std::size_t n_bytes = 0;                        // of all entries
};
FasttextEntries parse_fasttext_entries(std::span<const char> bytes, std::size_t n_entries);

} // namespace mlcore::embedding
