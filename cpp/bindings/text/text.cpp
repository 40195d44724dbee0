// Submodule `text`: documents as counts of terms. See the other files of this folder.
#include "bindings/text/text.hpp"
#include "bindings/module.hpp"

namespace mlcore {

void register_text(pybind11::module_& m) {
    auto text = m.def_submodule("text", "Documents as counts of terms.");
    register_text_characters(text);
    register_text_analysis(text); // a type of arguments of what follows
    register_text_vectorizer(text);
    register_text_hashing(text);
}

} // namespace mlcore
