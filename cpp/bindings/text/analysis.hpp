// The Python class `Analysis`, what the terms of a document are, as an argument of other functions.
//
//     m.def("count", [](const py::object& documents, const text::Analysis& analysis, int n_threads) {
//         const AnalyzedTexts texts("documents", documents, analysis);
//         return run(n_threads, 0, [&](const RunContext& ctx) { return count(ctx, texts.documents(), analysis); });
//     });
#pragma once

#include "bindings/text/characters.hpp"
#include "text/analysis/analysis.hpp"

namespace mlcore::bindings {

/// The str of a list for an analysis: all that it needs to know of their characters is in the table.
class AnalyzedTexts : public TextList {
  public:
    AnalyzedTexts(const char* name, pybind11::handle list, const text::Analysis& analysis)
        : TextList(name, list, analysis.analyzer.options().lowercase) {
        character_table(width(), facts_for(analysis.analyzer.options().accents));
    }
};

/// The bytes of a str as encode_utf8 of text/unicode/encode.hpp writes them: halves of surrogate pairs too.
std::string utf8_of(pybind11::handle str);

} // namespace mlcore::bindings
