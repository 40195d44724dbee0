// Documents as counts of the terms of a vocabulary.
#include "bindings/text/text.hpp"

namespace mlcore {

void register_text_vectorizer(pybind11::module_&) {}

} // namespace mlcore
