#include "text/analysis/analyzer.hpp"

#include <memory>
#include <string>

namespace mlcore::text {

Analyzer::Analyzer(const CharacterTable& table, const AnalyzerOptions& options) : table_(table), options_(options) {
    for (std::size_t high = 0; high < 8; ++high) {
        ascii_.high[high] = static_cast<std::uint8_t>(1 << high);
        for (std::size_t low = 0; low < 16; ++low)
            if (belongs(static_cast<char32_t>(high << 4 | low))) ascii_.low[low] |= ascii_.high[high];
    }
}

Analyzer::~Analyzer() {
    for (const auto& page : pages_) delete page.load(std::memory_order_relaxed);
}

bool Analyzer::belongs(char32_t c) const {
    const TokenRule& rule = options_.rule;
    if (c < 0x80) {
        static constexpr auto is_word = [](char32_t a) {
            return (a >= '0' && a <= '9') || (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z') || a == '_';
        };
        return rule.whole_words ? is_word(c) : rule.ascii[c];
    }
    if (rule.whole_words) return table_.is_word(c);
    switch (rule.others) {
    case TokenRule::Others::none:
        return false;
    case TokenRule::Others::word:
        return table_.is_word(c);
    case TokenRule::Others::space:
        return table_.is_space(c);
    case TokenRule::Others::not_space:
        return !table_.is_space(c);
    }
    return false;
}

Analyzer::Entry Analyzer::entry(char32_t c) const {
    Entry entry{};
    const bool in_set = belongs(c);
    if (blanks_others() && !in_set) c = ' ';
    entry.size = static_cast<std::uint8_t>(encode_utf8(c, entry.utf8));
    if (in_set) entry.bits = static_cast<std::uint8_t>((1 << entry.size) - 1);
    return entry;
}

const Analyzer::Page& Analyzer::make_page(std::size_t number) const {
    auto page = std::make_unique<Page>();
    std::u32string lower, all;
    for (std::size_t i = 0; i < page_size; ++i) {
        const auto c = static_cast<char32_t>(number * page_size + i);
        lower.clear();
        all.clear();
        if (options_.lowercase)
            table_.append_lower(c, lower);
        else
            lower = c;
        for (const char32_t part : lower) table_.append_without_accents(part, options_.accents, all);
        page->entries[i] = all.empty() ? Entry{} : entry(all[0]);
        for (std::size_t k = 1; k < all.size(); ++k) {
            const auto place = static_cast<std::uint16_t>(page->more.size() + 1);
            (k == 1 ? page->entries[i] : page->more.back()).more = place;
            page->more.push_back(entry(all[k]));
        }
    }
    const Page* expected = nullptr; // another thread may have been first
    if (pages_[number].compare_exchange_strong(expected, page.get(), std::memory_order_acq_rel)) return *page.release();
    return *expected;
}

} // namespace mlcore::text
