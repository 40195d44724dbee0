#include "text/phrase_finder.hpp"

#include "core/error.hpp"

#include <string>
#include <utility>

namespace mlcore::text {

PhraseFinder::PhraseFinder(WordTable words, std::span<const std::uint8_t> is_connector,
                           std::span<const std::int32_t> ids, std::span<const std::int64_t> starts)
    : words_(std::move(words)), is_connector_(is_connector.begin(), is_connector.end()),
      n_phrases_(starts.empty() ? 0 : starts.size() - 1) {
    if (is_connector_.size() != words_.size()) throw ValueError("is_connector must have an entry for each word");
    for (const std::int32_t id : ids)
        if (id < 0 || static_cast<std::size_t>(id) >= words_.size())
            throw ValueError("a phrase has a word of number " + std::to_string(id) + ", which does not exist");
    for (std::size_t i = 0; i < n_phrases_; ++i) {
        if (starts[i] < 0 || starts[i + 1] - starts[i] < 2 || static_cast<std::size_t>(starts[i + 1]) > ids.size())
            throw ValueError("phrase " + std::to_string(i) + " must have two words or more");
        const auto begin = static_cast<std::size_t>(starts[i]), last = static_cast<std::size_t>(starts[i + 1]) - 1;
        const std::uint32_t between = gaps_.find_or_add(ids.subspan(begin + 1, last - begin - 1));
        phrases_.at({ids[begin], ids[last], between}) = static_cast<std::uint32_t>(i);
    }
}

void PhraseFinder::split(std::span<const std::int32_t> text, std::vector<Part>& parts) const {
    parts.clear();
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::size_t start = none; // the word that a phrase may start with
    const auto single_words = [&](std::size_t end) {
        for (std::size_t i = start; i < end; ++i) parts.push_back({i + 1, -1});
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (start == none) {
            if (is_connector(text[i]))
                parts.push_back({i + 1, -1});
            else
                start = i;
            continue;
        }
        if (is_connector(text[i])) continue;
        const std::uint32_t* phrase = nullptr;
        if (text[start] >= 0 && text[i] >= 0) {
            const std::uint32_t between = gaps_.find(text.subspan(start + 1, i - start - 1));
            if (between != GapTable::none) phrase = phrases_.find({text[start], text[i], between});
        }
        if (phrase) {
            parts.push_back({i + 1, static_cast<std::int32_t>(*phrase)});
            start = none;
        } else {
            single_words(i);
            start = i;
        }
    }
    if (start != none) single_words(text.size());
}

} // namespace mlcore::text
