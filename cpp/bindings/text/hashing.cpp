// Documents as sums over hashed terms: text/hashing/hashed_rows.hpp.
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "bindings/text/analysis.hpp"
#include "bindings/text/text.hpp"
#include "core/error.hpp"
#include "text/hashing/hashed_rows.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using namespace text;

HashingOptions options_of(std::int64_t n_features, bool alternate_sign, bool binary) {
    if (n_features < 1 || n_features > 0x7FFFFFFF)
        throw ValueError("n_features must be in [1, 2^31 - 1], got " + std::to_string(n_features));
    return {TermHash(static_cast<std::uint32_t>(n_features), alternate_sign), binary};
}

template <class T>
py::tuple to_tuple(HashedRows<T> rows) {
    const auto array = [](auto&& variant) {
        return std::visit([](auto& buffer) -> py::array { return to_numpy(std::move(buffer)); }, variant);
    };
    return py::make_tuple(to_numpy(std::move(rows.data)), array(rows.indices), array(rows.indptr));
}

/// Calls f(T{}) with the type of the entries.
template <class F>
py::tuple with_dtype(const py::dtype& dtype, F&& f) {
    if (dtype.equal(py::dtype::of<float>())) return f(float{});
    if (dtype.equal(py::dtype::of<double>())) return f(double{});
    throw TypeError("dtype must be float32 or float64, got " + std::string(py::str(dtype)));
}

py::tuple hash_documents(const py::object& documents, const Analysis& analysis, std::int64_t n_features,
                         bool alternate_sign, bool binary, const py::dtype& dtype, int n_threads) {
    const HashingOptions options = options_of(n_features, alternate_sign, binary);
    const AnalyzedTexts texts("documents", documents, analysis);
    return with_dtype(dtype, [&](auto zero) {
        return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) {
            return hashed_rows<decltype(zero)>(ctx, texts.documents(), analysis, options);
        }));
    });
}

HashedTerm hashed(const TermHash& hash, py::handle token) {
    const Document document = document_of(token);
    std::array<char, 64> padded; // what lies behind the end of a str may not be read
    if (document.ascii && document.size <= padded.size() - 4) {
        std::memcpy(padded.data(), document.data, document.size);
        return hash({padded.data(), document.size});
    }
    std::string bytes = utf8_of(token);
    bytes.reserve(bytes.size() + 4);
    return hash(bytes);
}

py::tuple hash_tokens(const py::list& documents, std::int64_t n_features, bool alternate_sign, bool binary,
                      const py::dtype& dtype, int n_threads) {
    const HashingOptions options = options_of(n_features, alternate_sign, binary);
    std::vector<HashedTerm> terms;
    std::vector<std::size_t> starts{0};
    for (std::size_t d = 0; d < documents.size(); ++d) { // asked for again: another thread may change the list
        const auto tokens =
            py::reinterpret_borrow<py::object>(PyList_GET_ITEM(documents.ptr(), static_cast<Py_ssize_t>(d)));
        const auto name = [&] { return "documents[" + std::to_string(d) + "]"; };
        if (!PyList_Check(tokens.ptr()) && !PyTuple_Check(tokens.ptr()))
            throw TypeError(name() + " must be a list of str, got " + describe(tokens));
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(tokens.ptr()); ++i) {
            const py::handle token = PySequence_Fast_GET_ITEM(tokens.ptr(), i);
            if (!PyUnicode_Check(token.ptr()))
                throw TypeError(name() + "[" + std::to_string(i) + "] must be a str, got " + describe(token));
            terms.push_back(hashed(options.hash, token));
        }
        starts.push_back(terms.size());
        if (d % 1024 == 1023 && PyErr_CheckSignals() != 0) throw py::error_already_set();
    }
    return with_dtype(dtype, [&](auto zero) {
        return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) {
            return hashed_rows<decltype(zero)>(ctx, terms, starts, options);
        }));
    });
}

} // namespace

void register_text_hashing(py::module_& m) {
    m.def("hash_documents", &hash_documents, py::arg("documents"), py::arg("analysis"), py::kw_only(),
          py::arg("n_features"), py::arg("alternate_sign"), py::arg("binary"), py::arg("dtype"), py::arg("n_threads"),
          "Data, indices and indptr of one row for each document.");
    m.def("hash_tokens", &hash_tokens, py::arg("documents"), py::kw_only(), py::arg("n_features"),
          py::arg("alternate_sign"), py::arg("binary"), py::arg("dtype"), py::arg("n_threads"),
          "The same of documents that are lists of terms.");
}

} // namespace mlcore
