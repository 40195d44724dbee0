// Labels, scores and weights of a problem with two classes, read as they are. What cannot be read so (labels of a type
// that is not a number, or that do not say which is the positive one; scores that are not floating-point, or span too
// many magnitudes) makes a function return None: Python prepares it and calls again.
#pragma once

#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "core/memory.hpp"
#include "metrics/ranking/binary_labels.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace mlcore::bindings {

namespace detail {

/// True for an array of numbers in this machine's byte order, aligned, with strides of whole items.
inline bool readable(const py::array& array) {
    const char order = array.dtype().byteorder();
    if (order != '=' && order != '|') return false;
    const py::ssize_t item = array.itemsize();
    if (item == 0 || reinterpret_cast<std::uintptr_t>(array.data()) % static_cast<std::uintptr_t>(item) != 0)
        return false;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
        if (array.strides(axis) % item != 0) return false;
    return true;
}

template <class T>
VectorView<const T> as_vector(const py::array& array) {
    return {static_cast<const T*>(array.data()), static_cast<std::size_t>(array.shape(0)),
            array.shape(0) > 1 ? array.strides(0) / array.itemsize() : 1};
}

/// f(T{}) for the type of the array's numbers; false where it is no type of ours.
template <class F>
bool with_number_type(const py::array& array, F&& f) {
    switch (array.dtype().kind()) {
    case 'b':
        return f(std::uint8_t{}), true;
    case 'i':
        switch (array.itemsize()) {
        case 1:
            return f(std::int8_t{}), true;
        case 2:
            return f(std::int16_t{}), true;
        case 4:
            return f(std::int32_t{}), true;
        case 8:
            return f(std::int64_t{}), true;
        default:
            return false;
        }
    case 'u':
        switch (array.itemsize()) {
        case 1:
            return f(std::uint8_t{}), true;
        case 2:
            return f(std::uint16_t{}), true;
        case 4:
            return f(std::uint32_t{}), true;
        case 8:
            return f(std::uint64_t{}), true;
        default:
            return false;
        }
    case 'f':
        switch (array.itemsize()) {
        case 4:
            return f(float{}), true;
        case 8:
            return f(double{}), true;
        default:
            return false;
        }
    default:
        return false;
    }
}

inline std::optional<py::array> array_1d(py::handle object) {
    if (!py::isinstance<py::array>(object)) return std::nullopt;
    auto array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() != 1 || !readable(array)) return std::nullopt;
    return array;
}

inline void check_length(const char* name, std::size_t size, std::size_t n) {
    if (size != n)
        throw ValueError("y_true and " + std::string(name) + " must have as many entries as each other, got " +
                         std::to_string(n) + " and " + std::to_string(size));
}

} // namespace detail

/// Checked weights of n rows; no view for None.
inline VectorView<const double> weights_arg(py::handle object, std::size_t n) {
    if (object.is_none()) return {};
    const auto view = vector_arg<double>("sample_weight", object);
    detail::check_length("sample_weight", view.size, n);
    bool finite = true, any = false;
    for (std::size_t i = 0; i < n; ++i) {
        finite &= std::isfinite(view[i]);
        any |= view[i] != 0;
    }
    if (!finite) throw ValueError("sample_weight contains NaN or infinity");
    if (!any) throw ValueError("sample_weight must contain at least one non-zero number");
    return view;
}

[[noreturn]] inline void not_finite() { throw ValueError("y_score contains NaN or infinity"); }

/// The labels as bytes, 1 for the positive one, which is `positive` or, for None, 1 among 0 and 1 or -1 and 1. A
/// positive label of one's own needs labels that are whole numbers. Nothing where they cannot be read.
inline std::optional<Scratch<std::uint8_t>> binary_labels_arg(py::handle object, py::handle positive, int n_threads) {
    const auto array = detail::array_1d(object);
    if (!array) return std::nullopt;
    const auto n = static_cast<std::size_t>(array->shape(0));
    Scratch<std::uint8_t> codes(n);
    bool read = false;
    const bool known = detail::with_number_type(*array, [&]<class T>(T) {
        const auto labels = detail::as_vector<T>(*array);
        if (positive.is_none()) {
            read = run(n_threads, 0, [&](const RunContext& ctx) {
                return metrics::read_binary_labels(ctx, labels, codes.data()).plain();
            });
        } else if constexpr (std::is_integral_v<T>) {
            const auto value = positive.cast<std::int64_t>();
            read = true;
            if (!std::in_range<T>(value)) return static_cast<void>(std::fill_n(codes.data(), n, 0));
            run(n_threads, 0, [&](const RunContext& ctx) {
                metrics::read_labels_against(ctx, labels, static_cast<T>(value), codes.data());
            });
        }
    });
    if (!known || !read) return std::nullopt;
    return codes;
}

/// None, or what use(ctx, sorted, T{}) returns, a C++ value, turned by give(value) into a Python one. T is the type of
/// the scores.
template <class Use, class Give>
py::object with_sorted(py::handle y_true, py::handle y_score, py::handle sample_weight, py::handle positive,
                       int n_threads, Use&& use, Give&& give) {
    const auto scores = detail::array_1d(y_score);
    const bool is_double = scores && scores->dtype().kind() == 'f' && scores->itemsize() == 8;
    const bool is_float = scores && scores->dtype().kind() == 'f' && scores->itemsize() == 4;
    if (!is_double && !is_float) return py::none();
    const auto labels = binary_labels_arg(y_true, positive, n_threads);
    if (!labels) return py::none();
    const std::size_t n = labels->size();
    detail::check_length("y_score", static_cast<std::size_t>(scores->shape(0)), n);
    if (n == 0) throw ValueError("y_true and y_score must hold at least one row, got none");
    const auto weights = weights_arg(sample_weight, n);

    const auto work = [&]<class Row, class T>(Row, T) -> py::object {
        const auto view = detail::as_vector<T>(*scores);
        using Value =
            decltype(use(std::declval<const RunContext&>(), std::declval<metrics::SortedScores<Row>&>(), T{}));
        metrics::ScoreState state{};
        std::optional<Value> value = run(n_threads, 0, [&](const RunContext& ctx) {
            auto sorted = metrics::sort_scores<Row, T>(ctx, view, labels->data(), weights);
            state = sorted.state;
            return state == metrics::ScoreState::sorted ? std::optional<Value>(use(ctx, sorted, T{})) : std::nullopt;
        });
        if (state == metrics::ScoreState::not_finite) not_finite();
        if (!value) return py::none();
        return give(std::move(*value));
    };
    using metrics::LabelledKey, metrics::WeightedKey;
    if (weights.data) return is_double ? work(WeightedKey{}, double{}) : work(WeightedKey{}, float{});
    return is_double ? work(LabelledKey{}, double{}) : work(LabelledKey{}, float{});
}

} // namespace mlcore::bindings
