// Counts the terms of one document after the other. With `Grows` terms that are not in the lexicon are added to it;
// without, they are passed over. One thread has one reader; all share the lexicon and the memo of words.
//
//     reader.start(number of the document);
//     while (!reader.read(ctx)) ... all readers come here, the tables are made larger, then all go on ...
//     reader.counter().drain(...);
#pragma once

#include "core/context.hpp"
#include "text/analysis/analysis.hpp"
#include "text/analysis/character_reader.hpp"
#include "text/analysis/word_reader.hpp"
#include "text/unicode/document.hpp"
#include "text/unicode/encode.hpp"
#include "text/vectorizer/document_counter.hpp"
#include "text/vectorizer/lexicon.hpp"
#include "text/vectorizer/word_memo.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mlcore::text {

/// The lexicon as a reader has it: looked up only, or added to.
template <bool Grows>
class TermFinder {
  public:
    TermFinder(Lexicon& lexicon, std::size_t worker)
        requires Grows
        : lexicon_(lexicon), writer_(&lexicon.writer(worker)) {}
    TermFinder(const Lexicon& lexicon, std::size_t)
        requires(!Grows)
        : lexicon_(lexicon) {}

    const Lexicon& lexicon() const { return lexicon_; }

    /// False if the lexicon has to grow before so many terms are looked up.
    bool claim(std::size_t n_texts, std::size_t n_codes) {
        if constexpr (Grows)
            return lexicon_.claim(*writer_, n_texts, n_codes);
        else
            return true;
    }
    TermId text(const WordKey& key, std::string_view text) {
        if constexpr (Grows)
            return lexicon_.add_text(key, text, *writer_);
        else
            return lexicon_.find_text(key, text.data());
    }
    TermId code(std::uint64_t code) {
        if constexpr (Grows)
            return lexicon_.add_code(code, *writer_);
        else
            return lexicon_.find_code(code);
    }
    TermId characters(const WordKey& key, std::string_view text) {
        if constexpr (Grows)
            return lexicon_.add_characters(key, text, *writer_);
        else
            return lexicon_.find_characters(key, text.data());
    }

  private:
    std::conditional_t<Grows, Lexicon, const Lexicon>& lexicon_;
    Lexicon::Writer* writer_ = nullptr;
};

template <bool Grows>
class TermReader {
  public:
    using Terms = std::conditional_t<Grows, Lexicon, const Lexicon>;

    /// `worker`: which writer of the lexicon and of the memo is this reader's.
    TermReader(std::span<const Document> documents, const Analysis& analysis, Terms& lexicon, WordMemo& memo,
               std::size_t worker)
        : documents_(documents), analysis_(analysis), terms_(lexicon, worker), memo_(memo),
          memo_writer_(memo.writer(worker)), n_stop_(static_cast<TermId>(lexicon.n_stop_words())),
          batch_(std::clamp<std::size_t>(2048 / analysis.max_n, 1, max_batch)), carried_(analysis.max_n) {
        if (analysis.level == Level::character)
            characters_.emplace(analysis.analyzer, analysis.max_n - 1);
        else
            words_.emplace(analysis.analyzer);
    }

    void start(std::size_t number) {
        const Document& document = documents_[number];
        if (analysis_.level == Level::character)
            characters_->start(document);
        else
            words_->start(document);
        run_ = {};
        position_ = 0;
        character_run_ = {};
        end_ = 0;
        n_ = analysis_.min_n;
        std::fill(carried_.begin(), carried_.end(), no_term);
    }

    /// True at the end of the document, false if the tables have to grow first.
    bool read(const RunContext& ctx) {
        switch (analysis_.level) {
        case Level::word:
            return read_words(ctx);
        case Level::character:
            return read_characters(ctx);
        default:
            return read_within_words(ctx);
        }
    }

    DocumentCounter& counter() { return counter_; }

  private:
    static constexpr std::size_t max_batch = 64;
    static constexpr std::size_t readable_beyond = Normaliser::slack / 2; // the last character of a run, or of a word

    // ---- words and their n-grams ------------------------------------------------------------------------------------

    bool next_run(const RunContext& ctx) {
        if (++n_runs_ % 64 == 0) ctx.checkpoint();
        position_ = 0;
        return words_->next(run_);
    }

    bool read_words(const RunContext& ctx) {
        for (;;) {
            for (; position_ < run_.size(); position_ += std::min(batch_, run_.size() - position_)) {
                if (!terms_.claim(batch_, batch_ * (analysis_.max_n - 1))) return false;
                count_words(position_, std::min(batch_, run_.size() - position_));
            }
            if (!next_run(ctx)) return true;
        }
    }

    void count_words(std::size_t begin, std::size_t n) {
        WordKey keys[max_batch];
        TermId words[max_batch];
        for (std::size_t i = 0; i < n; ++i) {
            keys[i] = word_key(run_[begin + i], words_->readable());
            terms_.lexicon().texts().prefetch(keys[i]);
        }
        std::size_t n_words = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const TermId id = terms_.text(keys[i], run_[begin + i]);
            words[n_words] = id;
            n_words += id >= n_stop_;
        }
        if (analysis_.min_n == 1)
            for (std::size_t i = 0; i < n_words; ++i) count(words[i]);
        if (analysis_.max_n > 1 && n_words > 0) count_ngrams({words, n_words});
    }

    /// n-grams of two words and more that end with one of these words. carried_[n - 1] is the n-gram that ends with
    /// the word before them.
    void count_ngrams(std::span<const TermId> words) {
        TermId shorter[max_batch + 1]; // the n-grams of one word less, from that which ends before `words` on
        std::uint64_t pairs[max_batch];
        std::copy(words.begin(), words.end(), shorter + 1);
        for (std::size_t n = 2; n <= analysis_.max_n; ++n) {
            shorter[0] = std::exchange(carried_[n - 2], shorter[words.size()]);
            for (std::size_t i = 0; i < words.size(); ++i) {
                pairs[i] = Lexicon::pair(shorter[i], words[i]);
                terms_.lexicon().codes().prefetch(pairs[i]);
            }
            for (std::size_t i = words.size(); i-- > 0;) {
                const bool exists = shorter[i] != no_term && words[i] != no_term;
                shorter[i + 1] = exists ? terms_.code(pairs[i]) : no_term;
            }
            if (n >= analysis_.min_n)
                for (std::size_t i = 0; i < words.size(); ++i) count(shorter[i + 1]);
        }
    }

    void count(TermId id) {
        if (id != no_term) counter_.add(id);
    }

    auto counting() {
        return [this](TermId id) { counter_.add(id); };
    }

    // ---- n-grams of characters --------------------------------------------------------------------------------------

    /// Asks the memory for the n-grams that end with one of the characters [first, last): look_up comes next.
    void gather(const char* bytes, const std::uint32_t* offsets, std::size_t first, std::size_t last, std::size_t n,
                const char* readable) {
        for (std::size_t i = std::max(first, n - 1); i < last; ++i) {
            const char* const begin = bytes + offsets[i + 1 - n];
            const auto size = static_cast<std::size_t>(bytes + offsets[i + 1] - begin);
            grams_.push_back({word_key({begin, size}, readable), begin});
            terms_.lexicon().prefetch_characters(grams_.back().key);
        }
    }

    /// f(term) for what was gathered.
    template <class F>
    void look_up(F&& f) {
        for (const Gram& gram : grams_)
            if (const TermId id = terms_.characters(gram.key, {gram.begin, gram.key.length}); id != no_term) f(id);
        grams_.clear();
    }

    /// Counts all n-grams of up to `longest` characters that end with one of [end_, n_characters), from length n_ on.
    bool count_characters(const char* bytes, const std::uint32_t* offsets, std::size_t n_characters,
                          std::size_t longest) {
        if (end_ == n_characters) return true;
        const char* const readable = bytes + offsets[n_characters] + readable_beyond;
        for (; end_ < n_characters; n_ = analysis_.min_n) {
            const std::size_t last = std::min(end_ + max_batch, n_characters);
            for (; n_ <= std::min(longest, last); ++n_) {
                if (!terms_.claim(max_batch, max_batch)) return false;
                gather(bytes, offsets, end_, last, n_, readable);
                look_up(counting());
            }
            end_ = last;
        }
        return true;
    }

    bool read_characters(const RunContext& ctx) {
        for (;;) {
            if (!count_characters(character_run_.bytes, character_run_.offsets, character_run_.size, analysis_.max_n))
                return false;
            if (++n_runs_ % 64 == 0) ctx.checkpoint();
            if (!characters_->next(character_run_)) return true;
            end_ = character_run_.repeated;
        }
    }

    // ---- n-grams of characters within words -------------------------------------------------------------------------

    bool read_within_words(const RunContext& ctx) {
        for (;;) {
            while (position_ < run_.size()) {
                const std::size_t begin = position_, n = std::min(max_batch / 2, run_.size() - begin);
                WordKey keys[max_batch / 2];
                for (std::size_t i = 0; i < n; ++i) {
                    keys[i] = word_key(run_[begin + i], words_->readable());
                    memo_.prefetch(keys[i]);
                }
                for (; position_ < begin + n; ++position_)
                    if (!count_within_word(run_[position_], keys[position_ - begin])) return false;
            }
            if (!next_run(ctx)) break;
        }
        word_counter_.drain([&](TermId word) { memo_.prefetch_terms(static_cast<std::int32_t>(word)); },
                            [&](TermId word, std::uint32_t times) {
                                for (const TermId id : memo_.terms(static_cast<std::int32_t>(word)))
                                    counter_.add(id, times);
                            });
        return true;
    }

    bool count_within_word(std::string_view word, const WordKey& key) {
        if (memo_.accepts(word)) {
            const std::int32_t known = memo_.find(key, word.data());
            if (known >= 0) {
                word_counter_.add(static_cast<TermId>(known));
                return true;
            }
        }
        if (end_ == 0 && n_ == analysis_.min_n) set_offsets(word);
        const std::size_t size = offsets_.size() - 1;
        const char* const padded = word.data() - 1; // the reader has put blanks around it
        // A word that is shorter than all n-grams counts once as a whole.
        const bool whole = size < analysis_.min_n;
        const std::size_t longest = std::min(analysis_.max_n, size), shortest = std::min(analysis_.min_n, size);
        const std::size_t bound = size * (longest - shortest + 1);
        if (memo_.accepts(word) && bound <= 1024 && memo_.has_room()) {
            if (!terms_.claim(bound, bound) || !memo_.claim(memo_writer_)) return false;
            list_.clear();
            const char* const readable = padded + offsets_[size] + readable_beyond;
            for (std::size_t n = shortest; n <= longest; ++n) gather(padded, offsets_.data(), 0, size, n, readable);
            look_up([&](TermId id) { list_.push_back(id); });
            word_counter_.add(static_cast<TermId>(memo_.add(key, word, list_, memo_writer_)));
            return true;
        }
        if (whole) {
            if (!terms_.claim(1, 1)) return false;
            gather(padded, offsets_.data(), size - 1, size, size, padded + offsets_[size]);
            look_up(counting());
            return true;
        }
        if (!count_characters(padded, offsets_.data(), size, longest)) return false;
        end_ = 0;
        return true;
    }

    /// Of the characters of the padded word.
    void set_offsets(std::string_view word) {
        offsets_.assign(1, 0);
        for (std::uint32_t i = 0; i < word.size(); ++i)
            if (!continues_character(word[i])) offsets_.push_back(i + 1);
        offsets_.push_back(static_cast<std::uint32_t>(word.size() + 1));
        offsets_.push_back(static_cast<std::uint32_t>(word.size() + 2));
    }

    const std::span<const Document> documents_;
    const Analysis& analysis_;
    TermFinder<Grows> terms_;
    WordMemo& memo_;
    WordMemo::Writer& memo_writer_;
    std::optional<WordReader> words_; // or ...
    std::optional<CharacterReader> characters_;
    const TermId n_stop_;
    const std::size_t batch_; // words that are looked up together
    DocumentCounter counter_, word_counter_;
    std::size_t n_runs_ = 0;

    // Where a document is.
    WordRun run_;
    std::size_t position_ = 0; // next word of the run
    std::vector<TermId> carried_;
    CharacterRun character_run_{};
    std::size_t end_ = 0; // next character, the last one of n-grams
    std::size_t n_ = 0;   // length of the next n-grams that end there

    struct Gram {
        WordKey key;
        const char* begin;
    };
    std::vector<Gram> grams_;
    std::vector<std::uint32_t> offsets_; // of the characters of a word
    std::vector<TermId> list_;
};

} // namespace mlcore::text
