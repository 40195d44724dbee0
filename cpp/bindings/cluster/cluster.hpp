// Submodule `cluster` is bound in one file a method.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

} // namespace mlcore
