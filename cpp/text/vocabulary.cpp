#include "text/vocabulary.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mlcore::text {

Vocabulary Vocabulary::build(const WordTable& corpus, std::int64_t min_count, std::size_t max_size) {
    return Vocabulary().grow(corpus, min_count, max_size);
}

Vocabulary Vocabulary::grow(const WordTable& corpus, std::int64_t min_count, std::size_t max_size) const {
    const auto counts = corpus.counts();
    const auto count = [&](std::int32_t id) { return counts[static_cast<std::size_t>(id)]; };
    std::vector<std::int32_t> added;
    for (std::size_t i = 0; i < corpus.size(); ++i) {
        const auto theirs = static_cast<std::int32_t>(i);
        if (count(theirs) >= min_count && id(corpus.word(theirs)) < 0) added.push_back(theirs);
    }
    std::sort(added.begin(), added.end(), [&](std::int32_t a, std::int32_t b) {
        return count(a) != count(b) ? count(a) > count(b) : corpus.word(a) < corpus.word(b);
    });
    if (max_size) added.resize(std::min(added.size(), max_size - std::min(max_size, size())));

    WordTable words;
    words.reserve(size() + added.size());
    for (std::size_t i = 0; i < size(); ++i) {
        const std::string_view known = word(static_cast<std::int32_t>(i));
        const std::int32_t theirs = corpus.find(known);
        words.count(words.insert(known), words_.counts()[i] + (theirs < 0 ? 0 : count(theirs)));
    }
    for (const std::int32_t theirs : added) words.count(words.insert(corpus.word(theirs)), count(theirs));
    return Vocabulary(std::move(words));
}

} // namespace mlcore::text
