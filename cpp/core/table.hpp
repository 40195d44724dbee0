// A feature table as it comes from the user: dense with any strides, or CSR where what is not stored is zero.
// Kernels visit it once, outside their loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "core/view.hpp"

namespace mlcore {

using Table = std::variant<MatrixView<const float>, MatrixView<const double>, CsrView<float, std::int32_t>,
                           CsrView<float, std::int64_t>, CsrView<double, std::int32_t>, CsrView<double, std::int64_t>>;

inline std::size_t n_rows(const Table& X) {
    return std::visit([](const auto& view) { return static_cast<std::size_t>(view.rows); }, X);
}
inline std::size_t n_cols(const Table& X) {
    return std::visit([](const auto& view) { return static_cast<std::size_t>(view.cols); }, X);
}

template <class View>
inline constexpr bool is_dense = false;
template <class T>
inline constexpr bool is_dense<MatrixView<T>> = true;

// Type of the values in a view.
template <class View>
struct ValueOf;
template <class T>
struct ValueOf<MatrixView<const T>> {
    using type = T;
};
template <class T, class I>
struct ValueOf<CsrView<T, I>> {
    using type = T;
};

} // namespace mlcore
