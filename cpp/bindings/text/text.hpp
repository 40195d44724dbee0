// Submodule `text` is bound in several files: what is known of characters, and what turns documents into counts.
#pragma once

#include <pybind11/pybind11.h>

namespace mlcore {

void register_text_analysis(pybind11::module_& m);
void register_text_characters(pybind11::module_& m);
void register_text_vectorizer(pybind11::module_& m);
void register_text_hashing(pybind11::module_& m);

} // namespace mlcore
