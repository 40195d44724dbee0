// Columns of labels from Python: arrays in place, lists and arrays of objects in one pass. What is not plain (mixed
// types, bytes, missing values, subclasses of numpy.ndarray) is declined, and Python reads it another way.
#pragma once

#include "metrics/labels/encode.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace mlcore::bindings {

namespace py = pybind11;

/// Labels of a column, and what keeps them alive: numbers as they lie, or strings as codes.
struct ReadLabels {
    using Strings = metrics::Encoded<std::u32string>;

    std::variant<metrics::LabelColumn, metrics::StringColumn, Strings> column;
    std::vector<std::int64_t> whole; // of a list of int
    std::vector<double> real;        // of a list of float
    std::vector<std::uint8_t> truth; // of a list of bool
    char kind = 'i';                 // b, i, f or U: the type that NumPy would give the labels

    std::size_t size() const;
};

/// The characters of a str, whatever they are: lone surrogates too.
std::u32string characters(py::handle text);
py::object to_str(const std::u32string& text);

/// Nothing if `object` is declined.
std::optional<ReadLabels> read_labels(py::handle object);

/// Labels of a column as codes, whatever they are.
using AnyEncoded = std::variant<metrics::Encoded<std::int64_t>, metrics::Encoded<std::u32string>>;

/// Nothing if a number is not whole.
std::optional<AnyEncoded> encode(const RunContext& ctx, ReadLabels& labels);

/// A contiguous 1-D array of float64, or None for no weights; nothing if it is anything else, or not of n entries.
std::optional<std::span<const double>> read_weights(py::handle object, std::size_t n);

/// Threads for work on n rows, a nanosecond or a few each: all CPUs where they can be of use. Below that a second
/// thread would gain a tenth of a millisecond at best, and on a busy machine cost the wait for it; even to ask for the
/// CPUs takes longer than small work.
int metric_threads(std::size_t n);

/// An array of NumPy's fixed-width strings.
py::array to_string_array(const std::vector<std::u32string>& strings);

} // namespace mlcore::bindings
