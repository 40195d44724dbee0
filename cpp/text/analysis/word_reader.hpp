// Words of documents: see analyzer.hpp.
#pragma once

#include "text/analysis/analyzer.hpp"
#include "text/analysis/normaliser.hpp"
#include "text/tokenizer.hpp"
#include "text/unicode/document.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
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
    /// Writes where words start and end; the last one becomes the tail if it may go on. Returns the number of edges.
    std::size_t find_edges(std::size_t begin, std::size_t end, bool carried);
    /// Whether a run of characters of the set is a token.
    bool fits(std::string_view word) const;
    void drop_unfit(WordRun& run);

    const Analyzer& analyzer_;
    Normaliser text_;
    std::size_t tail_begin_ = 0, tail_end_ = 0; // the part of a word at the end of what was read
    std::vector<std::uint32_t> edges_;
    bool done_ = true;
};

} // namespace mlcore::text
