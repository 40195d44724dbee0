// What a word may consist of: valid UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) without
// NUL. Only the first occurrence of a word is checked, which covers the whole text: bytes between words are ASCII.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mlcore::text {

/// Position of the first byte that does not begin a valid character, or begins NUL; text.size() if there is none.
std::size_t first_bad_byte(std::string_view text);

/// Throws ValueError unless the word is fine. The message names the source ("corpus.txt", "text 12") and the byte;
/// `offset` is that of the word.
void check_word(std::string_view word, const std::string& source, std::uint64_t offset);

} // namespace mlcore::text
