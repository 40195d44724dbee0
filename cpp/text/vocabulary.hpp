// The words of a model: each has an id (its row in the matrices) and a count. Built from the words of a corpus, exactly
// and the same way every time: by descending count, words of equal count by their bytes.
#pragma once

#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace mlcore::text {

class Vocabulary {
  public:
    Vocabulary() = default;
    /// Words with their ids and counts as they are in the table.
    explicit Vocabulary(WordTable words) : words_(std::move(words)) {}

    /// Words that occur min_count times or more, the most frequent max_size of them (0: all). May come out empty.
    static Vocabulary build(const WordTable& corpus, std::int64_t min_count, std::size_t max_size);

    /// This one continued: its words keep their ids and add the counts of the corpus to theirs; new words that occur
    /// min_count times or more follow, in the order of build, while there are fewer than max_size (0: any number).
    Vocabulary grow(const WordTable& corpus, std::int64_t min_count, std::size_t max_size) const;

    std::size_t size() const { return words_.size(); }
    std::string_view word(std::int32_t id) const { return words_.word(id); }
    std::span<const std::int64_t> counts() const { return words_.counts(); }

    /// -1 if unknown.
    std::int32_t id(std::string_view word) const { return words_.find(word); }

    const WordTable& table() const { return words_; }

  private:
    WordTable words_;
};

} // namespace mlcore::text
