// A column of labels as it lies in memory: whole numbers of any type of NumPy, side by side or strided, or strings of a
// fixed width. Nothing is copied to read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mlcore::metrics {

enum class LabelType { i8, i16, i32, i64, u8, u16, u32, u64, boolean, f32, f64 };

/// Numbers that stand for classes. Those of floating point must be whole; readers say so where one is not.
struct LabelColumn {
    LabelType type;
    const void* data;
    std::size_t size;      // rows
    std::ptrdiff_t stride; // bytes from one row to the next
};

/// Strings of UCS-4 characters, each filled up with zeros to `width` characters, as NumPy has them.
struct StringColumn {
    const char* data;
    std::size_t size;      // rows
    std::ptrdiff_t stride; // bytes from one row to the next
    std::size_t width;     // characters a string

    std::u32string_view operator[](std::size_t row) const {
        const auto* text = reinterpret_cast<const char32_t*>(data + static_cast<std::ptrdiff_t>(row) * stride);
        std::size_t length = width;
        while (length > 0 && text[length - 1] == 0) --length;
        return {text, length};
    }
};

/// One byte that is true or not; a type of its own, because it is read otherwise than uint8.
enum class Boolean : std::uint8_t {};

/// f(T{}) for the type T of the column.
template <class F>
decltype(auto) with_label_type(LabelType type, F&& f) {
    switch (type) {
    case LabelType::i8:
        return f(std::int8_t{});
    case LabelType::i16:
        return f(std::int16_t{});
    case LabelType::i32:
        return f(std::int32_t{});
    case LabelType::i64:
        return f(std::int64_t{});
    case LabelType::u8:
        return f(std::uint8_t{});
    case LabelType::u16:
        return f(std::uint16_t{});
    case LabelType::u32:
        return f(std::uint32_t{});
    case LabelType::u64:
        return f(std::uint64_t{});
    case LabelType::boolean:
        return f(Boolean{});
    case LabelType::f32:
        return f(float{});
    default:
        return f(double{});
    }
}

/// f(read) where read(row) gives the value of a row as it is; rows that lie side by side are read by a loop of their
/// own, which the compiler can turn into vector code.
template <class T, class F>
decltype(auto) with_rows(const LabelColumn& column, F&& f) {
    const auto* data = static_cast<const T*>(column.data);
    if (column.stride == static_cast<std::ptrdiff_t>(sizeof(T)))
        return f([data](std::size_t row) { return data[row]; });
    const char* bytes = static_cast<const char*>(column.data);
    const std::ptrdiff_t stride = column.stride;
    return f([bytes, stride](std::size_t row) {
        return *reinterpret_cast<const T*>(bytes + static_cast<std::ptrdiff_t>(row) * stride);
    });
}

} // namespace mlcore::metrics
