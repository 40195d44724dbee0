// Queries on word vectors and files of them, part of the submodule `embedding`: see embedding.cpp.
#include "bindings/embedding/embedding.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "embedding/subwords.hpp"
#include "embedding/vector_file.hpp"
#include "linalg/nearest.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace mlcore {
namespace {

using namespace embedding;
using namespace linalg;
using namespace bindings;

/// (V, d) float32 whose rows lie one after the other, contiguous each. NumPy's strides of an array without rows say
/// nothing.
MatrixView<const float> vectors_arg(const char* name, py::handle object, std::optional<std::size_t> cols = {}) {
    const MatrixView<const float> view = matrix_arg<float>(name, object, cols);
    if (view.rows > 0 &&
        (!view.rows_contiguous() || (view.rows > 1 && view.row_stride < static_cast<std::ptrdiff_t>(view.cols))))
        throw ValueError(std::string(name) + " must be in C order");
    return view;
}

UnitRows table_of(py::handle vectors, py::handle inverse_norms) {
    const MatrixView<const float> rows = vectors_arg("vectors", vectors);
    return {rows, span_arg<float>("inverse_norms", inverse_norms, rows.rows).data()};
}

std::span<const char> bytes_arg(py::handle object) {
    const auto bytes = span_arg<std::uint8_t>("data", object);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

py::bytes join(const std::vector<std::string>& pieces) {
    std::size_t size = 0;
    for (const std::string& piece : pieces) size += piece.size();
    auto joined = py::reinterpret_steal<py::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size)));
    if (!joined) throw py::error_already_set();
    char* out = PyBytes_AS_STRING(joined.ptr());
    for (const std::string& piece : pieces) out = std::copy(piece.begin(), piece.end(), out);
    return joined;
}

py::tuple py_inverse_norms(py::object vectors, int n_threads) {
    const MatrixView<const float> rows = vectors_arg("vectors", vectors);
    std::vector<float> out(rows.rows);
    const std::size_t bad =
        run(n_threads, 0, [&](const RunContext& ctx) { return inverse_norms(ctx, rows, out.data()); });
    const std::int64_t first_bad = bad == rows.rows ? -1 : static_cast<std::int64_t>(bad);
    return py::make_tuple(to_numpy(std::move(out)), first_bad);
}

py::tuple py_nearest(py::object vectors, py::object inverse_norms, py::object terms, std::size_t n_positive,
                     std::size_t n_negative, bool product, py::object excluded, py::object excluded_offsets,
                     std::size_t k, std::size_t n_rows, int n_threads) {
    UnitRows table = table_of(vectors, inverse_norms);
    table.rows.rows = std::min(table.rows.rows, n_rows);
    const auto offsets = span_arg<std::int64_t>("excluded_offsets", excluded_offsets);
    if (offsets.empty()) throw ValueError("excluded_offsets must have an entry more than there are queries");
    const Queries queries{.terms = vectors_arg("terms", terms, table.rows.cols),
                          .n_queries = offsets.size() - 1,
                          .n_positive = n_positive,
                          .n_negative = n_negative,
                          .product = product,
                          .excluded = span_arg<std::int32_t>("excluded", excluded),
                          .excluded_offsets = offsets};
    Nearest found = run(n_threads, 0, [&](const RunContext& ctx) { return nearest(ctx, table, queries, k); });
    const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(queries.n_queries), static_cast<py::ssize_t>(k)};
    return py::make_tuple(to_numpy(std::move(found.rows), shape), to_numpy(std::move(found.scores), shape));
}

py::array_t<float> py_cosines(py::object vectors, py::object inverse_norms, py::object queries, int n_threads) {
    const UnitRows table = table_of(vectors, inverse_norms);
    const MatrixView<const float> wanted = vectors_arg("queries", queries, table.rows.cols);
    py::array_t<float> out({static_cast<py::ssize_t>(wanted.rows), static_cast<py::ssize_t>(table.rows.rows)});
    float* data = out.mutable_data();
    run(n_threads, 0, [&](const RunContext& ctx) { cosines(ctx, table, wanted, data); });
    return out;
}

py::tuple py_parse_vectors(py::object data, bool binary, bool has_header, std::int64_t limit, int n_threads) {
    const std::span<const char> bytes = bytes_arg(data);
    const std::size_t most = limit < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(limit);
    VectorFile file = run(n_threads, 0, [&](const RunContext& ctx) {
        return binary ? parse_binary(ctx, bytes, most) : parse_text(ctx, bytes, most, has_header);
    });
    const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(file.rows), static_cast<py::ssize_t>(file.cols)};
    return py::make_tuple(to_numpy(std::move(file.values), shape), to_numpy(std::move(file.begins)),
                          to_numpy(std::move(file.ends)), file.has_more);
}

py::bytes py_format_vectors(py::object utf8, py::object offsets, py::object vectors, bool binary, int n_threads) {
    const PackedWords words{span_arg<std::uint8_t>("utf8", utf8), span_arg<std::int64_t>("offsets", offsets)};
    if (words.offsets.empty()) throw ValueError("offsets must have an entry more than there are words");
    const MatrixView<const float> rows = matrix_arg<float>("vectors", vectors);
    return join(run(n_threads, 0, [&](const RunContext& ctx) {
        return binary ? format_binary(ctx, words, rows) : format_text(ctx, words, rows);
    }));
}

py::tuple py_subword_means(py::object utf8, py::object offsets, py::object own, py::object buckets, std::size_t cols,
                           int min_n, int max_n, std::size_t n_buckets, int n_threads) {
    const PackedWords words{span_arg<std::uint8_t>("utf8", utf8), span_arg<std::int64_t>("offsets", offsets)};
    const PackedRows own_rows{span_arg<std::uint8_t>("own", own), cols};
    const PackedRows bucket_rows{span_arg<std::uint8_t>("buckets", buckets), cols};
    const std::size_t n_words = words.offsets.empty() ? 0 : words.offsets.size() - 1;
    py::array_t<float> out({static_cast<py::ssize_t>(n_words), static_cast<py::ssize_t>(cols)});
    float* data = out.mutable_data();
    const std::size_t bad = run(n_threads, 0, [&](const RunContext& ctx) {
        return subword_means(ctx, words, {min_n, max_n, n_buckets}, own_rows, bucket_rows, data);
    });
    return py::make_tuple(out, bad == n_words ? std::int64_t{-1} : static_cast<std::int64_t>(bad));
}

py::array_t<std::int64_t> py_ngram_rows(const std::string& word, int min_n, int max_n, std::size_t n_buckets) {
    check_ngrams({min_n, max_n, n_buckets});
    std::vector<std::int64_t> rows;
    append_ngrams(word, {min_n, max_n, n_buckets}, rows);
    return to_numpy(std::move(rows));
}

py::tuple py_parse_fasttext_entries(py::object data, std::size_t n_entries) {
    FasttextEntries entries = parse_fasttext_entries(bytes_arg(data), n_entries);
    return py::make_tuple(to_numpy(std::move(entries.begins)), to_numpy(std::move(entries.ends)),
                          to_numpy(std::move(entries.counts)), entries.n_bytes);
}

} // namespace

void register_embedding_vectors(py::module_& m) {
    m.def("inverse_norms", &py_inverse_norms, py::arg("vectors"), py::arg("n_threads"));
    m.def("nearest", &py_nearest, py::arg("vectors"), py::arg("inverse_norms"), py::arg("terms"), py::kw_only(),
          py::arg("n_positive"), py::arg("n_negative"), py::arg("product"), py::arg("excluded"),
          py::arg("excluded_offsets"), py::arg("k"), py::arg("n_rows"), py::arg("n_threads"));
    m.def("cosines", &py_cosines, py::arg("vectors"), py::arg("inverse_norms"), py::arg("queries"),
          py::arg("n_threads"));
    m.def("parse_vectors", &py_parse_vectors, py::arg("data"), py::kw_only(), py::arg("binary"), py::arg("has_header"),
          py::arg("limit"), py::arg("n_threads"));
    m.def("subword_means", &py_subword_means, py::arg("utf8"), py::arg("offsets"), py::arg("own"), py::arg("buckets"),
          py::kw_only(), py::arg("cols"), py::arg("min_n"), py::arg("max_n"), py::arg("n_buckets"),
          py::arg("n_threads"));
    m.def("ngram_rows", &py_ngram_rows, py::arg("word"), py::kw_only(), py::arg("min_n"), py::arg("max_n"),
          py::arg("n_buckets"));
    m.def("parse_fasttext_entries", &py_parse_fasttext_entries, py::arg("data"), py::arg("n_entries"));
    m.def("format_vectors", &py_format_vectors, py::arg("utf8"), py::arg("offsets"), py::arg("vectors"), py::kw_only(),
          py::arg("binary"), py::arg("n_threads"));
}

} // namespace mlcore
