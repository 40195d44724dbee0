#include "text/text_corpus.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "text/tokenizer.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <utility>

namespace mlcore::text {
namespace {

constexpr double ns_per_piece = 300e3; // some 11,000 words at 30 ns

/// Whether the word before `begin` is of the text that goes on there. To be asked only where words follow in that text:
/// long gaps are then searched once and not once a piece.
bool continues_at(std::string_view text, std::size_t begin) {
    while (begin > 0 && is_space(text[begin - 1]) && text[begin - 1] != '\n') --begin;
    return begin > 0 && text[begin - 1] != '\n';
}

/// Words that one thread has met, and where each was first. On cache lines of its own.
struct alignas(cache_line) Count {
    WordTable words;
    std::vector<std::uint64_t> first; // position in all files one after the other
    std::int64_t n_texts = 0;

    void add(const Count& other) {
        for (std::size_t i = 0; i < other.words.size(); ++i) {
            const std::string_view word = other.words.word(static_cast<std::int32_t>(i));
            const WordKey key = word_key(word);
            std::int32_t id = words.find(key, word.data());
            if (id < 0) {
                id = words.insert(key, word);
                first.push_back(other.first[i]);
            }
            std::uint64_t& mine = first[static_cast<std::size_t>(id)];
            mine = std::min(mine, other.first[i]);
            words.count(id, other.words.counts()[i]);
        }
        n_texts += other.n_texts;
    }
};

/// In the order of first appearance.
WordTable sorted(const Count& count) {
    std::vector<std::size_t> order(count.first.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return count.first[a] < count.first[b]; });
    WordTable words;
    words.reserve(order.size());
    for (const std::size_t i : order)
        words.count(words.insert(count.words.word(static_cast<std::int32_t>(i))), count.words.counts()[i]);
    return words;
}

} // namespace

TextCorpus::TextCorpus(std::vector<TextFile> files) : files_(std::move(files)) {
    first_piece_.push_back(0);
    for (TextFile& file : files_) {
        file.skipped = byte_order_mark(file.bytes);
        file.bytes.remove_prefix(file.skipped);
        first_piece_.push_back(first_piece_.back() + (file.bytes.size() + piece_bytes - 1) / piece_bytes);
    }
}

TextCorpus::ByteRange TextCorpus::bytes_of(std::size_t piece) const {
    MLCORE_CHECK(piece < n_pieces(), "no such piece");
    const auto next = std::upper_bound(first_piece_.begin(), first_piece_.end(), piece);
    const auto number = static_cast<std::size_t>(next - first_piece_.begin()) - 1;
    const TextFile& file = files_[number];
    const std::size_t begin = (piece - first_piece_[number]) * piece_bytes;
    return {&file, begin, std::min(begin + piece_bytes, file.bytes.size())};
}

std::int64_t TextCorpus::tokens_before(std::size_t piece) const {
    MLCORE_CHECK(piece < tokens_before_.size(), "count() comes first");
    return tokens_before_[piece];
}

WordTable TextCorpus::count(const RunContext& ctx) {
    std::vector<std::uint64_t> file_start(files_.size() + 1, 0);
    for (std::size_t f = 0; f < files_.size(); ++f) file_start[f + 1] = file_start[f] + files_[f].bytes.size();

    std::vector<std::int64_t> n_words(n_pieces() + 1, 0);
    std::vector<Count> counts(
        static_cast<std::size_t>(threads_for(ctx, static_cast<double>(n_pieces()) * ns_per_piece)));
    // Of several faults the first in the corpus is reported: pieces after one are skipped, those before it are not.
    std::atomic<std::size_t> faulty = n_pieces();
    std::string fault;
    std::mutex fault_mutex;

    const auto count_piece = [&](std::size_t piece, Count& mine) {
        const auto [file, begin, end] = bytes_of(piece);
        const std::string_view text = file->bytes;
        const char* const readable = text.data() + text.size();
        const std::uint64_t start = file_start[static_cast<std::size_t>(file - files_.data())];
        Tokenizer tokenizer(text, begin, end);
        std::size_t n = 0, n_texts = 0;
        bool at_start = true, in_text = false;
        WordRun run;
        while (tokenizer.next(run)) {
            if (at_start && run.size() > 0) in_text = continues_at(text, begin);
            at_start = at_start && run.size() == 0 && !run.ends_text();
            mine.words.for_each_key(run, readable, [&](std::string_view word, const WordKey& key) {
                const auto offset = static_cast<std::size_t>(word.data() - text.data());
                const std::int32_t id = mine.words.add(key, word, file->name, file->skipped + offset);
                if (static_cast<std::size_t>(id) == mine.first.size()) mine.first.push_back(start + offset);
            });
            n += run.size();
            n_texts += run.size() > 0 && !in_text;
            in_text = (in_text || run.size() > 0) && !run.ends_text();
        }
        n_words[piece + 1] = static_cast<std::int64_t>(n);
        mine.n_texts += static_cast<std::int64_t>(n_texts);
    };
    parallel_tasks(ctx, n_pieces(), ns_per_piece, [&](std::size_t piece, int thread) {
        if (piece > faulty.load(std::memory_order_relaxed)) return;
        try {
            count_piece(piece, counts[static_cast<std::size_t>(thread)]);
        } catch (const ValueError& error) {
            const std::lock_guard lock(fault_mutex);
            if (piece < faulty.load(std::memory_order_relaxed)) {
                faulty = piece;
                fault = error.what();
            }
        }
    });
    if (faulty < n_pieces()) throw ValueError(fault);

    // In pairs, so that threads share the work; the order does not matter.
    for (std::size_t step = 1; step < counts.size(); step *= 2) {
        const std::size_t n_pairs = (counts.size() + step - 1) / (2 * step);
        parallel_tasks(ctx, n_pairs, 100.0 * static_cast<double>(counts[0].words.size()), [&](std::size_t pair, int) {
            const std::size_t into = 2 * step * pair;
            counts[into].add(counts[into + step]);
            counts[into + step] = Count();
        });
    }
    std::partial_sum(n_words.begin(), n_words.end(), n_words.begin());
    tokens_before_ = std::move(n_words);
    n_texts_ = counts[0].n_texts;
    return sorted(counts[0]);
}

void TextCorpus::read(std::size_t piece, Piece& out) const {
    const auto [file, begin, end] = bytes_of(piece);
    const std::string_view text = file->bytes;
    MLCORE_CHECK(vocabulary_, "set_vocabulary() comes first");
    const WordTable& words = vocabulary_->table();
    const char* const readable = text.data() + text.size();
    Tokenizer tokenizer(text, begin, end);
    out.clear();
    std::size_t n = 0; // known words so far
    bool at_start = true;
    WordRun run;
    while (tokenizer.next(run)) {
        if (at_start && run.size() > 0) out.continues = continues_at(text, begin);
        at_start = at_start && run.size() == 0 && !run.ends_text();
        if (out.ids.size() < n + run.size()) out.ids.resize(n + run.size());
        words.for_each_key(run, readable, [&](std::string_view word, const WordKey& key) {
            const std::int32_t id = words.find(key, word.data());
            out.ids[n] = id; // overwritten by the next one if the word is unknown
            n += id >= 0;
        });
        if (run.ends_text()) out.end_text(n);
    }
    out.ids.resize(n);
    out.end_text(n);
}

} // namespace mlcore::text
