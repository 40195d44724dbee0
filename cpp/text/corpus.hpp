// What the trainer reads: a corpus cut into pieces of some 10,000 tokens. A piece is the unit of threading, of the
// learning-rate schedule and of the random stream, and its borders do not depend on the number of threads. A text that
// is longer goes on in the next piece: every token is used, only windows across the cut are shortened.
#pragma once

#include "text/vocabulary.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mlcore::text {

/// The known words of a piece. Text k is ids[ends[k - 1]] .. ids[ends[k] - 1] (from 0 for the first); ends ascend and
/// the last one is ids.size(). Empty texts may be left out.
struct Piece {
    std::vector<std::int32_t> ids;
    std::vector<std::size_t> ends;
    bool continues = false; // the first text goes on from the piece before

    void clear() {
        ids.clear();
        ends.clear();
        continues = false;
    }
    /// Ends a text after the first n ids, unless it would be empty.
    void end_text(std::size_t n) {
        if (n == 0) continues = false;
        if (n > (ends.empty() ? 0 : ends.back())) ends.push_back(n);
    }
};

class Corpus {
  public:
    virtual ~Corpus() = default;

    virtual std::size_t n_pieces() const = 0;
    /// Tokens, unknown words included, before a piece; tokens_before(n_pieces()) is the number of all.
    virtual std::int64_t tokens_before(std::size_t piece) const = 0;
    std::int64_t n_tokens() const { return tokens_before(n_pieces()); }

    /// Ids that read gives are those of this vocabulary. To be called before read.
    virtual void set_vocabulary(std::shared_ptr<const Vocabulary> vocabulary) = 0;
    /// Replaces `out`. May be called from several threads at once.
    virtual void read(std::size_t piece, Piece& out) const = 0;
};

} // namespace mlcore::text
