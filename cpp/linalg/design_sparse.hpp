// Rows of a CSR table. Columns within a row may be in any order, and may come several times: their values add up.
#pragma once

#include "linalg/design.hpp"

namespace mlcore::linalg {

template <class T, class Index>
std::unique_ptr<Design> make_sparse_design(const CsrView<T, Index>& X);

} // namespace mlcore::linalg
