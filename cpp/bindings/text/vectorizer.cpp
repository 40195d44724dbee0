// Documents as counts of the terms of a vocabulary. Terms cross the border packed, as UTF-8 bytes and where each
// begins: a million str cost more than counting them.
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "bindings/text/analysis.hpp"
#include "bindings/text/text.hpp"
#include "core/error.hpp"
#include "text/vectorizer/term_counter.hpp"
#include "text/vectorizer/term_index.hpp"
#include "text/vectorizer/tfidf.hpp"
#include "text/vectorizer/token_reader.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mlcore {
namespace {

using namespace bindings;
using text::Analysis;
using text::CsrCounts;
using text::Document;
using text::TermCounter;
using text::TermIndex;
using text::TokenDocuments;

const Analysis& needed(const Analysis* analysis) {
    if (!analysis) throw ValueError("without an analysis documents come as tokens");
    return *analysis;
}

// ---- documents ------------------------------------------------------------------------------------------------------

void check_size(const Document& document, std::size_t i) {
    if (document.size > std::numeric_limits<std::uint32_t>::max())
        throw ValueError("documents[" + std::to_string(i) + "] has " + std::to_string(document.size) +
                         " characters: the limit is 2^32 - 1");
}

AnalyzedTexts documents_arg(py::handle documents, const Analysis& analysis) {
    AnalyzedTexts list("documents", documents, analysis);
    for (std::size_t i = 0; i < list.size(); ++i) check_size(list.documents()[i], i);
    return list;
}

/// Tokens of some documents of a list of lists. Made and destroyed with the GIL held.
class TokenLists {
  public:
    bool full() const { return tokens_.size() >= 1 << 20; }

    void add(py::handle documents, Py_ssize_t i) {
        const py::object document = item(documents, i);
        if (!PyList_Check(document.ptr()))
            throw TypeError("documents[" + std::to_string(i) + "] must be a list of str, got " + describe(document));
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(document.ptr()); ++j) {
            py::object token = item(document, j);
            if (!PyUnicode_Check(token.ptr()))
                throw TypeError("documents[" + std::to_string(i) + "][" + std::to_string(j) + "] must be a str, got " +
                                describe(token));
            tokens_.push_back(document_of(token));
            held_.push_back(std::move(token));
        }
        starts_.push_back(tokens_.size());
    }
    TokenDocuments documents() const { return {tokens_, starts_}; }

  private:
    static py::object item(py::handle list, Py_ssize_t i) {
        return py::reinterpret_borrow<py::object>(PyList_GET_ITEM(list.ptr(), i));
    }

    std::vector<py::object> held_; // another thread may change the lists meanwhile
    std::vector<Document> tokens_;
    std::vector<std::size_t> starts_{0};
};

/// f(TokenLists) for all documents, part by part: there are many more tokens than documents.
template <class F>
void for_token_lists(py::handle documents, F&& f) {
    if (!PyList_Check(documents.ptr()))
        throw TypeError("documents must be a list of lists of str, got " + describe(documents));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(documents.ptr());) {
        TokenLists part;
        while (i < PyList_GET_SIZE(documents.ptr()) && !part.full()) part.add(documents, i++);
        f(part);
    }
}

// ---- packed terms ---------------------------------------------------------------------------------------------------

std::vector<std::string_view> packed_arg(py::handle bytes, py::handle starts) {
    const auto all = span_arg<std::uint8_t>("utf8", bytes);
    const auto places = span_arg<std::int64_t>("starts", starts);
    if (places.empty() || places.front() != 0 || places.back() != static_cast<std::int64_t>(all.size()) ||
        !std::is_sorted(places.begin(), places.end()))
        throw ValueError("starts must ascend from 0 to the number of bytes");
    std::vector<std::string_view> terms(places.size() - 1);
    const char* const text = reinterpret_cast<const char*>(all.data());
    for (std::size_t i = 0; i < terms.size(); ++i) {
        terms[i] = {text + places[i], static_cast<std::size_t>(places[i + 1] - places[i])};
        if (terms[i].size() > text::WordTable::max_word_bytes)
            throw ValueError("a term of " + std::to_string(terms[i].size()) + " bytes is too long");
    }
    return terms;
}

py::list unpack_terms(const py::object& bytes, const py::object& starts) {
    const auto terms = packed_arg(bytes, starts);
    py::list list(terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i)
        PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), str_of(terms[i]).release().ptr());
    return list;
}

py::tuple pack_terms(const py::object& terms) {
    const TextList list("terms", terms);
    Buffer<std::int64_t> starts(list.size() + 1);
    std::vector<std::uint8_t> bytes;
    std::vector<char> buffer;
    starts[0] = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string_view term = text::utf8_of(list.documents()[i], buffer);
        bytes.insert(bytes.end(), term.begin(), term.end());
        starts[i + 1] = static_cast<std::int64_t>(bytes.size());
    }
    return py::make_tuple(to_numpy(std::move(bytes)), to_numpy(std::move(starts)));
}

// ---- matrices -------------------------------------------------------------------------------------------------------

text::Values values_of(const py::dtype& dtype) {
    if (dtype.is(py::dtype::of<std::int32_t>())) return text::Values::int32;
    if (dtype.is(py::dtype::of<std::int64_t>())) return text::Values::int64;
    if (dtype.is(py::dtype::of<float>())) return text::Values::float32;
    if (dtype.is(py::dtype::of<double>())) return text::Values::float64;
    throw ValueError("dtype must be int32, int64, float32 or float64, got " + std::string(py::str(dtype)));
}

py::tuple to_tuple(CsrCounts csr) {
    const auto array = [](auto&& variant) {
        return std::visit([](auto&& buffer) -> py::object { return to_numpy(std::move(buffer)); }, std::move(variant));
    };
    return py::make_tuple(array(std::move(csr.data)), array(std::move(csr.indices)), array(std::move(csr.indptr)));
}

struct ColumnNumbers {
    std::vector<std::int32_t> values;
    std::size_t n_columns = 0;
};

ColumnNumbers columns_arg(py::handle object) {
    ColumnNumbers columns;
    const auto convert = [&](auto view) {
        columns.values.resize(view.size());
        for (std::size_t i = 0; i < view.size(); ++i) {
            const auto column = static_cast<std::int64_t>(view[i]);
            if (column < -1 || column >= std::numeric_limits<std::int32_t>::max())
                throw ValueError("columns must lie in [-1, 2^31 - 1), got " + std::to_string(column));
            columns.values[i] = static_cast<std::int32_t>(column);
            columns.n_columns = std::max(columns.n_columns, static_cast<std::size_t>(column + 1));
        }
    };
    if (py::isinstance<py::array_t<std::int32_t>>(object))
        convert(span_arg<std::int32_t>("columns", object));
    else
        convert(span_arg<std::int64_t>("columns", object));
    return columns;
}

// ---- TermCounter ----------------------------------------------------------------------------------------------------

/// The counter and the analysis that its documents need.
class Counter {
  public:
    explicit Counter(const Analysis* analysis) : analysis_(analysis), counter_(analysis) {}

    void add(const py::object& documents, bool keep_rows, const py::object& report, int n_threads) {
        const Alone alone(*this);
        const AnalyzedTexts list = documents_arg(documents, needed(analysis_));
        run(n_threads, 0, report, [&](const RunContext& ctx) { counter_.add(ctx, list.documents(), keep_rows); });
    }
    void add_tokens(const py::object& documents, bool keep_rows, int n_threads) {
        const Alone alone(*this);
        for_token_lists(documents, [&](const TokenLists& part) {
            run(n_threads, 0, [&](const RunContext& ctx) { counter_.add_tokens(ctx, part.documents(), keep_rows); });
        });
    }
    void restore(const py::object& bytes, const py::object& starts, const py::object& documents,
                 const py::object& occurrences, std::int64_t n_documents) {
        const Alone alone(*this);
        const auto terms = packed_arg(bytes, starts);
        const auto of_documents = span_arg<std::int64_t>("documents", documents, terms.size());
        const auto of_occurrences = span_arg<std::int64_t>("occurrences", occurrences, terms.size());
        if (n_documents < 0) throw ValueError("n_documents must be >= 0, got " + std::to_string(n_documents));
        run(1, 0, [&](const RunContext& ctx) {
            counter_.restore(ctx, terms, of_documents, of_occurrences, static_cast<std::size_t>(n_documents));
        });
    }
    void merge(Counter& other) {
        const Alone alone(*this), other_alone(other); // both, so not the same
        run(1, 0, [&](const RunContext& ctx) { counter_.merge(ctx, other.counter_); });
    }
    std::size_t n_documents() const { return counter_.n_documents(); }
    std::size_t n_terms() {
        const Alone alone(*this);
        return counter_.n_terms();
    }
    py::tuple terms(int n_threads) {
        const Alone alone(*this);
        auto terms = run(n_threads, 0, [&](const RunContext& ctx) { return counter_.terms(ctx); });
        return py::make_tuple(to_numpy(std::move(terms.packed.bytes)), to_numpy(std::move(terms.packed.starts)),
                              to_numpy(std::move(terms.documents)), to_numpy(std::move(terms.occurrences)));
    }
    py::tuple rows(const py::object& columns, bool binary, const py::dtype& dtype, int n_threads) {
        const Alone alone(*this);
        const text::Values values = values_of(dtype);
        const ColumnNumbers numbers = columns_arg(columns);
        return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) {
            return counter_.rows(ctx, numbers.values, numbers.n_columns, binary, values);
        }));
    }

  private:
    /// The GIL is released while the counter works: a second Python thread must not meet it halfway.
    class Alone {
      public:
        explicit Alone(Counter& counter) : counter_(counter) {
            if (std::exchange(counter.busy_, true)) {
                throw ValueError("another thread is using this TermCounter");
            }
        }
        ~Alone() { counter_.busy_ = false; }
        Alone(const Alone&) = delete;
        Alone& operator=(const Alone&) = delete;

      private:
        Counter& counter_;
    };

    const Analysis* const analysis_;
    TermCounter counter_;
    bool busy_ = false; // guarded by the GIL
};

// ---- TermIndex ------------------------------------------------------------------------------------------------------

/// Terms and their columns, and the index of them for the analysis that was asked for last.
class Index {
  public:
    Index(const py::object& bytes, const py::object& starts, const py::object& columns)
        : bytes_(bytes), starts_(starts), columns_(columns_arg(columns)) {
        const std::size_t n_terms = packed_arg(bytes, starts).size();
        if (columns_.values.size() != n_terms)
            throw ValueError("columns must have " + std::to_string(n_terms) + " entries, one for each term, got " +
                             std::to_string(columns_.values.size()));
    }

    py::tuple transform(const py::object& documents, const Analysis& analysis, bool binary, const py::dtype& dtype,
                        int n_threads) {
        const text::Values values = values_of(dtype);
        const AnalyzedTexts list = documents_arg(documents, analysis);
        const auto index = index_for(&analysis);
        return to_tuple(run(n_threads, 0, [&](const RunContext& ctx) {
            return index->transform(ctx, list.documents(), analysis, binary, values);
        }));
    }
    py::tuple transform_tokens(const py::object& documents, bool binary, const py::dtype& dtype, int n_threads) {
        const text::Values values = values_of(dtype);
        const auto index = index_for(nullptr);
        std::vector<text::RowChunk> rows;
        for_token_lists(documents, [&](const TokenLists& part) {
            run(n_threads, 0, [&](const RunContext& ctx) { index->read_tokens(ctx, part.documents(), rows); });
        });
        return to_tuple(run(
            n_threads, 0, [&](const RunContext& ctx) { return index->to_csr(ctx, std::move(rows), binary, values); }));
    }

  private:
    /// Two threads may make the same one at a time: each uses its own.
    std::shared_ptr<const TermIndex> index_for(const Analysis* analysis) {
        if (index_ && index_->fits(analysis)) return index_;
        const auto terms = packed_arg(bytes_, starts_);
        auto index = run(1, 0, [&](const RunContext& ctx) {
            return std::make_shared<const TermIndex>(ctx, analysis, terms, columns_.values, columns_.n_columns);
        });
        index_ = index;
        return index;
    }

    const py::object bytes_, starts_;
    const ColumnNumbers columns_;
    std::shared_ptr<const TermIndex> index_; // guarded by the GIL
};

// ---- tf-idf ---------------------------------------------------------------------------------------------------------

text::Norm norm_of(const std::optional<std::string>& name) {
    if (!name) return text::Norm::none;
    if (*name == "l1") return text::Norm::l1;
    if (*name == "l2") return text::Norm::l2;
    throw ValueError("norm must be 'l1', 'l2' or None, got '" + *name + "'");
}

template <class T, class Index>
void tfidf_of(const py::object& data, const py::object& indices, const py::object& indptr, const py::object& idf,
              bool sublinear, text::Norm norm, int n_threads) {
    const auto counts = span_arg<T>("data", data);
    if (!py::array_t<T>(data).writeable()) throw ValueError("data must be writeable");
    const auto columns = span_arg<Index>("indices", indices, counts.size());
    const auto starts = span_arg<Index>("indptr", indptr);
    const auto weights = optional_span_arg<T>("idf", idf);
    if (starts.empty() || starts.front() != 0 || !std::is_sorted(starts.begin(), starts.end()) ||
        static_cast<std::size_t>(starts.back()) != counts.size())
        throw ValueError("indptr must ascend from 0 to the number of entries");
    if (!idf.is_none())
        for (const Index column : columns)
            if (column < 0 || static_cast<std::size_t>(column) >= weights.size())
                throw ValueError("indices must lie in [0, " + std::to_string(weights.size()) + "), got " +
                                 std::to_string(column));
    const std::span<T> values(const_cast<T*>(counts.data()), counts.size());
    run(n_threads, 0,
        [&](const RunContext& ctx) { text::tfidf<T, Index>(ctx, values, columns, starts, weights, sublinear, norm); });
}

void tfidf(const py::object& data, const py::object& indices, const py::object& indptr, const py::object& idf,
           bool sublinear, const std::optional<std::string>& norm, int n_threads) {
    const text::Norm kind = norm_of(norm);
    const bool is_float = py::isinstance<py::array_t<float>>(data);
    const bool is_short = py::isinstance<py::array_t<std::int32_t>>(indptr);
    const auto call = is_float ? (is_short ? tfidf_of<float, std::int32_t> : tfidf_of<float, std::int64_t>)
                               : (is_short ? tfidf_of<double, std::int32_t> : tfidf_of<double, std::int64_t>);
    call(data, indices, indptr, idf, sublinear, kind, n_threads);
}

} // namespace

void register_text_vectorizer(py::module_& m) {
    py::class_<Counter>(m, "TermCounter", py::is_final(), "Finds the terms of documents and counts them.")
        .def(py::init<const Analysis*>(), py::arg("analysis"), py::keep_alive<1, 2>())
        .def("add", &Counter::add, py::arg("documents"), py::kw_only(), py::arg("keep_rows"),
             py::arg("report") = py::none(), py::arg("n_threads"))
        .def("add_tokens", &Counter::add_tokens, py::arg("documents"), py::kw_only(), py::arg("keep_rows"),
             py::arg("n_threads"))
        .def("restore", &Counter::restore, py::arg("utf8"), py::arg("starts"), py::arg("documents"),
             py::arg("occurrences"), py::arg("n_documents"))
        .def("merge", &Counter::merge, py::arg("other"))
        .def_property_readonly("n_documents", &Counter::n_documents)
        .def_property_readonly("n_terms", &Counter::n_terms)
        .def("terms", &Counter::terms, py::kw_only(), py::arg("n_threads"))
        .def("rows", &Counter::rows, py::arg("columns"), py::kw_only(), py::arg("binary"), py::arg("dtype"),
             py::arg("n_threads"));

    py::class_<Index>(m, "TermIndex", py::is_final(), "Counts the terms of a fixed vocabulary.")
        .def(py::init<const py::object&, const py::object&, const py::object&>(), py::arg("utf8"), py::arg("starts"),
             py::arg("columns"))
        .def("transform", &Index::transform, py::arg("documents"), py::arg("analysis"), py::kw_only(),
             py::arg("binary"), py::arg("dtype"), py::arg("n_threads"))
        .def("transform_tokens", &Index::transform_tokens, py::arg("documents"), py::kw_only(), py::arg("binary"),
             py::arg("dtype"), py::arg("n_threads"));

    m.def("unpack_terms", &unpack_terms, py::arg("utf8"), py::arg("starts"));
    m.def("pack_terms", &pack_terms, py::arg("terms"));
    m.def("tfidf", &tfidf, py::arg("data"), py::arg("indices"), py::arg("indptr"), py::arg("idf"), py::kw_only(),
          py::arg("sublinear"), py::arg("norm"), py::arg("n_threads"));
}

} // namespace mlcore
