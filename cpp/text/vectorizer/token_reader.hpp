// As TermReader, of documents whose terms somebody else has made.
#pragma once

#include "text/unicode/document.hpp"
#include "text/unicode/encode.hpp"
#include "text/vectorizer/document_counter.hpp"
#include "text/vectorizer/term_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mlcore::text {

/// The bytes of a text in UTF-8: where they lie, or in `buffer`.
inline std::string_view utf8_of(const Document& text, std::vector<char>& buffer) {
    if (text.ascii) return {static_cast<const char*>(text.data), text.size};
    buffer.resize(max_utf8 * text.size);
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size; ++i) size += encode_utf8(text[i], buffer.data() + size);
    return {buffer.data(), size};
}

template <bool Grows>
class TokenReader {
  public:
    using Terms = std::conditional_t<Grows, Lexicon, const Lexicon>;

    TokenReader(std::span<const Document> tokens, std::span<const std::size_t> starts, Terms& lexicon,
                std::size_t worker)
        : tokens_(tokens), starts_(starts), terms_(lexicon, worker) {}

    void start(std::size_t document) {
        next_ = starts_[document];
        end_ = starts_[document + 1];
    }
    bool read(const RunContext& ctx) {
        for (; next_ < end_; ++next_) {
            if (next_ % (1 << 14) == 0) ctx.checkpoint();
            if (!terms_.claim(1, 0)) return false;
            const std::string_view word = utf8_of(tokens_[next_], buffer_);
            const TermId id = terms_.text(word_key(word), word);
            if (id != no_term) counter_.add(id);
        }
        return true;
    }
    DocumentCounter& counter() { return counter_; }

  private:
    const std::span<const Document> tokens_;
    const std::span<const std::size_t> starts_;
    TermFinder<Grows> terms_;
    DocumentCounter counter_;
    std::vector<char> buffer_;
    std::size_t next_ = 0, end_ = 0;
};

} // namespace mlcore::text
