#include "text/utf8.hpp"

#include "core/error.hpp"

#include <cstdio>
#include <cstring>

namespace mlcore::text {
namespace {

/// Bytes of the character that starts here, 0 if it is none. Rows of table 3-7 of the Unicode standard.
std::size_t character(const unsigned char* p, std::size_t n) {
    const auto continues = [&](std::size_t i, unsigned char low = 0x80, unsigned char high = 0xBF) {
        return i < n && p[i] >= low && p[i] <= high;
    };
    const unsigned char first = p[0];
    if (first < 0x80) return first != 0;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return continues(1) ? 2 : 0;
    if (first < 0xF0) {
        const bool second = continues(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
        return second && continues(2) ? 3 : 0;
    }
    if (first > 0xF4) return 0;
    const bool second = continues(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
}

} // namespace

std::size_t first_bad_byte(std::string_view text) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t i = 0;
    while (i < text.size()) {
        std::uint64_t eight;
        if (text.size() - i >= 8 && (std::memcpy(&eight, bytes + i, 8), true)) {
            // ASCII without NUL: no high bit is set, neither before nor after 1 is taken from each byte.
            if (((eight | (eight - 0x0101010101010101)) & 0x8080808080808080) == 0) {
                i += 8;
                continue;
            }
        }
        const std::size_t length = character(bytes + i, text.size() - i);
        if (length == 0) break;
        i += length;
    }
    return i;
}

void check_word(std::string_view word, const std::string& source, std::uint64_t offset) {
    const std::size_t bad = first_bad_byte(word);
    if (bad == word.size()) return;
    const std::string where = source + ": ";
    const std::string at = " at byte " + std::to_string(offset + bad);
    if (word[bad] == '\0')
        throw ValueError(where + "NUL" + at + "; a text has none: this looks like binary data or like UTF-16");
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02X", static_cast<unsigned char>(word[bad]));
    throw ValueError(where + "not UTF-8: " + hex + at +
                     "; convert it, or pass texts decoded with another encoding or with errors=\"replace\"");
}

} // namespace mlcore::text
