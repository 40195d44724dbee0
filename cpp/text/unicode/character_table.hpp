// What is known of each character: whether it belongs to a word, is white space, punctuation, a symbol or a number,
// what its lower case is and what remains of it without accents. The core has no such tables of its own: whoever uses
// it fills in those of the running Python, so that results equal that Python's `re`, `str.lower` and `unicodedata`
// whichever version of Unicode it knows.
//
// Two stages: code point / 256 finds a page, the rest the place in it. Equal pages are kept once. A page is complete
// when it is entered and never changes, so reading needs no lock, even while further pages are being entered (by one
// thread at a time: in Python, the one that holds the GIL). What has no page yet counts as a character of no kind that
// is its own lower case.
//
// From a file of the bindings: `bindings/text/characters.hpp` has the table of the process.
//     const CharacterTable& table = bindings::character_table(documents.width(), Facts::categories);
// From then on the table may be read without the GIL, for documents of that width or less.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// What strip_accents of the vectorizers does to a text.
enum class Accents {
    keep,
    ascii,   // decompose (NFKD), then drop all that is not ASCII
    unicode, // decompose (NFKD), then drop combining characters
};

inline constexpr std::size_t page_size = 256;
inline constexpr std::size_t n_pages = 0x110000 / page_size;

class CharacterTable {
  public:
    // Bits of kinds().
    static constexpr std::uint8_t word = 1;  // \w of Python's re: str.isalnum() or '_'
    static constexpr std::uint8_t space = 2; // \s of re and what str.split() splits at: str.isspace()

    // Bits of categories().
    static constexpr std::uint8_t punctuation = 1; // general category P*
    static constexpr std::uint8_t symbol = 2;      // S*
    static constexpr std::uint8_t number = 4;      // N*

    struct CasePage {
        std::array<std::uint8_t, page_size> kinds{};
        std::array<std::int32_t, page_size> lower{};                     // the lower case minus the character itself
        std::vector<std::pair<std::uint8_t, std::u32string>> long_lower; // by place: lower cases of several characters

        bool operator==(const CasePage&) const = default;
    };
    /// What remains of each character after NFKD without combining characters, one after the other.
    struct AccentPage {
        std::u32string text;
        std::array<std::uint16_t, page_size + 1> starts{};
    };
    using CategoryPage = std::array<std::uint8_t, page_size>;

    CharacterTable() = default;
    CharacterTable(const CharacterTable&) = delete; // pages point into it
    CharacterTable& operator=(const CharacterTable&) = delete;

    std::uint8_t kinds(char32_t c) const {
        const CasePage* page = cases_[c / page_size].load(std::memory_order_acquire);
        return page ? page->kinds[c % page_size] : std::uint8_t{0};
    }
    bool is_word(char32_t c) const { return kinds(c) & word; }
    bool is_space(char32_t c) const { return kinds(c) & space; }

    std::uint8_t categories(char32_t c) const {
        const CategoryPage* page = categories_[c / page_size].load(std::memory_order_acquire);
        return page ? (*page)[c % page_size] : std::uint8_t{0};
    }
    bool is_punctuation(char32_t c) const { return categories(c) & punctuation; }
    bool is_symbol(char32_t c) const { return categories(c) & symbol; }
    bool is_number(char32_t c) const { return categories(c) & number; }

    /// Appends the lower case of a character that stands alone: that of a capital sigma at the end of a word depends on
    /// what is around it (see bindings/text/characters.hpp).
    void append_lower(char32_t c, std::u32string& out) const;

    /// Appends what remains of a character; all of it with Accents::keep.
    void append_without_accents(char32_t c, Accents accents, std::u32string& out) const;

    // ---- filling: by one thread at a time ---------------------------------------------------------------------------

    bool has_cases(std::size_t page) const { return cases_[page].load(std::memory_order_acquire); }
    bool has_accents(std::size_t page) const { return accents_[page].load(std::memory_order_acquire); }
    bool has_categories(std::size_t page) const { return categories_[page].load(std::memory_order_acquire); }

    /// Enter a page that is not there yet; one that is stays as it is.
    void set_cases(std::size_t page, const CasePage& values);
    void set_accents(std::size_t page, const AccentPage& values);
    /// As set_accents, of a page whose characters all remain as they are.
    void set_no_accents(std::size_t page);
    void set_categories(std::size_t page, const CategoryPage& values);

  private:
    std::array<std::atomic<const CasePage*>, n_pages> cases_{};
    std::array<std::atomic<const AccentPage*>, n_pages> accents_{};
    std::array<std::atomic<const CategoryPage*>, n_pages> categories_{};
    // Owners of the pages.
    std::vector<std::unique_ptr<const CasePage>> case_pages_;
    std::vector<std::unique_ptr<const AccentPage>> accent_pages_;
    std::vector<std::unique_ptr<const CategoryPage>> category_pages_;
};

} // namespace mlcore::text
