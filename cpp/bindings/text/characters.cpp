// What is known of characters: see characters.hpp.
#include "bindings/text/characters.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/text/text.hpp"
#include "core/error.hpp"
#include "text/analysis/character_reader.hpp"
#include "text/analysis/word_reader.hpp"

#include <algorithm>
#include <utility>

namespace mlcore {
namespace bindings {
namespace {

using text::CharacterTable;
using text::Document;
using text::page_size;

py::object checked(PyObject* result) {
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

py::object call(const py::object& function, const py::object& argument) {
    return checked(PyObject_CallFunctionObjArgs(function.ptr(), argument.ptr(), nullptr));
}

py::object character(Py_UCS4 c) { return checked(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, &c, 1)); }

std::u32string to_u32(const py::object& str) {
    const Document document = document_of(str);
    std::u32string all(document.size, U'\0');
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = document[i];
    return all;
}

CharacterTable::CasePage case_page(std::size_t number) {
    CharacterTable::CasePage page;
    for (std::size_t i = 0; i < page_size; ++i) {
        const auto c = static_cast<Py_UCS4>(number * page_size + i);
        if (Py_UNICODE_ISALNUM(c) || c == '_') page.kinds[i] |= CharacterTable::word;
        if (Py_UNICODE_ISSPACE(c)) page.kinds[i] |= CharacterTable::space;
        if (Py_UNICODE_TOLOWER(c) == c) continue;
        // The one function tells the first character of a lower case, the other all of them.
        const std::u32string lower = to_u32(checked(PyObject_CallMethod(character(c).ptr(), "lower", nullptr)));
        if (lower.size() == 1)
            page.lower[i] = static_cast<std::int32_t>(lower[0]) - static_cast<std::int32_t>(c);
        else
            page.long_lower.emplace_back(static_cast<std::uint8_t>(i), lower);
    }
    return page;
}

/// f(page) for the pages where the lower cases of a page lie.
template <class F>
void for_each_lower_page(const CharacterTable& table, std::size_t number, F&& f) {
    std::u32string lower;
    for (std::size_t i = 0; i < page_size; ++i)
        table.append_lower(static_cast<char32_t>(number * page_size + i), lower);
    std::size_t last = number;
    for (const char32_t c : lower)
        if (c / page_size != last) f(last = c / page_size);
}

/// Enters a page, and those where its lower cases lie: their kinds will be asked for.
void enter_cases(CharacterTable& table, std::size_t number) {
    if (table.has_cases(number)) return;
    table.set_cases(number, case_page(number));
    for_each_lower_page(table, number, [&](std::size_t page) { enter_cases(table, page); });
}

/// Characters of a page.
py::object page_text(std::size_t number) {
    Py_UCS4 all[page_size];
    for (std::size_t i = 0; i < page_size; ++i) all[i] = static_cast<Py_UCS4>(number * page_size + i);
    return checked(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, all, page_size));
}

/// The functions of unicodedata.
struct UnicodeData {
    py::module_ module = py::module_::import("unicodedata");
    py::object normalize = module.attr("normalize"), combining = module.attr("combining"),
               category = module.attr("category");
    py::str nfkd{"NFKD"};

    py::object decomposed(const py::object& str) const {
        return checked(PyObject_CallFunctionObjArgs(normalize.ptr(), nfkd.ptr(), str.ptr(), nullptr));
    }
    /// A combining character is printable: those that are not are of the categories Other and Separator.
    bool is_combining(char32_t c) const {
        return Py_UNICODE_ISPRINTABLE(c) && PyObject_IsTrue(call(combining, character(c)).ptr());
    }
};

/// Enters a page, and what will be asked for: the accents of its lower cases, the cases of what remains.
void enter_accents(CharacterTable& table, const UnicodeData& data, std::size_t number) {
    if (table.has_accents(number)) return;
    const py::object text = page_text(number);
    const bool same = PyUnicode_Compare(data.decomposed(text).ptr(), text.ptr()) == 0;
    CharacterTable::AccentPage page;
    for (std::size_t i = 0; i < page_size; ++i) {
        const auto c = static_cast<char32_t>(number * page_size + i);
        for (const char32_t part : same ? std::u32string(1, c) : to_u32(data.decomposed(character(c))))
            if (!data.is_combining(part)) page.text += part;
        page.starts[i + 1] = static_cast<std::uint16_t>(page.text.size());
    }
    if (same && page.text.size() == page_size)
        table.set_no_accents(number);
    else
        table.set_accents(number, page);
    for (const char32_t c : page.text) enter_cases(table, c / page_size);
    for_each_lower_page(table, number, [&](std::size_t lower) { enter_accents(table, data, lower); });
}

CharacterTable::CategoryPage category_page(const UnicodeData& data, std::size_t number) {
    CharacterTable::CategoryPage page{};
    for (std::size_t i = 0; i < page_size; ++i) {
        const auto c = static_cast<Py_UCS4>(number * page_size + i);
        if (!Py_UNICODE_ISPRINTABLE(c)) continue; // categories Other and Separator
        const char32_t category = document_of(call(data.category, character(c)))[0];
        page[i] = category == 'P'   ? CharacterTable::punctuation
                  : category == 'S' ? CharacterTable::symbol
                  : category == 'N' ? CharacterTable::number
                                    : std::uint8_t{0};
    }
    return page;
}

constexpr char32_t capital_sigma = 0x3A3;

bool holds_capital_sigma(const Document& document) {
    if (document.width == 1) return false;
    return visit_width(document, [&](const auto* p) {
        // Whole blocks without a branch, which the compiler makes vectors of.
        constexpr std::size_t block = 1024;
        for (std::size_t begin = 0; begin < document.size; begin += block) {
            const std::size_t end = std::min(begin + block, document.size);
            unsigned found = 0;
            for (std::size_t i = begin; i < end; ++i) found |= p[i] == capital_sigma;
            if (found) return true;
        }
        return false;
    });
}

} // namespace

Document document_of(py::handle str) {
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(str.ptr()) != 0) throw py::error_already_set();
#endif
    return {PyUnicode_DATA(str.ptr()), static_cast<std::size_t>(PyUnicode_GET_LENGTH(str.ptr())),
            static_cast<int>(PyUnicode_KIND(str.ptr())), PyUnicode_IS_ASCII(str.ptr()) != 0};
}

py::str str_of(std::string_view utf8) {
    return py::reinterpret_steal<py::str>(
        checked(PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "surrogatepass")).release());
}

const CharacterTable& character_table(int width, Facts facts) {
    static auto* const table = new CharacterTable;                   // never destroyed: threads may still read it
    static std::size_t n_cases = 0, n_accents = 0, n_categories = 0; // pages that are there from the first on
    const std::size_t needed = width == 1 ? 1 : width == 2 ? 0x10000 / page_size : text::n_pages;
    // Python code may run inside (the destructors of a garbage collection) and come here too: pages are looked for
    // before they are made, and those that are there stay.
    const auto enter = [&](std::size_t& n_entered, auto&& enter_page) {
        for (std::size_t page = n_entered; page < needed; ++page) enter_page(page);
        n_entered = std::max(n_entered, needed);
    };
    enter(n_cases, [&](std::size_t page) { enter_cases(*table, page); });
    if (facts == Facts::accents && n_accents < needed) {
        const UnicodeData data;
        enter(n_accents, [&](std::size_t page) { enter_accents(*table, data, page); });
    }
    if (facts == Facts::categories && n_categories < needed) {
        const UnicodeData data;
        enter(n_categories, [&](std::size_t page) {
            if (!table->has_categories(page)) table->set_categories(page, category_page(data, page));
        });
    }
    return *table;
}

text::Accents accents_arg(py::handle accents) {
    if (accents.is_none()) return text::Accents::keep;
    if (!py::isinstance<py::str>(accents)) detail::wrong_type("accents", "'ascii', 'unicode' or None", accents);
    const auto name = accents.cast<std::string>();
    if (name == "ascii") return text::Accents::ascii;
    if (name == "unicode") return text::Accents::unicode;
    throw ValueError("accents must be 'ascii', 'unicode' or None, got '" + name + "'");
}

text::TokenRule pattern_arg(const std::string& pattern) {
    const auto rule = text::TokenRule::of_pattern(pattern);
    if (!rule) throw ValueError("pattern must be one that the core knows (knows_pattern), got '" + pattern + "'");
    return *rule;
}

TextList::TextList(const char* name, py::handle list, bool lowercase) {
    if (!PyList_Check(list.ptr()) && !PyTuple_Check(list.ptr()))
        throw TypeError(std::string(name) + " must be a list of str, got " + describe(list));
    const auto expected = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(list.ptr()));
    held_.reserve(expected);
    documents_.reserve(expected);
    // The size is asked for again and again: str.lower() and the destructors of others may run meanwhile.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.ptr()); ++i) {
        auto item = py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(list.ptr(), i));
        if (!PyUnicode_Check(item.ptr()))
            throw TypeError(std::string(name) + "[" + std::to_string(i) + "] must be a str, got " + describe(item));
        Document document = document_of(item);
        if (lowercase && holds_capital_sigma(document)) {
            // str's own: a subclass may have another
            item = checked(PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyUnicode_Type), "lower", "O", item.ptr()));
            document = document_of(item);
        }
        documents_.push_back(document);
        held_.push_back(std::move(item));
        n_characters_ += document.size;
        width_ = std::max(width_, document.width);
    }
}

} // namespace bindings

namespace {

using namespace bindings;
using namespace text;

/// What the table says of the code points [begin, end): columns of kinds and categories.
py::tuple character_facts(std::uint32_t begin, std::uint32_t end) {
    if (begin > end || end > 0x110000) throw ValueError("code points must lie in [0, 0x110000]");
    const CharacterTable& table = character_table(4, Facts::cases);
    character_table(4, Facts::categories);
    std::vector<std::uint8_t> kinds, categories;
    for (char32_t c = begin; c < end; ++c) {
        kinds.push_back(table.kinds(c));
        categories.push_back(table.categories(c));
    }
    return py::make_tuple(to_numpy(std::move(kinds)), to_numpy(std::move(categories)));
}

/// Calls f(analyzer, document, list) for each text; f fills the list.
template <class F>
py::list analyze(py::handle texts, const TokenRule& rule, bool lowercase, py::handle accents, F&& f) {
    const TextList list("texts", texts, lowercase);
    const AnalyzerOptions options{lowercase, accents_arg(accents), rule};
    const Analyzer analyzer(character_table(list.width(), facts_for(options.accents)), options);
    py::list all;
    for (const Document& document : list.documents()) {
        py::list parts;
        f(analyzer, document, parts);
        all.append(parts);
    }
    return all;
}

py::list words(const py::object& texts, const std::string& pattern, bool lowercase, const py::object& accents) {
    return analyze(texts, pattern_arg(pattern), lowercase, accents,
                   [](const Analyzer& analyzer, const Document& document, py::list& parts) {
                       WordReader reader(analyzer);
                       WordRun run;
                       for (reader.start(document); reader.next(run);)
                           for (std::size_t i = 0; i < run.size(); ++i) parts.append(str_of(run[i]));
                   });
}

bool knows_pattern(const py::str& pattern) {
    // One that is no ASCII may hold what has no UTF-8, and is not known.
    return document_of(pattern).ascii && TokenRule::of_pattern(std::string(pattern)).has_value();
}

py::list characters(const py::object& texts, bool lowercase, const py::object& accents) {
    return analyze(texts, TokenRule::space(), lowercase, accents,
                   [](const Analyzer& analyzer, const Document& document, py::list& parts) {
                       CharacterReader reader(analyzer, 0);
                       CharacterRun run;
                       for (reader.start(document); reader.next(run);)
                           for (std::size_t i = 0; i < run.size; ++i)
                               parts.append(str_of({run.bytes + run.offsets[i], run.offsets[i + 1] - run.offsets[i]}));
                   });
}

} // namespace

void register_text_characters(pybind11::module_& m) {
    m.def("character_facts", &character_facts, py::arg("begin"), py::arg("end"),
          "Kinds (1: word, 2: white space) and categories (1: punctuation, 2: symbol, 4: number) of code points.");
    m.def("knows_pattern", &knows_pattern, py::arg("pattern"),
          "Whether the core finds the tokens of a regular expression without Python's help.");
    m.def("words", &words, py::arg("texts"), py::arg("pattern"), py::arg("lowercase"), py::arg("accents"),
          "The tokens of each text.");
    m.def("characters", &characters, py::arg("texts"), py::arg("lowercase"), py::arg("accents"),
          "The characters of each text, several of white space as one blank.");
}

} // namespace mlcore
