#include "metrics/translation/token_classes.hpp"

#include <utility>

namespace mlcore::metrics {
namespace {

/// What the tokenizer `zh` sets apart: ideographs, full-width forms and what stands among them. The second range comes
/// from a pair of numbers beyond 0xFFFF that sacreBLEU writes with four digits: it holds dashes, quotation marks and
/// mathematical signs, and ideographs from U+20000 on are not set apart. The same here, for the same scores.
constexpr std::pair<char32_t, char32_t> chinese[] = {
    {0x3400, 0x4DB5}, {0x2001, 0x2A6D}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
    {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF}, {0x3000, 0x303F}, {0x31C0, 0x31EF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF},
    {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0x3200, 0x33FF},
};

bool is_chinese(char32_t c) {
    for (const auto& [first, last] : chinese)
        if (c >= first && c <= last) return true;
    return false;
}

/// 13a and zh.
CharClass western_class(char32_t c) {
    if (c >= '0' && c <= '9') return CharClass::number;
    if (c == '.' || c == ',') return CharClass::mark;
    if (c == '-') return CharClass::dash;
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c > ' ' && c < 0x7F && !letter && c != '\'' ? CharClass::symbol : CharClass::other;
}

} // namespace

TokenClasses::TokenClasses(Tokenization tokenization, const text::CharacterTable* table)
    : tokenization_(tokenization), table_(table) {
    for (std::size_t c = 0; c < latin_.size(); ++c) latin_[c] = class_of(static_cast<char32_t>(c));
}

CharClass TokenClasses::class_of(char32_t c) const {
    if (is_space(c)) return CharClass::space;
    switch (tokenization_) {
    case Tokenization::v13a:
        return western_class(c);
    case Tokenization::zh:
        return is_chinese(c) ? CharClass::symbol : western_class(c);
    case Tokenization::intl:
        if (table_->is_punctuation(c)) return CharClass::mark;
        if (table_->is_symbol(c)) return CharClass::symbol;
        return table_->is_number(c) ? CharClass::number : CharClass::other;
    case Tokenization::character:
        return CharClass::symbol;
    case Tokenization::none:
        break;
    }
    return CharClass::other;
}

} // namespace mlcore::metrics
