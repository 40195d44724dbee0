#include "text/id_corpus.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace mlcore::text {

IdCorpus::IdCorpus(std::span<const std::int32_t> ids, std::span<const std::int64_t> ends,
                   std::shared_ptr<const WordTable> words)
    : ids_(ids), ends_(ends), words_(std::move(words)) {
    const std::size_t n_words = words_->size();
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= n_words)
            throw ValueError("ids[" + std::to_string(i) + "] is " + std::to_string(ids[i]) + ", which is none of the " +
                             std::to_string(n_words) + " words");
    std::int64_t last = 0;
    for (const std::int64_t end : ends) {
        if (end < last)
            throw ValueError("ends must not decrease, but " + std::to_string(end) + " follows " + std::to_string(last));
        n_texts_ += end > last;
        last = end;
    }
    if (static_cast<std::size_t>(last) != ids.size())
        throw ValueError("ends must end with the number of ids, " + std::to_string(ids.size()) + ", got " +
                         std::to_string(last));
}

std::int64_t IdCorpus::tokens_before(std::size_t piece) const {
    return static_cast<std::int64_t>(std::min(piece * piece_words, ids_.size()));
}

void IdCorpus::set_vocabulary(std::shared_ptr<const Vocabulary> vocabulary) {
    if (!words_) throw ValueError("the vocabulary of an IdCorpus can be set once");
    id_of_.resize(words_->size());
    for (std::size_t i = 0; i < id_of_.size(); ++i)
        id_of_[i] = vocabulary->id(words_->word(static_cast<std::int32_t>(i)));
    words_.reset();
}

void IdCorpus::read(std::size_t piece, Piece& out) const {
    MLCORE_CHECK(piece < n_pieces() && !words_, "no such piece or no vocabulary");
    const std::size_t begin = piece * piece_words, end = std::min(begin + piece_words, ids_.size());
    // The text that holds or follows the word at `begin`: the first one that ends after it.
    // The caller's memory may have changed since it was checked.
    for (std::size_t i = begin; i < end; ++i)
        MLCORE_CHECK(static_cast<std::uint32_t>(ids_[i]) < id_of_.size(), "ids have changed");
    auto text = std::upper_bound(ends_.begin(), ends_.end(), static_cast<std::int64_t>(begin));
    out.clear();
    out.ids.resize(end - begin);
    out.continues = begin > 0 && (text == ends_.begin() || text[-1] < static_cast<std::int64_t>(begin));
    std::size_t n = 0; // known words so far
    for (std::size_t i = begin; i < end && text != ends_.end(); ++text) {
        const std::size_t text_end = std::min(end, static_cast<std::size_t>(*text));
        for (; i < text_end; ++i) {
            const std::int32_t id = id_of_[static_cast<std::size_t>(ids_[i])];
            out.ids[n] = id; // overwritten by the next one if the word is unknown
            n += id >= 0;
        }
        out.end_text(n);
    }
    out.ids.resize(n);
}

} // namespace mlcore::text
