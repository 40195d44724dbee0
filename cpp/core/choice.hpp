// One of a few named values, such as a loss or a solver, from the name that the user wrote.
#pragma once

#include "core/error.hpp"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>

namespace mlcore {

/// The value of `name` among the choices (name, value). Throws ValueError with all that are allowed: "growth must be
/// 'leaf' or 'depth', got 'width'".
template <class T>
T choose(const char* what, const std::string& name, std::initializer_list<std::pair<const char*, T>> choices) {
    for (const auto& [choice, value] : choices)
        if (name == choice) return value;
    std::string allowed;
    std::size_t left = choices.size();
    for (const auto& choice : choices) {
        allowed += std::string("'") + choice.first + "'";
        if (--left > 0) allowed += left == 1 ? " or " : ", ";
    }
    throw ValueError(std::string(what) + " must be " + allowed + ", got '" + name + "'");
}

} // namespace mlcore
