#include "text/analysis/character_reader.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace mlcore::text {
namespace {

/// The first position in [from, end) whose bit and the next one are set, which all but several of white space lie
/// before; if there is none, end - 1 if its bit is set, because the next one is not known, else end. Bits from `end` on
/// are 0.
std::size_t find_pair(const std::uint64_t* bits, std::size_t from, std::size_t end) {
    std::uint64_t here = bits[from / 64] >> from % 64 << from % 64;
    for (std::size_t block = from / 64;; here = bits[++block]) {
        const bool last = (block + 1) * 64 >= end;
        const std::uint64_t pairs = here & (here >> 1 | (last ? 0 : bits[block + 1] << 63));
        if (pairs) return block * 64 + static_cast<std::size_t>(std::countr_zero(pairs));
        if (last) return end - (here >> (end - 1) % 64 & 1);
    }
}

} // namespace

CharacterReader::CharacterReader(const Analyzer& analyzer, std::size_t overlap)
    : text_(analyzer), overlap_(overlap), of_space_(analyzer.options().rule == TokenRule::space()) {}

void CharacterReader::start(const Document& document) {
    MLCORE_CHECK(of_space_, "characters are read by the rule of white space");
    text_.start(document);
    n_bytes_ = n_characters_ = n_spaces_ = 0;
    done_ = false;
}

bool CharacterReader::next(CharacterRun& run) {
    if (done_) return false;
    const std::size_t repeated = std::min(overlap_, n_characters_);
    if (n_characters_ > 0) {
        const std::size_t first = offsets_[n_characters_ - repeated];
        std::memmove(bytes_.data(), bytes_.data() + first, n_bytes_ - first);
        n_bytes_ -= first;
    }
    const std::size_t kept = n_bytes_;
    bool ascii = kept == repeated;
    // Nothing may come of what is read: white space that goes on, characters that are no ASCII.
    while (n_bytes_ == kept && !done_) {
        const std::size_t begin = 64, end = text_.read(begin, Normaliser::batch_bytes);
        const std::size_t needed = n_bytes_ + (end - begin) + 2 * max_utf8 + Normaliser::slack;
        if (bytes_.size() < needed) bytes_.resize(needed);
        append_batch(begin, end);
        ascii = ascii && text_.ascii();
        done_ = text_.exhausted();
        if (done_) release_space();
    }
    if (n_bytes_ == kept) return false;
    if (n_bytes_ > 0x7FFFFFFF) throw ValueError("n-grams of characters are longer than 2 GiB");
    find_characters(ascii);
    run = {bytes_.data(), offsets_.data(), n_characters_, repeated, n_characters_ == n_bytes_};
    return true;
}

void CharacterReader::find_characters(bool ascii) {
    if (offsets_.size() < n_bytes_ + 1) offsets_.resize(n_bytes_ + 1);
    n_characters_ = n_bytes_;
    if (ascii) {
        std::iota(offsets_.begin(), offsets_.begin() + static_cast<std::ptrdiff_t>(n_bytes_ + 1), 0U);
        return;
    }
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_bytes_; ++i) {
        offsets_[n] = static_cast<std::uint32_t>(i);
        n += !continues_character(bytes_[i]);
    }
    offsets_[n] = static_cast<std::uint32_t>(n_bytes_);
    n_characters_ = n;
}

void CharacterReader::append_batch(std::size_t begin, std::size_t end) {
    const char* bytes = text_.bytes();
    const std::uint64_t* is_space = text_.bits();
    const auto space_at = [&](std::size_t i) { return (is_space[i / 64] >> i % 64 & 1) != 0; };
    for (std::size_t i = begin; i < end;) {
        // White space that stands alone goes with what is around it.
        const std::size_t stop = n_spaces_ > 0 && space_at(i) ? i : find_pair(is_space, i, end);
        if (stop > i) {
            release_space();
            append(bytes + i, stop - i);
        }
        for (i = stop; i < end && space_at(i); i += utf8_length(bytes[i]))
            if (++n_spaces_ == 1) {
                space_size_ = utf8_length(bytes[i]);
                std::memcpy(space_, bytes + i, space_size_);
            }
    }
}

void CharacterReader::append(const char* bytes, std::size_t size) {
    std::memcpy(bytes_.data() + n_bytes_, bytes, size);
    n_bytes_ += size;
}

void CharacterReader::release_space() {
    if (n_spaces_ == 1) append(space_, space_size_);
    if (n_spaces_ > 1) append(" ", 1);
    n_spaces_ = 0;
}

} // namespace mlcore::text
