#include "text/tokenizer.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace mlcore::text {
namespace {

constexpr std::size_t block = 64; // bytes, one bit each

// The compiler's own vectors: wider ones are slow where the build's level has no such registers.
constexpr std::size_t width = 16;
using Bytes = std::uint8_t __attribute__((vector_size(width)));
using Halves = std::uint64_t __attribute__((vector_size(width)));

/// Bit i is set if byte i, which is 0 or 0xFF, is not 0.
std::uint64_t to_bits(Bytes bytes) {
    Halves bits = reinterpret_cast<Halves>(bytes) & 0x8040201008040201; // a bit of its own for each byte of eight
    bits |= bits >> 32;
    bits |= bits >> 16;
    bits |= bits >> 8;
    return (bits[0] & 0xFF) | (bits[1] & 0xFF) << 8;
}

struct Masks {
    std::uint64_t space = 0, newline = 0;
};

Masks classify(const char* p) {
    Masks masks;
    for (std::size_t i = 0; i < block; i += width) {
        Bytes bytes;
        std::memcpy(&bytes, p + i, width);
        const auto space = (bytes == ' ') | (bytes - std::uint8_t{'\t'} <= std::uint8_t{'\r' - '\t'});
        masks.space |= to_bits(reinterpret_cast<Bytes>(space)) << i;
        masks.newline |= to_bits(reinterpret_cast<Bytes>(bytes == '\n')) << i;
    }
    return masks;
}

/// Masks of text[from, from + 64); what lies beyond the text counts as spaces.
Masks classify(std::string_view text, std::size_t from) {
    if (text.size() - from >= block) [[likely]]
        return classify(text.data() + from);
    char padded[block];
    std::memset(padded, ' ', block);
    std::memcpy(padded, text.data() + from, text.size() - from);
    return classify(padded);
}

} // namespace

std::size_t find_space(std::string_view text, std::size_t from, std::size_t limit) {
    for (; from < limit; from += block) {
        const std::uint64_t space = classify(text, from).space;
        if (space) return std::min(limit, from + static_cast<std::size_t>(std::countr_zero(space)));
    }
    return limit;
}

Tokenizer::Tokenizer(std::string_view text, std::size_t begin, std::size_t limit)
    : text_(text), limit_(limit), position_(begin) {
    if (begin > 0 && begin < limit && !is_space(text[begin - 1])) position_ = find_space(text, begin, limit);
}

bool Tokenizer::fill() {
    if (position_ >= limit_) return false;
    const std::size_t begin = position_, end = std::min(begin + batch_bytes, limit_);
    base_ = text_.data() + begin;
    word_ = break_ = n_breaks_ = 0;
    std::size_t n_edges = 0;
    std::uint64_t before = 0; // 1 if the byte before the block is in a word that was started here
    for (; position_ < end; position_ += block) {
        Masks masks = classify(text_, position_);
        const std::size_t n = std::min(block, end - position_);
        const std::uint64_t inside = n == block ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
        const std::uint64_t in_word = ~masks.space;
        std::uint64_t edges = (in_word ^ (in_word << 1 | before)) & inside;
        before = in_word >> (n - 1) & 1;
        for (std::uint64_t newlines = masks.newline & inside; newlines; newlines &= newlines - 1) {
            const std::uint64_t up_to = newlines ^ (newlines - 1); // the lowest '\n' and all below it
            breaks_[n_breaks_++] =
                static_cast<std::uint16_t>((n_edges + static_cast<std::size_t>(std::popcount(edges & up_to))) / 2);
        }
        // Eight at a time, what is written too many is overwritten by the next block.
        const auto offset = static_cast<std::uint32_t>(position_ - begin);
        const auto n_here = static_cast<std::size_t>(std::popcount(edges));
        for (std::uint32_t *out = edges_ + n_edges, *last = out + n_here; out < last; out += 8)
            for (int k = 0; k < 8; ++k, edges &= edges - 1)
                out[k] = offset + static_cast<std::uint32_t>(std::countr_zero(edges));
        n_edges += n_here;
    }
    position_ = end;
    if (before) { // a word that goes on: the next batch begins after it
        position_ = find_space(text_, end, text_.size());
        if (position_ - begin > 0x7FFFFFFF)
            throw ValueError("the word at byte " + std::to_string(begin + edges_[n_edges - 1]) +
                             " is longer than 2 GiB: this is not a text");
        edges_[n_edges++] = static_cast<std::uint32_t>(position_ - begin);
    }
    n_words_ = n_edges / 2;
    return true;
}

} // namespace mlcore::text
