#include "text/vectorizer/term_order.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

namespace mlcore::text {
namespace {

struct Item {
    std::uint64_t digit; // the first part of the term that matters
    TermId id;
};

/// Sorts items of which the digits are set, those that are equal by further digits, and what is equal to the end of
/// both by less(). `Terms` has digit(id, depth), ends(id, depth): nothing comes after this digit, less(id, id).
template <class Terms>
void sort_items(std::span<Item> items, std::size_t depth, const Terms& terms) {
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.digit < b.digit; });
    for (std::size_t begin = 0, end; begin < items.size(); begin = end) {
        for (end = begin + 1; end < items.size() && items[end].digit == items[begin].digit;) ++end;
        const auto same = items.subspan(begin, end - begin);
        if (same.size() == 1) continue;
        const bool goes_on =
            std::any_of(same.begin(), same.end(), [&](const Item& i) { return !terms.ends(i.id, depth); });
        if (same.size() < 16 || !goes_on) {
            std::sort(same.begin(), same.end(), [&](const Item& a, const Item& b) { return terms.less(a.id, b.id); });
        } else {
            for (Item& item : same) item.digit = terms.digit(item.id, depth + 1);
            sort_items(same, depth + 1, terms);
        }
    }
}

/// The items are dealt into buckets between digits of a sample, which are then sorted each by one thread.
template <class Terms>
void sort_by_digits(const RunContext& ctx, std::vector<TermId>& ids, const Terms& terms) {
    const std::size_t n = ids.size();
    Buffer<Item> items(n);
    parallel_ranges(ctx, n, 20, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) items[i] = {terms.digit(ids[i], 0), ids[i]};
    });
    const double ns_per_item = 60;
    const auto n_threads = static_cast<std::size_t>(threads_for(ctx, ns_per_item * static_cast<double>(n)));
    if (n_threads == 1) {
        sort_items(items.span(), 0, terms);
    } else {
        const std::size_t n_buckets = 8 * n_threads, n_sample = 32 * n_buckets;
        std::vector<std::uint64_t> sample(n_sample), cuts;
        for (std::size_t i = 0; i < n_sample; ++i) sample[i] = items[i * n / n_sample].digit;
        std::sort(sample.begin(), sample.end());
        for (std::size_t b = 1; b < n_buckets; ++b) cuts.push_back(sample[b * n_sample / n_buckets]);
        const auto bucket_of = [&](const Item& item) {
            return static_cast<std::size_t>(std::upper_bound(cuts.begin(), cuts.end(), item.digit) - cuts.begin());
        };
        const std::size_t n_parts = n_threads; // each counts and deals items of its own
        std::vector<std::size_t> starts(n_parts * n_buckets);
        const auto for_parts = [&](auto&& f) {
            parallel_tasks(ctx, n_parts, 15 * static_cast<double>(n / n_parts), [&](std::size_t part, int) {
                std::size_t* const own = &starts[part * n_buckets];
                for (std::size_t i = part * n / n_parts; i < (part + 1) * n / n_parts; ++i) f(items[i], own);
            });
        };
        for_parts([&](const Item& item, std::size_t* counts) { ++counts[bucket_of(item)]; });
        std::vector<std::size_t> bucket_starts(n_buckets + 1);
        std::size_t start = 0;
        for (std::size_t b = 0; b < n_buckets; ++b) {
            bucket_starts[b] = start;
            for (std::size_t part = 0; part < n_parts; ++part)
                start += std::exchange(starts[part * n_buckets + b], start);
        }
        bucket_starts[n_buckets] = n;
        Buffer<Item> dealt(n);
        for_parts([&](const Item& item, std::size_t* places) { dealt[places[bucket_of(item)]++] = item; });
        items = std::move(dealt);
        parallel_tasks(ctx, n_buckets, ns_per_item * static_cast<double>(n / n_buckets), [&](std::size_t b, int) {
            sort_items(items.span().subspan(bucket_starts[b], bucket_starts[b + 1] - bucket_starts[b]), 0, terms);
        });
    }
    for (std::size_t i = 0; i < n; ++i) ids[i] = items[i].id;
}

/// Eight bytes of a text, zeros where it has ended.
std::uint64_t eight_bytes(std::string_view text, std::size_t begin) {
    begin = std::min(begin, text.size());
    unsigned char bytes[8] = {};
    std::memcpy(bytes, text.data() + begin, std::min<std::size_t>(8, text.size() - begin));
    std::uint64_t value = 0;
    for (const unsigned char byte : bytes) value = value << 8 | byte;
    return value;
}

/// Of texts, eight bytes a digit. text(id, buffer): the text of a term, in the buffer of 8 bytes if that is needed.
template <class Text>
struct TextDigits {
    Text text;

    std::uint64_t digit(TermId id, std::size_t depth) const {
        char buffer[8];
        return eight_bytes(text(id, buffer), 8 * depth);
    }
    bool ends(TermId id, std::size_t depth) const {
        char buffer[8];
        return text(id, buffer).size() <= 8 * (depth + 1);
    }
    bool less(TermId a, TermId b) const {
        char buffer_a[8], buffer_b[8];
        return text(a, buffer_a) < text(b, buffer_b);
    }
};
template <class Text>
TextDigits(Text) -> TextDigits<Text>;

/// The words of a term, from the first to the last.
void words_of(const Lexicon& lexicon, TermId id, std::vector<TermId>& words) {
    words.clear();
    for (; id & code_bit; id = lexicon.before_last(id)) words.push_back(lexicon.last(id));
    words.push_back(id);
    std::reverse(words.begin(), words.end());
}

/// Terms as sequences of words, each of which has its place in the order of all words.
class RankDigits {
  public:
    RankDigits(const Lexicon& lexicon, std::span<const std::uint32_t> ranks, std::size_t n_words)
        : lexicon_(lexicon), ranks_(ranks), bits_(std::max(1, static_cast<int>(std::bit_width(n_words)))),
          per_digit_(static_cast<std::size_t>(64 / bits_)) {}

    std::uint64_t digit(TermId id, std::size_t depth) const {
        std::uint64_t value = 0;
        std::size_t place = length(id); // of the word that is next, from behind
        for (bool more = true; more;) {
            more = id & code_bit;
            const TermId word = more ? lexicon_.last(id) : id;
            --place;
            if (place / per_digit_ == depth)
                value |= static_cast<std::uint64_t>(ranks_[word] + 1)
                         << (64 - bits_ * static_cast<int>(place % per_digit_ + 1));
            if (more) id = lexicon_.before_last(id);
        }
        return value;
    }
    bool ends(TermId id, std::size_t depth) const { return length(id) <= (depth + 1) * per_digit_; }
    bool less(TermId a, TermId b) const {
        thread_local std::vector<TermId> words_a, words_b;
        words_of(lexicon_, a, words_a);
        words_of(lexicon_, b, words_b);
        return std::lexicographical_compare(words_a.begin(), words_a.end(), words_b.begin(), words_b.end(),
                                            [&](TermId x, TermId y) { return ranks_[x] < ranks_[y]; });
    }

  private:
    std::size_t length(TermId id) const {
        std::size_t n = 1;
        for (; id & code_bit; id = lexicon_.before_last(id)) ++n;
        return n;
    }

    const Lexicon& lexicon_;
    const std::span<const std::uint32_t> ranks_;
    const int bits_;
    const std::size_t per_digit_; // words
};

/// f(text) for the pieces of a term that are joined by blanks, from the last to the first.
template <class F>
void for_pieces(const Lexicon& lexicon, TermId id, F&& f) {
    if (lexicon.kind() == Codes::ngrams)
        for (; id & code_bit; id = lexicon.before_last(id)) f(lexicon.text(lexicon.last(id)));
    char buffer[8];
    f(lexicon.characters(id, buffer));
}

} // namespace

std::vector<std::string_view> views(const PackedTerms& terms) {
    std::vector<std::string_view> all(terms.starts.size() - 1);
    const char* const bytes = reinterpret_cast<const char*>(terms.bytes.data());
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = {bytes + terms.starts[i], static_cast<std::size_t>(terms.starts[i + 1] - terms.starts[i])};
    return all;
}

PackedTerms pack_terms(const RunContext& ctx, const Lexicon& lexicon, std::span<const TermId> terms) {
    PackedTerms packed;
    packed.starts = Buffer<std::int64_t>(terms.size() + 1);
    packed.starts[0] = 0;
    parallel_ranges(ctx, terms.size(), 30, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            std::int64_t size = -1;
            for_pieces(lexicon, terms[i],
                       [&](std::string_view text) { size += static_cast<std::int64_t>(text.size()) + 1; });
            packed.starts[i + 1] = size;
        }
    });
    for (std::size_t i = 0; i < terms.size(); ++i) packed.starts[i + 1] += packed.starts[i];
    packed.bytes = Buffer<std::uint8_t>(static_cast<std::size_t>(packed.starts[terms.size()]));
    parallel_ranges(ctx, terms.size(), 40, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) {
            std::uint8_t* end_of_piece = packed.bytes.data() + packed.starts[i + 1];
            const std::uint8_t* const first = packed.bytes.data() + packed.starts[i];
            for_pieces(lexicon, terms[i], [&](std::string_view text) {
                end_of_piece -= text.size();
                std::copy(text.begin(), text.end(), end_of_piece);
                if (end_of_piece > first) *--end_of_piece = ' ';
            });
        }
    });
    return packed;
}

void sort_terms(const RunContext& ctx, const Lexicon& lexicon, std::vector<TermId>& terms) {
    if (terms.empty()) return;
    if (lexicon.kind() != Codes::ngrams)
        return sort_by_digits(ctx, terms,
                              TextDigits{[&](TermId id, char (&buffer)[8]) { return lexicon.characters(id, buffer); }});

    // All words that terms consist of.
    std::vector<std::uint32_t> ranks(lexicon.texts().n_ids());
    std::vector<TermId> words;
    for (TermId id : terms) {
        for (; id & code_bit; id = lexicon.before_last(id)) ranks[lexicon.last(id)] = 1;
        ranks[id] = 1;
    }
    for (std::size_t i = 0; i < ranks.size(); ++i)
        if (ranks[i]) words.push_back(static_cast<TermId>(i));
    const bool above_blank = std::all_of(words.begin(), words.end(), [&](TermId id) {
        const std::string_view text = lexicon.text(id);
        return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > ' '; });
    });
    if (above_blank) {
        // The blank between words comes before whatever goes on a word: the order is that of sequences of words.
        sort_by_digits(ctx, words, TextDigits{[&](TermId id, char*) { return lexicon.text(id); }});
        for (std::size_t i = 0; i < words.size(); ++i) ranks[words[i]] = static_cast<std::uint32_t>(i);
        return sort_by_digits(ctx, terms, RankDigits(lexicon, ranks, words.size()));
    }
    const PackedTerms packed = pack_terms(ctx, lexicon, terms);
    std::vector<TermId> order(terms.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<TermId>(i);
    const std::vector<std::string_view> texts = views(packed);
    sort_by_digits(ctx, order, TextDigits{[&](TermId i, char*) { return texts[i]; }});
    for (TermId& place : order) place = terms[place];
    terms = std::move(order);
}

} // namespace mlcore::text
