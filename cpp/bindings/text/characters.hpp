// What is known of characters, from the running Python, and the items of a list of str as documents.
//
// From a file of the bindings:
//     const TextList texts("documents", list);                  // with the GIL; before any threads start
//     const CharacterTable& table = character_table(texts.width(), Facts::cases);
//     run(n_threads, 0, [&](const RunContext& ctx) { kernel(ctx, texts.documents(), table); });
// The table is that of the process, lives for ever and may be read without the GIL.
#pragma once

#include "text/analysis/token_rule.hpp"
#include "text/unicode/character_table.hpp"
#include "text/unicode/document.hpp"

#include <pybind11/pybind11.h>

#include <span>
#include <string>
#include <vector>

namespace mlcore::bindings {

/// What of the table is needed; \w, white space and lower case always are.
enum class Facts {
    cases,      // kinds and lower case
    accents,    // those, and what remains without accents
    categories, // punctuation, symbols and numbers
};

/// The table of the process with what is needed for documents of that width (1, 2 or 4 bytes a code point) filled in,
/// at the first call for a width: 20 us for width 1, 5 ms for 2, 20 ms for 4, as much again for accents, more for
/// categories. With the GIL held.
const text::CharacterTable& character_table(int width, Facts facts);

inline Facts facts_for(text::Accents accents) { return accents == text::Accents::keep ? Facts::cases : Facts::accents; }

/// 'ascii', 'unicode' or None.
text::Accents accents_arg(pybind11::handle accents);

/// The rule of a token pattern. Throws ValueError for one that the core does not know.
text::TokenRule pattern_arg(const std::string& pattern);

/// The str of a list (or tuple), in place. Holds references, because another thread may change the list meanwhile; made
/// and destroyed with the GIL held.
class TextList {
  public:
    /// With `lowercase`, items that hold a capital sigma (U+03A3) are replaced by their str.lower(): the form of a
    /// small sigma depends on what is around it. The core's lower case leaves them as they are. Throws TypeError that
    /// names the list and the position of the item: "documents[3] must be a str, got ...".
    TextList(const char* name, pybind11::handle list, bool lowercase = false);

    std::span<const text::Document> documents() const { return documents_; }
    std::size_t size() const { return documents_.size(); }
    /// The str themselves.
    std::span<const pybind11::object> held() const { return held_; }
    /// The largest width, 1 of no documents.
    int width() const { return width_; }
    /// Code points in all.
    std::size_t n_characters() const { return n_characters_; }

  private:
    std::vector<pybind11::object> held_;
    std::vector<text::Document> documents_;
    std::size_t n_characters_ = 0;
    int width_ = 1;
};

/// A str as a document. The caller holds it.
text::Document document_of(pybind11::handle str);

/// UTF-8 (with halves of surrogate pairs as encode_utf8 of text/unicode/encode.hpp writes them) as a str.
pybind11::str str_of(std::string_view utf8);

} // namespace mlcore::bindings
