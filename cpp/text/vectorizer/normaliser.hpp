// A document as UTF-8 in lower case and without accents, where that is asked for, and a bit for each byte that says
// whether its character belongs to the tokens: what WordReader and CharacterReader stand on. See analyzer.hpp.
//
// ASCII goes 64 characters at a time: lower case by one comparison, the bits by two look-ups in registers (one for each
// half of a byte, which can hold any set of ASCII characters). All else goes character by character through pages of
// what becomes of each, made from the CharacterTable when the first of their characters comes.
#pragma once

#include "core/memory.hpp"
#include "text/unicode/character_table.hpp"
#include "text/unicode/document.hpp"
#include "text/unicode/encode.hpp"
#include "text/vectorizer/token_rule.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mlcore::text {

struct AnalyzerOptions {
    bool lowercase = true;
    Accents accents = Accents::keep;
    TokenRule rule = TokenRule::words(2);
};

/// What becomes of each character, and whether that belongs to a token. Any number of threads may read it. The table
/// must outlive it, and have the pages of all characters that come (bindings/text/characters.hpp).
class Analyzer {
  public:
    Analyzer(const CharacterTable& table, const AnalyzerOptions& options);
    ~Analyzer();
    Analyzer(const Analyzer&) = delete;
    Analyzer& operator=(const Analyzer&) = delete;

    const AnalyzerOptions& options() const { return options_; }
    const CharacterTable& table() const { return table_; }

    /// What becomes of one character.
    struct Entry {
        char utf8[max_utf8];
        std::uint8_t size;    // bytes; 0 where nothing remains
        std::uint8_t bits;    // a bit for each byte, set if the character belongs to the set of the rule
        std::uint16_t n_more; // characters after this one: entries of Page::more ...
        std::uint32_t more;   // ... from here on
    };
    struct Page {
        std::array<Entry, page_size> entries;
        std::vector<Entry> more;
    };
    /// The page of a character.
    const Page& page(char32_t c) const {
        const Page* page = pages_[c / page_size].load(std::memory_order_acquire);
        return page ? *page : make_page(c / page_size);
    }

    /// Whether a character, which needs no lower case any more, belongs to the set of the rule.
    bool belongs(char32_t c) const;

    /// Byte b of ASCII belongs to the set if low[b & 15] & high[b >> 4].
    struct Nibbles {
        alignas(16) std::array<std::uint8_t, 16> low{}, high{};
    };
    const Nibbles& ascii() const { return ascii_; }

  private:
    const Page& make_page(std::size_t number) const;
    Entry entry(char32_t c) const;

    const CharacterTable& table_;
    const AnalyzerOptions options_;
    Nibbles ascii_;
    mutable std::array<std::atomic<const Page*>, n_pages> pages_{};
};

/// One thread's buffer for documents, part by part.
class Normaliser {
  public:
    static constexpr std::size_t batch_bytes = 2048;
    static constexpr std::size_t slack = 64; // bytes that may be read beyond the last

    explicit Normaliser(const Analyzer& analyzer);

    void start(const Document& document);
    bool exhausted() const { return next_ == document_.size; }

    /// Reads on, about n_bytes, and writes them from byte `begin` on, a multiple of 64; returns where they end. What
    /// stands before `begin` stays. Bits are those of bytes from `begin` to the end, and 0 up to the next 64.
    std::size_t read(std::size_t begin, std::size_t n_bytes);

    char* bytes() { return bytes_.data(); }
    const char* bytes() const { return bytes_.data(); }
    const std::uint64_t* bits() const { return bits_.data(); }
    const char* readable() const { return bytes_.data() + bytes_.size(); }
    /// The last read gave nothing but ASCII.
    bool ascii() const { return ascii_; }

  private:
    const Analyzer& analyzer_;
    Document document_;
    std::size_t next_ = 0; // code points that were read
    std::vector<char> bytes_;
    std::vector<std::uint64_t> bits_;
    bool ascii_ = true;
};

} // namespace mlcore::text
