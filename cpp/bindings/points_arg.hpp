// Points as `neighbors` and `cluster` take them: float64 in C order, finite, one at least.
#pragma once

#include "core/view.hpp"

#include <cstddef>
#include <optional>
#include <pybind11/pybind11.h>

namespace mlcore::bindings {

/// An array (n, d) of finite float64 in C order; with `dim` of so many columns, and then perhaps without rows.
/// Throws TypeError, ValueError.
MatrixView<const double> points_arg(const char* name, pybind11::handle object, std::optional<std::size_t> dim = {});

} // namespace mlcore::bindings
