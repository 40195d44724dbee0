// Characters of documents, for n-grams of characters: see analyzer.hpp.
#pragma once

#include "text/analysis/analyzer.hpp"
#include "text/analysis/normaliser.hpp"
#include "text/unicode/document.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::text {

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
    void find_characters(bool ascii);

    Normaliser text_;
    const std::size_t overlap_;
    const bool of_space_; // the rule of the analyzer
    std::vector<char> bytes_;
    std::size_t n_bytes_ = 0;
    std::vector<std::uint32_t> offsets_;
    std::size_t n_characters_ = 0;              // in bytes_, at the last call
    char space_[max_utf8] = {};                 // white space that may go on: its first character,
    std::size_t space_size_ = 0, n_spaces_ = 0; // its size, and how many there were
    bool done_ = true;
};

} // namespace mlcore::text
