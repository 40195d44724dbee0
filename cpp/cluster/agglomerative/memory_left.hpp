// Whether a large block of memory is there before it is asked for: the system grants more than it has, and ends the
// process when it is written to.
#pragma once

#include <cstddef>

namespace mlcore::cluster {

/// Bytes that this process may still take: what the machine and its control group have left. Where neither says, the
/// most there is.
std::size_t available_memory();

/// Throws an std::bad_alloc that says how much is needed and how much there is, where that is less.
void require_memory(std::size_t bytes);

} // namespace mlcore::cluster
