// Files of word vectors in the two formats of word2vec.c:
//   text    "V d\n", then a line a word: the word, a space, d decimal numbers with spaces between
//   binary  "V d\n", then a record a word: the word, a space, d float32 (little-endian), a newline or none
// word2vec.c ends records with a newline, gensim does not: both are read, the newline is written. GloVe's text files
// have no first line. No encoding of words is assumed here. In binary files a word ends at the first space. In text a
// word may hold blanks (". . ." and "at name@domain.com" of GloVe): the last d fields of a line are the vector, the
// rest is the word.
//
// Bytes come whole, mapped by the caller. Nothing in them is believed before it was compared with their number: a
// header can promise more than there is memory for. Lines of text are parsed by all threads.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/view.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mlcore::embedding {

struct VectorFile {
    Buffer<float> values; // (rows, cols)
    std::size_t rows = 0, cols = 0;
    std::vector<std::int64_t> begins, ends; // word i is bytes[begins[i]] .. bytes[ends[i]]
    bool has_more = false;                  // more vectors follow than the first line promises
};

/// The first `limit` vectors, of those that the first line promises: what follows them is not read. Throws ValueError,
/// naming the line, for what is no such file, for fewer vectors than promised, another number of columns, and for
/// values that are not finite or beyond largest_entry of nearest.hpp. A byte order mark before text is skipped.
VectorFile parse_text(const RunContext& ctx, std::span<const char> bytes, std::size_t limit, bool has_header);
VectorFile parse_binary(const RunContext& ctx, std::span<const char> bytes, std::size_t limit);

/// Word i is utf8[offsets[i]] .. utf8[offsets[i + 1]].
struct PackedWords {
    std::span<const std::uint8_t> utf8;
    std::span<const std::int64_t> offsets; // one more than there are words
};

/// The lines or records of some vectors, without the header, in pieces to be written one after the other; text has the
/// fewest digits that read back as the same float32. Throws ValueError for a word that is empty or holds whitespace.
std::vector<std::string> format_text(const RunContext& ctx, const PackedWords& words, MatrixView<const float> vectors);
std::vector<std::string> format_binary(const RunContext& ctx, const PackedWords& words,
                                       MatrixView<const float> vectors);

} // namespace mlcore::embedding
