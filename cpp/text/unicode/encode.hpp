// Code points as UTF-8. Half of a surrogate pair becomes the three bytes that its number has by the same rule, which is
// no valid UTF-8 but what Python writes and reads with errors="surrogatepass".
#pragma once

#include <cstddef>

namespace mlcore::text {

inline constexpr std::size_t max_utf8 = 4; // bytes of a code point

/// Writes the bytes of a code point and returns their number.
inline std::size_t encode_utf8(char32_t c, char* out) {
    const auto last = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) {
        out[0] = static_cast<char>(c);
        return 1;
    }
    if (c < 0x800) {
        out[0] = static_cast<char>(0xC0 | c >> 6);
        out[1] = last(0);
        return 2;
    }
    if (c < 0x10000) {
        out[0] = static_cast<char>(0xE0 | c >> 12);
        out[1] = last(6);
        out[2] = last(0);
        return 3;
    }
    out[0] = static_cast<char>(0xF0 | c >> 18);
    out[1] = last(12);
    out[2] = last(6);
    out[3] = last(0);
    return 4;
}

/// Bytes of the character that begins with this byte of UTF-8.
inline std::size_t utf8_length(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// True for all bytes of a character but its first.
inline bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

} // namespace mlcore::text
