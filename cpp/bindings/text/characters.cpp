// What is known of characters.
#include "bindings/text/text.hpp"

namespace mlcore {

void register_text_characters(pybind11::module_&) {}

} // namespace mlcore
