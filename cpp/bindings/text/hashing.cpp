// Documents as counts of hashed terms.
#include "bindings/text/text.hpp"

namespace mlcore {

void register_text_hashing(pybind11::module_&) {}

} // namespace mlcore
