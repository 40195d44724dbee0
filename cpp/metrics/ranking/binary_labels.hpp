// Labels of two classes as one byte a row, as all kernels of this room take them.
#pragma once

#include "core/context.hpp"
#include "core/view.hpp"

#include <cstdint>

namespace mlcore::metrics {

/// What else than 1 was seen.
struct BinaryLabels {
    bool zero = false, minus_one = false, other = false;

    /// All labels are 0 and 1, or -1 and 1: it is plain which is the positive one.
    bool plain() const { return !other && !(zero && minus_one); }
};

/// codes[i] = labels[i] == 1.
template <class T>
BinaryLabels read_binary_labels(const RunContext& ctx, VectorView<const T> labels, std::uint8_t* codes);

/// codes[i] = labels[i] == positive, whatever the others are.
template <class T>
void read_labels_against(const RunContext& ctx, VectorView<const T> labels, T positive, std::uint8_t* codes);

} // namespace mlcore::metrics
