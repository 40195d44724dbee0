// A text as code points where Python keeps them: an array of 1, 2 or 4 bytes each. Nothing is copied; whoever makes a
// Document keeps the memory alive (bindings/text/characters.hpp does for the items of a list).
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlcore::text {

struct Document {
    const void* data = nullptr;
    std::size_t size = 0; // code points; half of a surrogate pair may be among them
    int width = 1;        // bytes a code point: 1, 2 or 4
    bool ascii = true;    // all are below 128, and width is 1

    char32_t operator[](std::size_t i) const {
        if (width == 1) return static_cast<const std::uint8_t*>(data)[i];
        if (width == 2) return static_cast<const std::uint16_t*>(data)[i];
        return static_cast<const std::uint32_t*>(data)[i];
    }
    std::size_t bytes() const { return size * static_cast<std::size_t>(width); }
};

/// Calls f(const T* code_points) with T = std::uint8_t, std::uint16_t or std::uint32_t, as wide as the document is.
template <class F>
decltype(auto) visit_width(const Document& document, F&& f) {
    if (document.width == 1) return f(static_cast<const std::uint8_t*>(document.data));
    if (document.width == 2) return f(static_cast<const std::uint16_t*>(document.data));
    return f(static_cast<const std::uint32_t*>(document.data));
}

} // namespace mlcore::text
