#include "text/hashing/hashed_terms.hpp"

#include <algorithm>
#include <cstring>

namespace mlcore::text {
namespace {

constexpr std::size_t overread = 4; // of murmur3

} // namespace

HashedTermReader::HashedTermReader(const Analysis& analysis, const TermHash& hash)
    : analysis_(analysis), hash_(hash), words_(analysis.analyzer),
      characters_(analysis.analyzer, analysis.level == Level::character ? analysis.max_n - 1 : 0) {
    for (const std::string& word : analysis.stop_words)
        if (stop_words_.find(word) < 0) stop_words_.insert(word);
}

void HashedTermReader::read(const RunContext& ctx, const Document& document, std::vector<HashedTerm>& terms) {
    if (analysis_.level == Level::character) {
        characters_.start(document);
        return read_characters(ctx, terms);
    }
    words_.start(document);
    if (analysis_.level == Level::character_word)
        read_within_words(ctx, terms);
    else if (analysis_.max_n == 1)
        read_words(ctx, terms);
    else
        read_word_ngrams(ctx, terms);
}

bool HashedTermReader::next_words(const RunContext& ctx, WordRun& run) {
    if (++n_runs_ % 64 == 0) ctx.checkpoint();
    return words_.next(run);
}

bool HashedTermReader::is_stop_word(std::string_view word) const {
    return stop_words_.size() > 0 && stop_words_.find(word_key(word, words_.readable()), word.data()) >= 0;
}

void HashedTermReader::read_words(const RunContext& ctx, std::vector<HashedTerm>& terms) {
    WordRun run;
    while (next_words(ctx, run))
        for (std::size_t i = 0; i < run.size(); ++i)
            if (!is_stop_word(run[i])) terms.push_back(hash_(run[i]));
}

void HashedTermReader::read_word_ngrams(const RunContext& ctx, std::vector<HashedTerm>& terms) {
    starts_.assign(1, 0);
    WordRun run;
    while (next_words(ctx, run)) {
        keep_last_words(analysis_.max_n - 1);
        const std::size_t first = starts_.size() - 1;
        for (std::size_t i = 0; i < run.size(); ++i)
            if (!is_stop_word(run[i])) join(run[i]);
        const std::size_t n_words = starts_.size() - 1;
        for (std::size_t last = first; last < n_words; ++last) {
            const std::size_t end = starts_[last + 1] - 1; // without the blank
            for (std::size_t n = analysis_.min_n; n <= std::min(analysis_.max_n, last + 1); ++n) {
                const std::size_t begin = starts_[last + 1 - n];
                terms.push_back(hash_({joined_.data() + begin, end - begin}));
            }
        }
    }
}

void HashedTermReader::keep_last_words(std::size_t n) {
    const std::size_t n_words = starts_.size() - 1;
    if (n_words <= n) return;
    const std::size_t first = starts_[n_words - n];
    std::memmove(joined_.data(), joined_.data() + first, starts_[n_words] - first);
    for (std::size_t i = 0; i <= n; ++i) starts_[i] = starts_[n_words - n + i] - first;
    starts_.resize(n + 1);
}

void HashedTermReader::join(std::string_view word) {
    const std::size_t begin = starts_.back(), end = begin + word.size() + 1;
    if (joined_.size() < end + overread) joined_.resize(2 * end + overread);
    std::memcpy(joined_.data() + begin, word.data(), word.size());
    joined_[end - 1] = ' ';
    starts_.push_back(end);
}

void HashedTermReader::read_characters(const RunContext& ctx, std::vector<HashedTerm>& terms) {
    CharacterRun run;
    while (characters_.next(run)) {
        if (++n_runs_ % 64 == 0) ctx.checkpoint();
        for (std::size_t n = analysis_.min_n; n <= std::min(analysis_.max_n, run.size); ++n)
            for (std::size_t end = std::max(run.repeated + 1, n); end <= run.size; ++end) {
                const std::uint32_t begin = run.offsets[end - n];
                terms.push_back(hash_({run.bytes + begin, run.offsets[end] - begin}));
            }
    }
}

void HashedTermReader::read_within_words(const RunContext& ctx, std::vector<HashedTerm>& terms) {
    WordRun run;
    while (next_words(ctx, run))
        for (std::size_t i = 0; i < run.size(); ++i) append_within({run[i].data() - 1, run[i].size() + 2}, terms);
}

void HashedTermReader::append_within(std::string_view padded, std::vector<HashedTerm>& terms) {
    offsets_.clear();
    for (std::size_t i = 0; i < padded.size(); ++i)
        if (!continues_character(padded[i])) offsets_.push_back(static_cast<std::uint32_t>(i));
    const std::size_t size = offsets_.size();
    offsets_.push_back(static_cast<std::uint32_t>(padded.size()));
    for (std::size_t n = analysis_.min_n; n <= analysis_.max_n; ++n) {
        if (n >= size) { // a word that is not longer than its n-grams counts once, as a whole
            terms.push_back(hash_(padded));
            return;
        }
        for (std::size_t begin = 0; begin + n <= size; ++begin)
            terms.push_back(hash_(padded.substr(offsets_[begin], offsets_[begin + n] - offsets_[begin])));
    }
}

} // namespace mlcore::text
