// A corpus that was read once and numbered: the ids of its words in a WordTable, and where its texts end. The arrays
// are the caller's, as a rule in a mapped file. Pieces are 10,000 words.
#pragma once

#include "text/corpus.hpp"
#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace mlcore::text {

class IdCorpus : public Corpus {
  public:
    static constexpr std::size_t piece_words = 10'000;

    /// Text k is ids[ends[k - 1]] .. ids[ends[k]]. Throws ValueError unless the ids are those of words in the table
    /// and the ends do not decrease, the last one being ids.size().
    IdCorpus(std::span<const std::int32_t> ids, std::span<const std::int64_t> ends,
             std::shared_ptr<const WordTable> words);

    std::size_t n_pieces() const override { return (ids_.size() + piece_words - 1) / piece_words; }
    std::int64_t tokens_before(std::size_t piece) const override;
    /// Those that are not empty.
    std::int64_t n_texts() const { return n_texts_; }

    /// Once: the words, the rare ones included, are let go of then.
    void set_vocabulary(std::shared_ptr<const Vocabulary> vocabulary) override;
    void read(std::size_t piece, Piece& out) const override;

  private:
    std::span<const std::int32_t> ids_;
    std::span<const std::int64_t> ends_;
    std::shared_ptr<const WordTable> words_; // until the vocabulary is set
    std::int64_t n_texts_ = 0;
    std::vector<std::int32_t> id_of_; // of each word of the table in the vocabulary, -1: unknown
};

} // namespace mlcore::text
