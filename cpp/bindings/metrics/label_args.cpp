#include "bindings/metrics/label_args.hpp"

#include "core/cpu.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_map>

namespace mlcore::bindings {
namespace {

using metrics::LabelColumn;
using metrics::LabelType;

template <class T>
std::ptrdiff_t bytes() {
    return static_cast<std::ptrdiff_t>(sizeof(T));
}

/// Codes of strings that are Python objects. A column often holds few objects many times: those met last are known by
/// their address.
class StringReader {
  public:
    StringReader(bool trimmed, std::size_t n) : trimmed_(trimmed) { codes_.reserve(n); }

    bool add(PyObject* text) {
        if (text == nullptr) return false; // an array of objects that was never filled
        const std::uint64_t address = reinterpret_cast<std::uintptr_t>(text);
        Known& known = known_[address * 0x9E3779B97F4A7C15u >> 56];
        if (known.text != text) {
            if (!PyUnicode_Check(text)) return false;
            const auto next = static_cast<std::uint32_t>(numbers_.size());
            known = {text, numbers_.try_emplace(read(text), next).first->second};
        }
        codes_.push_back(known.code);
        return true;
    }

    ReadLabels::Strings finish() {
        std::vector<std::pair<std::u32string, std::uint32_t>> sorted(numbers_.begin(), numbers_.end());
        std::sort(sorted.begin(), sorted.end());
        ReadLabels::Strings result;
        std::vector<std::uint32_t> position(sorted.size());
        for (std::size_t k = 0; k < sorted.size(); ++k) {
            position[sorted[k].second] = static_cast<std::uint32_t>(k);
            result.labels.push_back(std::move(sorted[k].first));
        }
        for (std::uint32_t& code : codes_) code = position[code];
        result.codes = std::move(codes_);
        return result;
    }

  private:
    std::u32string read(PyObject* text) const {
        std::u32string result = characters(text);
        if (trimmed_) // as an array of fixed width does
            while (!result.empty() && result.back() == U'\0') result.pop_back();
        return result;
    }

    struct Known {
        PyObject* text = nullptr;
        std::uint32_t code = 0;
    };

    const bool trimmed_;
    std::array<Known, 256> known_;
    std::unordered_map<std::u32string, std::uint32_t> numbers_;
    std::vector<std::uint32_t> codes_;
};

std::optional<ReadLabels> read_strings(PyObject* const* items, std::size_t n, bool trimmed) {
    StringReader reader(trimmed, n);
    for (std::size_t i = 0; i < n; ++i)
        if (!reader.add(items[i])) return std::nullopt;
    ReadLabels labels;
    labels.column = reader.finish();
    labels.kind = 'U';
    return labels;
}

template <class T, class Convert>
std::optional<ReadLabels> read_items(PyObject* const* items, std::size_t n, LabelType type, char kind,
                                     std::vector<T> ReadLabels::* values, Convert convert) {
    ReadLabels labels;
    std::vector<T>& out = labels.*values;
    out.resize(n);
    for (std::size_t i = 0; i < n; ++i)
        if (!convert(items[i], out[i])) return std::nullopt;
    labels.column = LabelColumn{type, out.data(), n, bytes<T>()};
    labels.kind = kind;
    return labels;
}

/// The first item says what all must be.
std::optional<ReadLabels> read_list(PyObject* const* items, std::size_t n) {
    if (n == 0) return std::nullopt;
    if (PyBool_Check(items[0]))
        return read_items(items, n, LabelType::boolean, 'b', &ReadLabels::truth, [](PyObject* item, std::uint8_t& x) {
            x = item == Py_True;
            return PyBool_Check(item) != 0;
        });
    if (PyLong_CheckExact(items[0]))
        return read_items(items, n, LabelType::i64, 'i', &ReadLabels::whole, [](PyObject* item, std::int64_t& x) {
            if (!PyLong_CheckExact(item)) return false;
            int overflow = 0;
            x = PyLong_AsLongLongAndOverflow(item, &overflow);
            return overflow == 0;
        });
    if (PyFloat_CheckExact(items[0]))
        return read_items(items, n, LabelType::f64, 'f', &ReadLabels::real, [](PyObject* item, double& x) {
            if (!PyFloat_CheckExact(item)) return false;
            x = PyFloat_AS_DOUBLE(item);
            return true;
        });
    if (PyUnicode_Check(items[0])) return read_strings(items, n, true);
    return std::nullopt;
}

std::optional<LabelType> label_type(char kind, py::ssize_t size) {
    if (kind == 'b') return LabelType::boolean;
    if (kind == 'f' && size == 4) return LabelType::f32;
    if (kind == 'f' && size == 8) return LabelType::f64;
    const bool is_signed = kind == 'i';
    if (!is_signed && kind != 'u') return std::nullopt;
    switch (size) {
    case 1:
        return is_signed ? LabelType::i8 : LabelType::u8;
    case 2:
        return is_signed ? LabelType::i16 : LabelType::u16;
    case 4:
        return is_signed ? LabelType::i32 : LabelType::u32;
    default:
        return is_signed ? LabelType::i64 : LabelType::u64;
    }
}

std::optional<ReadLabels> read_array(const py::array& array) {
    if (array.ndim() != 1) return std::nullopt;
    const py::dtype dtype = array.dtype();
    const char kind = dtype.kind();
    const auto n = static_cast<std::size_t>(array.shape(0));
    if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0 || dtype.byteorder() == '>') return std::nullopt;
    ReadLabels labels;
    if (const auto type = label_type(kind, dtype.itemsize())) {
        labels.column = LabelColumn{*type, array.data(), n, array.strides(0)};
        labels.kind = kind == 'u' ? 'i' : kind;
        return labels;
    }
    if (kind == 'U' && dtype.itemsize() > 0) {
        labels.column = metrics::StringColumn{static_cast<const char*>(array.data()), n, array.strides(0),
                                              static_cast<std::size_t>(dtype.itemsize()) / sizeof(char32_t)};
        labels.kind = 'U';
        return labels;
    }
    if (kind == 'O' && n > 0 && array.strides(0) == bytes<PyObject*>()) {
        auto* const* items = static_cast<PyObject* const*>(array.data());
        if (items[0] != nullptr && PyUnicode_Check(items[0])) return read_strings(items, n, false);
    }
    return std::nullopt;
}

} // namespace

std::u32string characters(py::handle text) {
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text.ptr()) != 0) throw py::error_already_set();
#endif
    const Py_ssize_t length = PyUnicode_GET_LENGTH(text.ptr());
    std::u32string result(static_cast<std::size_t>(length), U'\0');
    const auto copy = [&](const auto* data) { std::copy_n(data, length, result.begin()); };
    switch (PyUnicode_KIND(text.ptr())) {
    case PyUnicode_1BYTE_KIND:
        copy(PyUnicode_1BYTE_DATA(text.ptr()));
        break;
    case PyUnicode_2BYTE_KIND:
        copy(PyUnicode_2BYTE_DATA(text.ptr()));
        break;
    default:
        copy(PyUnicode_4BYTE_DATA(text.ptr()));
        break;
    }
    return result;
}

py::object to_str(const std::u32string& text) {
    PyObject* made = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, text.data(), static_cast<Py_ssize_t>(text.size()));
    if (made == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(made);
}

std::size_t ReadLabels::size() const {
    return std::visit(
        [](const auto& c) {
            if constexpr (requires { c.codes; })
                return c.codes.size();
            else
                return c.size;
        },
        column);
}

std::optional<ReadLabels> read_labels(py::handle object) {
    PyObject* p = object.ptr();
    if (Py_TYPE(p) == py::detail::npy_api::get().PyArray_Type_)
        return read_array(py::reinterpret_borrow<py::array>(object));
    if (PyList_CheckExact(p) || PyTuple_CheckExact(p))
        return read_list(PySequence_Fast_ITEMS(p), static_cast<std::size_t>(PySequence_Fast_GET_SIZE(p)));
    return std::nullopt;
}

std::optional<AnyEncoded> encode(const RunContext& ctx, ReadLabels& labels) {
    if (auto* strings = std::get_if<ReadLabels::Strings>(&labels.column)) return std::move(*strings);
    if (const auto* strings = std::get_if<metrics::StringColumn>(&labels.column))
        return metrics::encode_strings(ctx, *strings);
    auto numbers = metrics::encode_numbers(ctx, std::get<LabelColumn>(labels.column));
    if (!numbers) return std::nullopt;
    return std::move(*numbers);
}

std::optional<std::span<const double>> read_weights(py::handle object, std::size_t n) {
    if (object.is_none()) return std::span<const double>();
    if (Py_TYPE(object.ptr()) != py::detail::npy_api::get().PyArray_Type_ ||
        !py::isinstance<py::array_t<double>>(object))
        return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() != 1 || static_cast<std::size_t>(array.shape(0)) != n || n == 0 ||
        (n > 1 && array.strides(0) != bytes<double>()) ||
        reinterpret_cast<std::uintptr_t>(array.data()) % sizeof(double) != 0)
        return std::nullopt;
    return std::span<const double>(static_cast<const double*>(array.data()), n);
}

int metric_threads(std::size_t n) { return n < 200'000 ? 1 : available_cpus(); }

py::array to_string_array(const std::vector<std::u32string>& strings) {
    std::size_t width = 1;
    for (const auto& s : strings) width = std::max(width, s.size());
    py::array result(py::dtype("<U" + std::to_string(width)), {static_cast<py::ssize_t>(strings.size())}, {});
    auto* out = static_cast<char32_t*>(result.mutable_data());
    for (const auto& s : strings) {
        std::copy(s.begin(), s.end(), out);
        std::fill(out + s.size(), out + width, U'\0');
        out += width;
    }
    return result;
}

} // namespace mlcore::bindings
