#include "text/unicode/character_table.hpp"

namespace mlcore::text {
namespace {

/// The page of characters that remain as they are: such pages have no text.
const CharacterTable::AccentPage no_accents;

} // namespace

void CharacterTable::append_lower(char32_t c, std::u32string& out) const {
    const CasePage* page = cases_[c / page_size].load(std::memory_order_acquire);
    if (!page) {
        out += c;
        return;
    }
    const auto place = static_cast<std::uint8_t>(c % page_size);
    for (const auto& [character, lower] : page->long_lower)
        if (character == place) {
            out += lower;
            return;
        }
    out += static_cast<char32_t>(static_cast<std::int32_t>(c) + page->lower[place]);
}

void CharacterTable::append_without_accents(char32_t c, Accents accents, std::u32string& out) const {
    const AccentPage* page = accents_[c / page_size].load(std::memory_order_acquire);
    const std::size_t before = out.size();
    if (accents == Accents::keep || !page || page->text.empty()) {
        out += c;
    } else {
        const std::size_t place = c % page_size, start = page->starts[place];
        out.append(page->text, start, page->starts[place + 1] - start);
    }
    if (accents == Accents::ascii) {
        std::size_t kept = before;
        for (std::size_t i = before; i < out.size(); ++i)
            if (out[i] < 0x80) out[kept++] = out[i];
        out.resize(kept);
    }
}

void CharacterTable::set_cases(std::size_t page, const CasePage& values) {
    if (has_cases(page)) return;
    // Unassigned characters and ideographs fill thousands of pages, all alike.
    if (case_pages_.empty() || !(*case_pages_.back() == values))
        case_pages_.push_back(std::make_unique<const CasePage>(values));
    cases_[page].store(case_pages_.back().get(), std::memory_order_release);
}

void CharacterTable::set_accents(std::size_t page, const AccentPage& values) {
    if (has_accents(page)) return;
    accent_pages_.push_back(std::make_unique<const AccentPage>(values));
    accents_[page].store(accent_pages_.back().get(), std::memory_order_release);
}

void CharacterTable::set_no_accents(std::size_t page) {
    if (!has_accents(page)) accents_[page].store(&no_accents, std::memory_order_release);
}

void CharacterTable::set_categories(std::size_t page, const CategoryPage& values) {
    if (has_categories(page)) return;
    if (category_pages_.empty() || *category_pages_.back() != values)
        category_pages_.push_back(std::make_unique<const CategoryPage>(values));
    categories_[page].store(category_pages_.back().get(), std::memory_order_release);
}

} // namespace mlcore::text
