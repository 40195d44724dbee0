// What the terms of a document are: see analysis.hpp.
#include "bindings/text/analysis.hpp"
#include "bindings/numpy_args.hpp"
#include "bindings/text/text.hpp"
#include "core/error.hpp"
#include "text/unicode/encode.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mlcore {
namespace bindings {

std::string utf8_of(py::handle str) {
    const text::Document document = document_of(str);
    if (document.ascii) return {static_cast<const char*>(document.data), document.size};
    std::string bytes;
    bytes.reserve(2 * document.size);
    char encoded[text::max_utf8];
    for (std::size_t i = 0; i < document.size; ++i) bytes.append(encoded, text::encode_utf8(document[i], encoded));
    return bytes;
}

} // namespace bindings

namespace {

using namespace bindings;
using namespace text;

Level level_arg(const std::string& analyzer) {
    if (analyzer == "word") return Level::word;
    if (analyzer == "char") return Level::character;
    if (analyzer == "char_wb") return Level::character_word;
    throw ValueError("analyzer must be 'word', 'char' or 'char_wb', got '" + analyzer + "'");
}

TokenRule rule_of(Level level, const std::string& pattern) {
    switch (level) {
    case Level::character:
        return TokenRule::space();
    case Level::character_word:
        return TokenRule::not_space();
    default:
        return pattern_arg(pattern);
    }
}

std::unique_ptr<Analysis> make_analysis(const std::string& analyzer, const std::string& pattern, bool lowercase,
                                        const py::object& accents, std::int64_t min_n, std::int64_t max_n,
                                        const py::list& stop_words) {
    const Level level = level_arg(analyzer);
    if (min_n < 1 || max_n < min_n || max_n > 0x7FFFFFFF)
        throw ValueError("min_n and max_n must be 1 <= min_n <= max_n < 2^31, got " + std::to_string(min_n) + " and " +
                         std::to_string(max_n));
    const TextList words("stop_words", stop_words);
    std::vector<std::string> stop;
    for (const py::object& word : words.held()) stop.push_back(utf8_of(word));
    const AnalyzerOptions options{lowercase, accents_arg(accents), rule_of(level, pattern)};
    return std::make_unique<Analysis>(character_table(1, facts_for(options.accents)), options, level,
                                      static_cast<std::size_t>(min_n), static_cast<std::size_t>(max_n),
                                      std::move(stop));
}

} // namespace

void register_text_analysis(py::module_& m) {
    py::class_<Analysis>(m, "Analysis", py::is_final(), "What the terms of a document are.")
        .def(py::init(&make_analysis), py::arg("analyzer"), py::arg("pattern"), py::arg("lowercase"),
             py::arg("accents"), py::arg("min_n"), py::arg("max_n"), py::arg("stop_words"));
}

} // namespace mlcore
