// Exceptions by meaning. The bindings map each to the Python exception of the same kind:
//   ValueError -> ValueError, TypeError -> TypeError, InternalError -> RuntimeError, Interrupted -> KeyboardInterrupt,
//   std::bad_alloc -> MemoryError.
// A message says who, what was expected and what came.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace mlcore {

/// An argument has the right type but a value, shape or content that cannot be used.
struct ValueError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// An argument has the wrong type (array dtype included).
struct TypeError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A promise inside the library was broken: always our bug, never the user's.
struct InternalError : std::logic_error {
    using std::logic_error::logic_error;
};

/// The run was asked to stop (Ctrl-C); carries nothing, because the reason is kept by whoever asked.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

namespace detail {
[[noreturn]] inline void check_failed(const char* file, int line, const char* text) {
    throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + text);
}
} // namespace detail

} // namespace mlcore

// Kept in release builds: put it on the border of a kernel, not in its inner loop.
#define MLCORE_CHECK(cond, text)                                                                                       \
    do {                                                                                                               \
        if (!(cond)) ::mlcore::detail::check_failed(__FILE_NAME__, __LINE__, text);                                    \
    } while (false)
