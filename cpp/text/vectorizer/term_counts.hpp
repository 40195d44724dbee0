// In how many documents each term of a lexicon occurs, and how often in all. Several threads count at a time. Terms
// that came first, as a rule the frequent ones, are counted by each thread for itself, so that no two threads write to
// the same place again and again.
#pragma once

#include "text/vectorizer/lexicon.hpp"
#include "text/vectorizer/pages.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::text {

struct TermCount {
    std::int64_t documents, occurrences;
};

class TermCounts {
  public:
    /// Room for all terms that the lexicon has room for.
    void fit(const Lexicon& lexicon) {
        enlarge(texts_, lexicon.texts().capacity());
        enlarge(codes_, lexicon.codes().capacity());
    }

    TermCount& operator[](TermId id) { return id & code_bit ? codes_[id & ~code_bit] : texts_[id]; }
    const TermCount& operator[](TermId id) const { return const_cast<TermCounts&>(*this)[id]; }

    class Writer {
      public:
        /// alone: no other thread counts.
        Writer(TermCounts& counts, bool alone)
            : counts_(counts), alone_(alone), frequent_(alone ? 0 : 2 * n_frequent, TermCount{0, 0}) {}

        void prefetch(TermId id) const { __builtin_prefetch(&counts_[id], 1); }

        /// n occurrences in a document.
        void add(TermId id, std::uint32_t n) {
            const TermId number = id & ~code_bit;
            TermCount* count = &counts_[id];
            if (!alone_) {
                if (number >= n_frequent) {
                    std::atomic_ref(count->documents).fetch_add(1, std::memory_order_relaxed);
                    std::atomic_ref(count->occurrences).fetch_add(n, std::memory_order_relaxed);
                    return;
                }
                count = &frequent_[number + (id >> 31) * n_frequent];
            }
            ++count->documents;
            count->occurrences += n;
        }
        /// Adds what was counted apart; while no other thread counts.
        void flush() {
            for (std::size_t i = 0; i < frequent_.size(); ++i)
                if (frequent_[i].documents) {
                    const auto number = static_cast<TermId>(i % n_frequent);
                    TermCount& count = counts_[i < n_frequent ? number : number | code_bit];
                    count.documents += frequent_[i].documents;
                    count.occurrences += frequent_[i].occurrences;
                    frequent_[i] = {0, 0};
                }
        }

      private:
        static constexpr TermId n_frequent = 1 << 14;

        TermCounts& counts_;
        const bool alone_;
        std::vector<TermCount> frequent_; // texts, then codes
    };

  private:
    static void enlarge(Pages<TermCount>& counts, std::size_t size) {
        if (counts.size() >= size) return;
        Pages<TermCount> larger(size);
        std::copy_n(counts.begin(), counts.size(), larger.begin());
        counts = std::move(larger);
    }

    Pages<TermCount> texts_, codes_; // by number
};

} // namespace mlcore::text
