// A document as UTF-8 in lower case and without accents, where that is asked for, and a bit for each byte that says
// whether its character belongs to the tokens: what WordReader and CharacterReader stand on.
//
// ASCII goes 64 characters at a time: lower case by one comparison, the bits by two look-ups in registers (one for each
// half of a byte, which can hold any set of ASCII characters). All else goes character by character through the pages
// of the Analyzer.
#pragma once

#include "text/analysis/analyzer.hpp"
#include "text/unicode/document.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::text {

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
    void reserve(std::size_t n_bytes);
    template <class T>
    std::size_t read_from(const T* p, std::size_t begin, std::size_t limit);

    const Analyzer& analyzer_;
    Document document_;
    std::size_t next_ = 0; // code points that were read
    std::vector<char> bytes_;
    std::vector<std::uint64_t> bits_;
    bool ascii_ = true;
};

} // namespace mlcore::text
