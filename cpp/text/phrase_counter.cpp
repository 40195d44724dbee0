#include "text/phrase_counter.hpp"

#include "core/parallel.hpp"
#include "text/phrase_table.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

namespace mlcore::text {
namespace {

constexpr std::size_t n_shards = 256;
constexpr double ns_per_piece = 1e6; // some 10,000 candidates at 100 ns

std::size_t shard_of(const PhraseKey& key) { return key.hash() >> 56; } // the tables use the low bits

/// The tables of one pass, which takes the shards first .. last - 1; last decreases when memory runs out.
class Shards {
  public:
    Shards(std::size_t first, std::size_t max_distinct) : first_(first), max_distinct_(max_distinct) {}

    bool takes(std::size_t shard) const { return shard >= first_ && shard < last_.load(std::memory_order_relaxed); }
    std::size_t last() const { return last_; }

    void add(std::size_t shard, std::span<const PhraseKey> keys) {
        {
            Shard& mine = shards_[shard];
            const std::lock_guard lock(mine.mutex);
            if (!takes(shard)) return;
            const std::size_t before = mine.table.size();
            constexpr std::size_t ahead = 16;
            for (std::size_t i = 0; i < keys.size(); ++i) {
                if (i + ahead < keys.size()) mine.table.prefetch(keys[i + ahead]);
                std::uint32_t& count = mine.table.at(keys[i]);
                count += count < std::numeric_limits<std::uint32_t>::max();
            }
            n_distinct_ += mine.table.size() - before;
        }
        if (n_distinct_ > max_distinct_) put_off();
    }

    std::size_t n_distinct() const { return n_distinct_; }

    template <class F>
    void for_each(F&& f) const {
        for (std::size_t shard = first_; shard < last_; ++shard) shards_[shard].table.for_each(f);
    }

  private:
    /// Leaves the upper half of the shards to a later pass.
    void put_off() {
        const std::lock_guard only(put_off_mutex_);
        const std::size_t last = last_, middle = (first_ + last) / 2;
        if (n_distinct_ <= max_distinct_ || middle == first_) return; // done by another thread, or cannot be done
        last_ = middle;
        for (std::size_t shard = middle; shard < last; ++shard) {
            const std::lock_guard lock(shards_[shard].mutex);
            n_distinct_ -= shards_[shard].table.size();
            shards_[shard].table = PhraseTable();
        }
    }

    struct alignas(cache_line) Shard {
        std::mutex mutex;
        PhraseTable table;
    };
    const std::size_t first_, max_distinct_;
    std::atomic<std::size_t> last_ = n_shards, n_distinct_ = 0;
    std::vector<Shard> shards_ = std::vector<Shard>(n_shards);
    std::mutex put_off_mutex_;
};

/// Numbers for connectors that all threads agree on.
struct Gaps {
    std::mutex mutex;
    GapTable table;
};

/// Candidates on their way from one thread to the shards.
class Collector {
  public:
    Collector(Shards& shards, Gaps& gaps) : shards_(shards), gaps_(gaps), waiting_(n_shards) {}

    void add(std::int32_t first, std::span<const std::int32_t> between, std::int32_t last) {
        const PhraseKey key{first, last, between.empty() ? 0 : gap(between)};
        const std::size_t shard = shard_of(key);
        if (!shards_.takes(shard)) return;
        std::vector<PhraseKey>& keys = waiting_[shard];
        keys.push_back(key);
        if (keys.size() == most) flush(shard);
    }
    void flush() {
        for (std::size_t shard = 0; shard < n_shards; ++shard) flush(shard);
    }

  private:
    static constexpr std::size_t most = 256;

    void flush(std::size_t shard) {
        shards_.add(shard, waiting_[shard]);
        waiting_[shard].clear();
    }
    std::uint32_t gap(std::span<const std::int32_t> ids) {
        const std::uint32_t mine = known_gaps_.find_or_add(ids);
        if (mine == number_.size()) {
            const std::lock_guard lock(gaps_.mutex);
            number_.push_back(gaps_.table.find_or_add(ids));
        }
        return number_[mine];
    }

    Shards& shards_;
    Gaps& gaps_;
    std::vector<std::vector<PhraseKey>> waiting_;
    GapTable known_gaps_;                  // to this thread,
    std::vector<std::uint32_t> number_{0}; // and the number of each in gaps_
};

/// What pieces side by side leave to be joined with their neighbours: texts are cut there.
struct Ends {
    bool empty = true;      // no word at all
    bool continues = false; // the text before goes on here: connectors, and then
    std::vector<std::int32_t> head_gap;
    std::int32_t head = -1;             // the first other word of that text (-1: none),
    bool head_open = false;             // unless the text goes on beyond, and has connectors only
    std::int32_t tail = -1;             // last word of the last text that is no connector (-1: none),
    std::vector<std::int32_t> tail_gap; // and what follows it
};

/// Walks over the words of pieces side by side and hands every candidate to a Collector.
class Walker {
  public:
    Walker(std::span<const std::uint8_t> is_connector, Collector& out) : is_connector_(is_connector), out_(out) {}

    void add(const Piece& piece) {
        if (piece.ids.empty()) return;
        if (ends_.empty) {
            ends_.empty = false;
            ends_.continues = ends_.head_open = piece.continues;
        } else if (!piece.continues) {
            end_text();
        }
        std::size_t i = 0;
        for (const std::size_t end : piece.ends) {
            if (i > 0) end_text();
            for (; i < end; ++i) word(piece.ids[i]);
        }
    }
    Ends finish() {
        ends_.tail = start_;
        ends_.tail_gap = gap_;
        return std::move(ends_);
    }

  private:
    void word(std::int32_t id) {
        if (is_connector_[static_cast<std::size_t>(id)]) {
            if (start_ >= 0)
                gap_.push_back(id);
            else if (ends_.head_open)
                ends_.head_gap.push_back(id);
            return;
        }
        if (start_ >= 0)
            out_.add(start_, gap_, id);
        else if (ends_.head_open)
            ends_.head = id;
        ends_.head_open = false;
        start_ = id;
        gap_.clear();
    }
    void end_text() {
        start_ = -1;
        gap_.clear();
        ends_.head_open = false;
    }

    std::span<const std::uint8_t> is_connector_;
    Collector& out_;
    Ends ends_;
    std::int32_t start_ = -1; // the word that a phrase may start with, -1: none
    std::vector<std::int32_t> gap_;
};

/// The candidates across the borders between ranges of pieces.
void join(std::vector<Ends>& all, Collector& out) {
    std::int32_t start = -1;
    std::vector<std::int32_t> gap;
    for (const Ends& ends : all) {
        if (ends.empty) continue;
        if (ends.continues && start >= 0) {
            gap.insert(gap.end(), ends.head_gap.begin(), ends.head_gap.end());
            if (ends.head >= 0) out.add(start, gap, ends.head);
        }
        if (ends.continues && ends.head_open) continue; // still in that text
        start = ends.tail;
        gap = ends.tail_gap;
    }
}

/// One pass over the corpus.
void count_pass(const RunContext& ctx, const Corpus& corpus, std::span<const std::uint8_t> is_connector, Shards& shards,
                Gaps& gaps) {
    const std::size_t n_pieces = corpus.n_pieces();
    const std::size_t n_ranges = std::min<std::size_t>(n_pieces, 4096); // a few bytes are kept of each
    std::vector<Ends> ends(n_ranges);
    const double ns =
        ns_per_piece * static_cast<double>(n_pieces) / static_cast<double>(std::max<std::size_t>(1, n_ranges));
    const int n_threads = threads_for(ctx, ns * static_cast<double>(n_ranges));
    std::vector<Collector> collectors;
    for (int i = 0; i < n_threads; ++i) collectors.emplace_back(shards, gaps);
    std::vector<Piece> pieces(static_cast<std::size_t>(n_threads));
    parallel_tasks(ctx, n_ranges, ns, [&](std::size_t range, int thread) {
        Piece& piece = pieces[static_cast<std::size_t>(thread)];
        Walker walker(is_connector, collectors[static_cast<std::size_t>(thread)]);
        const std::size_t end = n_pieces * (range + 1) / n_ranges;
        for (std::size_t p = n_pieces * range / n_ranges; p < end; ++p) {
            corpus.read(p, piece);
            walker.add(piece);
        }
        ends[range] = walker.finish();
    });
    join(ends, collectors[0]);
    for (Collector& collector : collectors) collector.flush();
}

struct Found {
    std::vector<std::int32_t> ids;
    std::int64_t count;
};

} // namespace

PhraseCounts count_phrases(const RunContext& ctx, const Corpus& corpus, std::span<const std::uint8_t> is_connector,
                           std::int64_t min_count, std::size_t max_distinct) {
    PhraseCounts result;
    std::vector<Found> found;
    Gaps gaps;
    for (std::size_t first = 0; first < n_shards;) {
        Shards shards(first, max_distinct);
        count_pass(ctx, corpus, is_connector, shards, gaps);
        result.n_distinct += static_cast<std::int64_t>(shards.n_distinct());
        shards.for_each([&](const PhraseKey& key, std::uint32_t count) {
            if (count < min_count) return;
            std::vector<std::int32_t> ids = gaps.table.ids(key.between);
            ids.insert(ids.begin(), key.first);
            ids.push_back(key.last);
            found.push_back({std::move(ids), count});
        });
        first = shards.last();
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.ids < b.ids; });
    for (const Found& phrase : found) {
        result.ids.insert(result.ids.end(), phrase.ids.begin(), phrase.ids.end());
        result.starts.push_back(static_cast<std::int64_t>(result.ids.size()));
        result.counts.push_back(phrase.count);
    }
    return result;
}

} // namespace mlcore::text
