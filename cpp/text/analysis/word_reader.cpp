#include "text/analysis/word_reader.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mlcore::text {
namespace {

constexpr std::size_t block = 64;

} // namespace

void WordReader::start(const Document& document) {
    text_.start(document);
    tail_begin_ = tail_end_ = 0;
    done_ = false;
}

bool WordReader::next(WordRun& run) {
    if (done_) return false;
    // A word that was cut is moved to the front, behind a byte for a blank, so that what follows begins a block. As
    // many bytes as it has are read at least: a word of any length is moved a few times only.
    const std::size_t tail = tail_end_ - tail_begin_;
    const std::size_t begin = (tail / block + 1) * block;
    std::memmove(text_.bytes() + begin - tail, text_.bytes() + tail_begin_, tail);
    text_.bytes()[begin - tail - 1] = ' ';
    const std::size_t end = text_.read(begin, std::max(Normaliser::batch_bytes, tail));
    if (end > 0x7FFFFFFF) throw ValueError("a word of a document is longer than 2 GiB: this is not a text");
    text_.bytes()[end] = ' ';
    done_ = text_.exhausted();

    if (edges_.size() < end + 2 * block) edges_.resize(end + 2 * block); // half as many words, at most, as bytes
    edges_[0] = static_cast<std::uint32_t>(begin - tail);
    const std::size_t n_edges = find_edges(begin, end, tail > 0);
    run.base_ = text_.bytes();
    run.edges_ = edges_.data();
    run.size_ = n_edges / 2;
    run.ends_text_ = done_;
    const TokenRule& rule = analyzer_.options().rule;
    if (rule.whole_words || rule.min_length > 2 || (rule.min_length == 2 && !text_.ascii()))
        drop_unfit(run);
    else if (rule.min_length == 2 && run.size_ > 0 && !fits(run[0]))
        run.edges_ += 2, --run.size_; // the part before the cut was not looked at
    return true;
}

std::size_t WordReader::find_edges(std::size_t begin, std::size_t end, bool carried) {
    const std::uint64_t* bits = text_.bits();
    const std::size_t n_blocks = (end + block - 1) / block;
    const bool drop_singles = text_.ascii() && analyzer_.options().rule.min_length > 1;
    std::size_t n_edges = carried;
    std::uint64_t before = carried; // 1 if the byte before the block is in a word
    for (std::size_t b = begin / block; b < n_blocks; ++b) {
        std::uint64_t in_word = bits[b];
        if (drop_singles) {
            std::uint64_t neighbours = (in_word << 1 | before) | (in_word >> 1 | bits[b + 1] << 63);
            if (b + 1 == n_blocks && !done_) neighbours |= std::uint64_t{1} << (end - 1) % block; // it may go on
            in_word &= neighbours;
        }
        std::uint64_t edges = in_word ^ (in_word << 1 | before);
        before = in_word >> 63;
        // Eight at a time, what is written too many is overwritten by the next block.
        const auto offset = static_cast<std::uint32_t>(b * block);
        const auto n_here = static_cast<std::size_t>(std::popcount(edges));
        for (std::uint32_t *out = edges_.data() + n_edges, *last = out + n_here; out < last; out += 8)
            for (int k = 0; k < 8; ++k, edges &= edges - 1)
                out[k] = offset + static_cast<std::uint32_t>(std::countr_zero(edges));
        n_edges += n_here;
    }
    if (end % block != 0 && n_edges > 0 && n_edges % 2 == 0 && edges_[n_edges - 1] == end) --n_edges;
    // An odd number: the last word reaches the end of what was read.
    tail_begin_ = tail_end_ = 0;
    if (n_edges % 2 != 0) {
        if (done_) {
            edges_[n_edges++] = static_cast<std::uint32_t>(end);
        } else {
            tail_begin_ = edges_[--n_edges];
            tail_end_ = end;
        }
    }
    return n_edges;
}

bool WordReader::fits(std::string_view word) const {
    const TokenRule& rule = analyzer_.options().rule;
    if (rule.whole_words)
        for (const char c : word)
            if (static_cast<unsigned char>(c) >= 0x80 || !rule.ascii[static_cast<std::size_t>(c)]) return false;
    if (rule.min_length == 2) return word.size() > utf8_length(word[0]);
    const auto continuing = std::count_if(word.begin(), word.end(), continues_character);
    return word.size() - static_cast<std::size_t>(continuing) >= rule.min_length;
}

void WordReader::drop_unfit(WordRun& run) {
    std::uint32_t* out = edges_.data();
    for (std::size_t i = 0; i < run.size_; ++i) {
        const bool keep = fits(run[i]); // writes behind what it reads
        out[0] = edges_[2 * i];
        out[1] = edges_[2 * i + 1];
        out += keep ? 2 : 0;
    }
    run.size_ = static_cast<std::size_t>(out - edges_.data()) / 2;
}

} // namespace mlcore::text
