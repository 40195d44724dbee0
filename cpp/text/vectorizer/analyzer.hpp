// From a document to its words or characters, as scikit-learn's vectorizers have them: lower case, then accents, then
// tokens. An Analyzer is how that is done, made once and shared by all threads; a WordReader or a CharacterReader is
// one thread's way through one document after the other.
//
//     const Analyzer analyzer(table, {.lowercase = true, .rule = TokenRule::words(2)});
//     WordReader reader(analyzer);
//     WordRun run;
//     for (reader.start(document); reader.next(run);)
//         for (std::size_t i = 0; i < run.size(); ++i) word_key(run[i], reader.readable()) ...
//
// Not done here: the lower case of a capital sigma at the end of a word depends on the letters around it. Documents
// that hold one (U+03A3) come in Python's own lower case already, which stays as it is (bindings/text/characters.hpp).
#pragma once

#include "text/tokenizer.hpp"
#include "text/unicode/character_table.hpp"
#include "text/unicode/document.hpp"
#include "text/vectorizer/normaliser.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mlcore::text {

/// Hands out the words of a document as UTF-8, in order: views on a small buffer of the reader, in runs.
/// Throws ValueError for a word of 2 GiB or more.
class WordReader {
  public:
    explicit WordReader(const Analyzer& analyzer) : analyzer_(analyzer), text_(analyzer) {}

    void start(const Document& document);

    /// False at the end of the document. A run may be empty; it is valid until the next call.
    bool next(WordRun& run);

    /// Memory behind the words of a run may be read up to here: at least 64 bytes beyond each of them. With
    /// TokenRule::not_space the byte before each word and the byte after it are blanks, so that the padded words of
    /// char_wb are there without a copy.
    const char* readable() const { return text_.readable(); }

  private:
    std::size_t extract(std::size_t begin, std::size_t end, bool carried, bool more);
    bool fits(const char* word, std::size_t size) const;

    const Analyzer& analyzer_;
    Normaliser text_;
    std::size_t tail_begin_ = 0, tail_end_ = 0; // the part of a word at the end of what was read
    std::vector<std::uint32_t> edges_;
    bool done_ = true;
};

/// Characters that follow each other in a document.
struct CharacterRun {
    const char* bytes;            // UTF-8
    const std::uint32_t* offsets; // character i is bytes[offsets[i]] .. bytes[offsets[i + 1]]
    std::size_t size;             // characters
    std::size_t repeated;         // the first of them were the last of the former run
    bool ascii;                   // all have one byte: offsets[i] == i
};

/// Hands out the characters of a document as UTF-8, in order; two or more of white space become one blank, as the
/// analyzer `char` of scikit-learn has it. The analyzer's rule is TokenRule::space().
///
/// The last `overlap` characters of a run are repeated at the start of the next one. With overlap n - 1, each sequence
/// of up to n characters that ends at or after `repeated` lies within its run, and none is met twice.
class CharacterReader {
  public:
    CharacterReader(const Analyzer& analyzer, std::size_t overlap);

    void start(const Document& document);

    /// False at the end of the document. A run has new characters; it is valid until the next call, and 64 bytes beyond
    /// its last one may be read.
    bool next(CharacterRun& run);

  private:
    void append(const char* bytes, std::size_t size);
    void append_batch(std::size_t begin, std::size_t end);
    void release_space();
    void note_space(const char* bytes, std::size_t size);

    Normaliser text_;
    const std::size_t overlap_;
    std::vector<char> bytes_;
    std::size_t n_bytes_ = 0;
    std::vector<std::uint32_t> offsets_;
    std::size_t n_characters_ = 0;              // in bytes_, at the last call
    char space_[max_utf8] = {};                 // white space that may go on: its first character,
    std::size_t space_size_ = 0, n_spaces_ = 0; // its size, and how many there were
    bool ascii_ = true;
    bool done_ = true;
};

} // namespace mlcore::text
