// Plain text files as a corpus, read in place: one text a line, cut into pieces of 64 KiB. What is kept is one number a
// piece; the words themselves are found again each time that a piece is read.
#pragma once

#include "core/context.hpp"
#include "text/corpus.hpp"
#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Bytes of a file, which the caller keeps mapped and unchanged, and its name for messages.
struct TextFile {
    std::string_view bytes;
    std::string name;
    std::size_t skipped = 0; // bytes of the file before these
};

class TextCorpus : public Corpus {
  public:
    static constexpr std::size_t piece_bytes = 64 << 10;

    explicit TextCorpus(std::vector<TextFile> files);

    /// All words with their counts, in the order of their first appearance, for any number of threads. To be called
    /// before n_texts and tokens_before. Throws ValueError, naming file and byte, for what is not UTF-8 or holds NUL:
    /// the first such place.
    WordTable count(const RunContext& ctx);

    std::size_t n_pieces() const override { return first_piece_.back(); }
    std::int64_t tokens_before(std::size_t piece) const override;
    /// Lines that are not empty.
    std::int64_t n_texts() const { return n_texts_; }

    void set_vocabulary(std::shared_ptr<const Vocabulary> vocabulary) override { vocabulary_ = std::move(vocabulary); }
    void read(std::size_t piece, Piece& out) const override;

  private:
    /// The bytes of a piece.
    struct ByteRange {
        const TextFile* file;
        std::size_t begin, end;
    };
    ByteRange bytes_of(std::size_t piece) const;

    std::vector<TextFile> files_;
    std::vector<std::size_t> first_piece_;    // of each file, then of the end
    std::vector<std::int64_t> tokens_before_; // n_pieces + 1, after count
    std::int64_t n_texts_ = 0;
    std::shared_ptr<const Vocabulary> vocabulary_;
};

} // namespace mlcore::text
