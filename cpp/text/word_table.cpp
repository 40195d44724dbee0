#include "text/word_table.hpp"

#include "core/error.hpp"
#include "text/utf8.hpp"

namespace mlcore::text {

// Two words of the input at a time, multiplied to 128 bits and folded, so that every bit depends on every other.
std::uint64_t word_key_parts::hash(const char* p, std::size_t n) {
    __extension__ using Wide = unsigned __int128;
    const auto fold = [](std::uint64_t a, std::uint64_t b) {
        const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    const char* const end = p + n;
    std::uint64_t hash = n;
    for (; end - p > 16; p += 16) hash = fold(load8(p) ^ hash, load8(p + 8));
    return fold(load8(end - 16) ^ hash, load8(end - 8));
}

WordTable::WordTable() { rebuild(10); }

std::int32_t WordTable::insert(const WordKey& key, std::string_view word) {
    if (size() >= max_words)
        throw ValueError("more than " + std::to_string(max_words) + " distinct words: this is not a text");
    if (word.size() > max_word_bytes)
        throw ValueError("a word of " + std::to_string(word.size()) + " bytes is too long: the limit is " +
                         std::to_string(max_word_bytes));
    if (2 * (size() + 1) > slots_.size()) rebuild(std::countr_zero(slots_.size()) + 1);
    const auto id = static_cast<std::int32_t>(size());
    pool_.insert(pool_.end(), word.begin(), word.end());
    starts_.push_back(pool_.size());
    counts_.push_back(0);
    place(key, id);
    return id;
}

std::int32_t WordTable::insert_checked(const WordKey& key, std::string_view word, const std::string& source,
                                       std::uint64_t offset) {
    check_word(word, source, offset);
    return insert(key, word);
}

void WordTable::reserve(std::size_t n_words) {
    const int wanted = std::bit_width(2 * n_words);
    if ((std::size_t{1} << wanted) > slots_.size()) rebuild(wanted);
    starts_.reserve(n_words + 1);
    counts_.reserve(n_words);
}

void WordTable::rebuild(int log2_slots) {
    Buffer<Slot> slots(std::size_t{1} << log2_slots, Slot{0, 0, 0, -1});
    std::swap(slots, slots_);
    last_slot_ = slots_.size() - 1;
    shift_ = 64 - log2_slots;
    for (std::size_t i = 0; i < size(); ++i) { // by id: the frequent ones first
        const auto id = static_cast<std::int32_t>(i);
        place(word_key(word(id), pool_.data() + pool_.size()), id);
    }
}

void WordTable::place(const WordKey& key, std::int32_t id) {
    std::size_t i = home(key);
    while (slots_[i].id >= 0) i = (i + 1) & last_slot_;
    slots_[i] = {key.head, key.tail, key.length, id};
}

} // namespace mlcore::text
