#include "text/analysis/normaliser.hpp"

#include "text/analysis/byte_block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mlcore::text {
namespace {

constexpr std::size_t block = 64;
/// What one step may write beyond its limit: a block, or all that one character becomes and a few bytes too many.
constexpr std::size_t overhang = 128;

/// Bytes and bits, written one after the other.
class Output {
  public:
    Output(char* bytes, std::uint64_t* bits, std::size_t begin) : bytes_(bytes), bits_(bits), position_(begin) {}

    std::size_t position() const { return position_; }
    char* next() { return bytes_ + position_; }

    /// Goes on by up to 64 bytes, which are there already.
    void advance(std::size_t n, std::uint64_t bits) {
        const std::size_t shift = position_ % 64;
        pending_ |= bits << shift;
        if (shift + n >= 64) {
            bits_[position_ / 64] = pending_;
            pending_ = shift ? bits >> (64 - shift) : 0;
        }
        position_ += n;
    }
    void append(const Analyzer::Entry& entry) {
        std::memcpy(next(), entry.utf8, max_utf8);
        advance(entry.size, entry.bits);
    }
    void finish() {
        bits_[position_ / 64] = pending_;
        bits_[position_ / 64 + 1] = 0;
    }

  private:
    char* const bytes_;
    std::uint64_t* const bits_;
    std::size_t position_;
    std::uint64_t pending_ = 0; // bits of the 64 bytes around the position
};

} // namespace

Normaliser::Normaliser(const Analyzer& analyzer) : analyzer_(analyzer) { reserve(block + batch_bytes); }

void Normaliser::start(const Document& document) {
    document_ = document;
    next_ = 0;
}

void Normaliser::reserve(std::size_t n_bytes) {
    const std::size_t needed = n_bytes + overhang + slack;
    if (bytes_.size() >= needed) return;
    bytes_.resize(needed);
    bits_.resize(needed / 64 + 2);
}

std::size_t Normaliser::read(std::size_t begin, std::size_t n_bytes) {
    reserve(begin + n_bytes);
    return visit_width(document_, [&](const auto* p) { return read_from(p, begin, begin + n_bytes); });
}

template <class T>
std::size_t Normaliser::read_from(const T* p, std::size_t begin, std::size_t limit) {
    const BlockReader reader(analyzer_);
    const std::size_t n = document_.size;
    Output out(bytes_.data(), bits_.data(), begin);
    std::size_t i = next_;
    ascii_ = true;
    while (i < n && out.position() < limit) {
        BlockBits bits;
        if (n - i >= block) [[likely]] {
            bits = reader.read(p + i, out.next());
        } else {
            T padded[block] = {};
            std::memcpy(padded, p + i, (n - i) * sizeof(T));
            bits = reader.read(padded, out.next());
        }
        const std::size_t n_ascii = std::min({block, n - i, static_cast<std::size_t>(std::countr_zero(bits.beyond))});
        out.advance(n_ascii, n_ascii == block ? bits.members : bits.members & ((std::uint64_t{1} << n_ascii) - 1));
        i += n_ascii;
        if (!bits.beyond) continue;
        ascii_ = false;
        // A blank between two words that are not ASCII is not worth a block.
        for (; i < n && out.position() < limit && (p[i] | p[std::min(i + 1, n - 1)]) >= 0x80; ++i) {
            const Analyzer::Page& page = analyzer_.page(p[i]);
            const Analyzer::Entry* entry = &page.entries[p[i] % page_size];
            out.append(*entry);
            while (entry->more) [[unlikely]] {
                entry = &page.more[entry->more - std::size_t{1}];
                out.append(*entry);
            }
        }
    }
    next_ = i;
    out.finish();
    return out.position();
}

} // namespace mlcore::text
