// Words and corpora of the submodule `embedding`: see embedding/embedding.cpp.
#include "bindings/embedding/embedding.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/run_guard.hpp"
#include "text/id_corpus.hpp"
#include "text/phrase_counter.hpp"
#include "text/phrase_finder.hpp"
#include "text/text_corpus.hpp"
#include "text/text_stream.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"
#include "text/word_table.hpp"

#include <pybind11/stl.h>

namespace mlcore {
namespace {

using namespace text;
using namespace bindings;

/// A corpus and the Python objects whose memory it reads.
template <class Base>
struct Holding final : Base {
    template <class... Args>
    explicit Holding(py::object objects, Args&&... args)
        : Base(std::forward<Args>(args)...), held(std::move(objects)) {}

    py::object held;
};
using HeldTextCorpus = Holding<TextCorpus>;
using HeldIdCorpus = Holding<IdCorpus>;

/// The UTF-8 of a str. One of ASCII lends its own bytes; any other is encoded for the time being, because the copy that
/// Python would lend stays with the str as long as that lives.
class Utf8 {
  public:
    Utf8(py::handle text, const std::string& source) {
        if (PyUnicode_IS_COMPACT_ASCII(text.ptr())) {
            view_ = {static_cast<const char*>(PyUnicode_DATA(text.ptr())),
                     static_cast<std::size_t>(PyUnicode_GET_LENGTH(text.ptr()))};
            return;
        }
        encoded_ = py::reinterpret_steal<py::object>(PyUnicode_AsUTF8String(text.ptr()));
        if (!encoded_) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw py::error_already_set();
            PyErr_Clear();
            throw ValueError(source + ": holds half of a surrogate pair, which is no character: decode the text with "
                                      "errors=\"replace\"");
        }
        view_ = {PyBytes_AS_STRING(encoded_.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(encoded_.ptr()))};
    }

    std::string_view view() const { return view_; }

  private:
    py::object encoded_;
    std::string_view view_;
};

/// Calls f(word, readable, offset) for each word of a text, which is a str to be split or a list of words.
template <class F>
void for_each_word(py::handle text, const std::string& source, F&& f) {
    if (PyUnicode_Check(text.ptr())) {
        const Utf8 utf8(text, source);
        const std::string_view bytes = utf8.view();
        Tokenizer tokenizer(bytes);
        WordRun run;
        while (tokenizer.next(run))
            for (std::size_t i = 0; i < run.size(); ++i)
                f(run[i], bytes.data() + bytes.size(), static_cast<std::uint64_t>(run[i].data() - bytes.data()));
        return;
    }
    if (!PyList_Check(text.ptr()) && !PyTuple_Check(text.ptr()))
        throw TypeError(source + " must be a str or a list of str, got " + describe(text));
    // A list may be changed by another thread between two items: sizes and items are asked for one at a time.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(text.ptr()); ++i) {
        const auto word = py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(text.ptr(), i));
        if (!PyUnicode_Check(word.ptr()))
            throw TypeError("word " + std::to_string(i) + " of " + source + " must be a str, got " + describe(word));
        const Utf8 utf8(word, source);
        const std::string_view bytes = utf8.view();
        f(bytes, bytes.data() + bytes.size(), std::uint64_t{0});
    }
}

std::string text_name(std::size_t number) { return "text " + std::to_string(number); }

py::str to_str(std::string_view word) { return py::str(word.data(), word.size()); }

/// All words of a WordTable or a Vocabulary.
template <class Words>
py::list words_of(const Words& words) {
    py::list list(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) list[i] = to_str(words.word(static_cast<std::int32_t>(i)));
    return list;
}

template <class Words>
py::array_t<std::int64_t> counts_of(const Words& words) {
    return to_numpy(std::vector<std::int64_t>(words.counts().begin(), words.counts().end()));
}

py::tuple add_texts(WordTable& table, const py::list& texts, std::size_t first) {
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> lengths;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string source = text_name(first + i);
        const std::size_t before = ids.size();
        for_each_word(texts[i], source, [&](std::string_view word, const char* readable, std::uint64_t offset) {
            ids.push_back(table.add(word_key(word, readable), word, source, offset));
        });
        lengths.push_back(static_cast<std::int64_t>(ids.size() - before));
    }
    return py::make_tuple(to_numpy(std::move(ids)), to_numpy(std::move(lengths)));
}

py::tuple encode(const Vocabulary& vocabulary, const py::list& texts, std::size_t first) {
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> indptr{0};
    for (std::size_t i = 0; i < texts.size(); ++i) {
        for_each_word(texts[i], text_name(first + i), [&](std::string_view word, const char* readable, std::uint64_t) {
            const std::int32_t id = vocabulary.table().find(word_key(word, readable), word.data());
            if (id >= 0) ids.push_back(id);
        });
        indptr.push_back(static_cast<std::int64_t>(ids.size()));
    }
    return py::make_tuple(to_numpy(std::move(ids)), to_numpy(std::move(indptr)));
}

std::int32_t id_of(const Vocabulary& vocabulary, const py::str& word) {
    if (PyUnicode_IS_COMPACT_ASCII(word.ptr())) return vocabulary.id(Utf8(word, "").view());
    const auto encoded = py::reinterpret_steal<py::object>(PyUnicode_AsUTF8String(word.ptr()));
    if (!encoded) { // no UTF-8, no word
        PyErr_Clear();
        return -1;
    }
    return vocabulary.id({PyBytes_AS_STRING(encoded.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(encoded.ptr()))});
}

Vocabulary vocabulary_of(const py::list& words, const py::object& counts_object) {
    const auto counts = span_arg<std::int64_t>("counts", counts_object, words.size());
    WordTable table;
    table.reserve(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string source = "word " + std::to_string(i);
        const py::object item = words[i];
        if (!PyUnicode_Check(item.ptr())) throw TypeError(source + " must be a str, got " + describe(item));
        if (counts[i] < 0)
            throw ValueError("counts[" + std::to_string(i) + "] must not be negative, got " +
                             std::to_string(counts[i]));
        const Utf8 utf8(item, source);
        const std::string_view word = utf8.view();
        const std::int32_t id = table.add(word_key(word), word, source, 0);
        if (static_cast<std::size_t>(id) != i)
            throw ValueError("words must be distinct, but '" + std::string(word) + "' is both word " +
                             std::to_string(id) + " and word " + std::to_string(i));
        table.count(id, counts[i] - 1);
    }
    return Vocabulary(std::move(table));
}

py::tuple to_tuple(EncodedBlock&& block) {
    return py::make_tuple(to_numpy(std::move(block.ids)), to_numpy(std::move(block.ends)));
}

std::shared_ptr<HeldTextCorpus> text_corpus(const py::list& buffers, const std::vector<std::string>& names) {
    if (buffers.size() != names.size()) throw ValueError("buffers and names must be of one length");
    std::vector<TextFile> files;
    py::tuple held(buffers); // the list itself may be changed later
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto bytes = span_arg<std::uint8_t>("buffers", held[i]);
        files.push_back({{reinterpret_cast<const char*>(bytes.data()), bytes.size()}, names[i]});
    }
    return std::make_shared<HeldTextCorpus>(std::move(held), std::move(files));
}

std::shared_ptr<HeldIdCorpus> id_corpus(const py::object& ids, const py::object& ends,
                                        std::shared_ptr<WordTable> table) {
    return std::make_shared<HeldIdCorpus>(py::make_tuple(ids, ends), span_arg<std::int32_t>("ids", ids),
                                          span_arg<std::int64_t>("ends", ends), std::move(table));
}

py::tuple read(const Corpus& corpus, std::size_t number) {
    if (number >= corpus.n_pieces()) throw ValueError("there is no piece " + std::to_string(number));
    Piece piece;
    corpus.read(number, piece);
    std::vector<std::int64_t> ends(piece.ends.begin(), piece.ends.end());
    return py::make_tuple(to_numpy(std::move(piece.ids)), to_numpy(std::move(ends)), piece.continues);
}

py::tuple count_phrases(Corpus& corpus, std::shared_ptr<Vocabulary> vocabulary, const py::object& is_connector,
                        std::int64_t min_count, std::size_t max_distinct, int n_threads) {
    const auto connectors = span_arg<std::uint8_t>("is_connector", is_connector, vocabulary->size());
    corpus.set_vocabulary(vocabulary);
    PhraseCounts found = run(n_threads, 0, [&](const RunContext& ctx) {
        return text::count_phrases(ctx, corpus, connectors, min_count, max_distinct);
    });
    return py::make_tuple(to_numpy(std::move(found.ids)), to_numpy(std::move(found.starts)),
                          to_numpy(std::move(found.counts)), found.n_distinct);
}

/// Phrases and the strings that take their places.
struct BoundFinder {
    BoundFinder(const py::list& words, const py::object& is_connector, const py::object& ids, const py::object& starts,
                const py::list& joined)
        : finder(table_of(words), span_arg<std::uint8_t>("is_connector", is_connector),
                 span_arg<std::int32_t>("ids", ids), span_arg<std::int64_t>("starts", starts)),
          word_strings(words), phrase_strings(joined) {
        if (joined.size() != finder.n_phrases()) throw ValueError("joined must have an entry for each phrase");
    }

    py::list apply(const py::list& texts, std::size_t first) const {
        py::list result(texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) result[i] = apply_one(texts[i], text_name(first + i));
        return result;
    }

  private:
    static WordTable table_of(const py::list& words) {
        WordTable table;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const py::object word = words[i];
            if (!PyUnicode_Check(word.ptr())) throw TypeError("words must be a list of str, got " + describe(word));
            const Utf8 utf8(word, "words");
            if (table.find(utf8.view()) >= 0) throw ValueError("words must be distinct");
            table.insert(utf8.view());
        }
        return table;
    }

    py::list apply_one(py::handle text, const std::string& source) const {
        std::vector<std::int32_t> ids;
        py::list words; // of a text that is split here; unknown ones alone, the others are at hand
        const bool split = PyUnicode_Check(text.ptr());
        for_each_word(text, source, [&](std::string_view word, const char* readable, std::uint64_t) {
            ids.push_back(finder.words().find(word_key(word, readable), word.data()));
            if (split) words.append(ids.back() < 0 ? to_str(word) : py::object(word_strings[ids.back()]));
        });
        const py::handle items = split ? py::handle(words) : text;
        std::vector<PhraseFinder::Part> parts;
        finder.split(ids, parts);
        py::list result(parts.size());
        for (std::size_t i = 0; i < parts.size(); ++i)
            result[i] = parts[i].phrase >= 0 ? py::object(phrase_strings[parts[i].phrase])
                                             : py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(
                                                   items.ptr(), static_cast<Py_ssize_t>(parts[i].end - 1)));
        return result;
    }

    PhraseFinder finder;
    py::list word_strings, phrase_strings;
};

void register_phrases(py::module_& m) {
    m.def("count_phrases", count_phrases, py::arg("corpus"), py::arg("vocabulary").none(false), py::arg("is_connector"),
          py::arg("min_count"), py::arg("max_distinct"), py::arg("n_threads"));
    py::class_<BoundFinder>(m, "PhraseFinder")
        .def(py::init<const py::list&, const py::object&, const py::object&, const py::object&, const py::list&>(),
             py::arg("words"), py::arg("is_connector"), py::arg("ids"), py::arg("starts"), py::arg("joined"))
        .def("apply", &BoundFinder::apply, py::arg("texts"), py::arg("first"));
}

void register_words(py::module_& m) {
    using no_gil = py::call_guard<py::gil_scoped_release>;
    py::class_<WordTable, std::shared_ptr<WordTable>>(m, "WordTable")
        .def(py::init<>())
        .def("__len__", &WordTable::size)
        .def("words", words_of<WordTable>)
        .def("counts", counts_of<WordTable>)
        .def("add_texts", add_texts, py::arg("texts"), py::arg("first"));

    py::class_<Vocabulary, std::shared_ptr<Vocabulary>>(m, "Vocabulary")
        .def(py::init(&vocabulary_of), py::arg("words"), py::arg("counts"))
        .def_static("build", &Vocabulary::build, py::arg("table").none(false), py::arg("min_count"),
                    py::arg("max_size"), no_gil())
        .def("grow", &Vocabulary::grow, py::arg("table").none(false), py::arg("min_count"), py::arg("max_size"),
             no_gil())
        .def("__len__", &Vocabulary::size)
        .def("words", words_of<Vocabulary>)
        .def("counts", counts_of<Vocabulary>)
        .def("id", id_of, py::arg("word"))
        .def(
            "ids",
            [](const Vocabulary& self, const std::vector<py::str>& words) {
                std::vector<std::int32_t> ids;
                for (const py::str& word : words) ids.push_back(id_of(self, word));
                return to_numpy(std::move(ids));
            },
            py::arg("words"))
        .def("encode", encode, py::arg("texts"), py::arg("first"));
}

void register_corpora(py::module_& m) {
    py::class_<Corpus, std::shared_ptr<Corpus>>(m, "Corpus")
        .def_property_readonly("n_pieces", &Corpus::n_pieces)
        .def_property_readonly("n_tokens", &Corpus::n_tokens)
        .def("tokens_before", &Corpus::tokens_before, py::arg("piece"))
        .def(
            "set_vocabulary", [](Corpus& self, std::shared_ptr<Vocabulary> v) { self.set_vocabulary(std::move(v)); },
            py::arg("vocabulary").none(false))
        .def("read", read, py::arg("piece"));

    py::class_<HeldTextCorpus, Corpus, std::shared_ptr<HeldTextCorpus>>(m, "TextCorpus")
        .def(py::init(&text_corpus), py::arg("buffers"), py::arg("names"))
        .def_property_readonly("n_texts", [](const HeldTextCorpus& self) { return self.n_texts(); })
        .def(
            "count",
            [](HeldTextCorpus& self, int n_threads) {
                return run(n_threads, 0,
                           [&](const RunContext& ctx) { return std::make_shared<WordTable>(self.count(ctx)); });
            },
            py::arg("n_threads"));

    py::class_<HeldIdCorpus, Corpus, std::shared_ptr<HeldIdCorpus>>(m, "IdCorpus")
        .def(py::init(&id_corpus), py::arg("ids"), py::arg("ends"), py::arg("table").none(false))
        .def_property_readonly("n_texts", [](const HeldIdCorpus& self) { return self.n_texts(); });

    py::class_<TextStream>(m, "TextStream")
        .def(py::init<std::shared_ptr<WordTable>, std::string>(), py::arg("table").none(false), py::arg("name"))
        .def(
            "feed",
            [](TextStream& self, const py::bytes& block) { return to_tuple(self.feed(std::string_view(block))); },
            py::arg("block"))
        .def("finish", [](TextStream& self) { return to_tuple(self.finish()); });
}

} // namespace

void register_embedding_corpus(py::module_& m) {
    register_words(m);
    register_corpora(m);
    register_phrases(m);
}

} // namespace mlcore
