// Disjoint sets for one thread.
#pragma once

#include "core/memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mlcore::neighbors {

/// Sets of the numbers 0 .. n - 1, each with its least member for a root.
class Sets {
  public:
    explicit Sets(std::size_t n) : parent_(n) {
        for (std::size_t p = 0; p < n; ++p) parent_[p] = static_cast<std::int32_t>(p);
    }
    std::int32_t root(std::int32_t p) {
        while (parent_[static_cast<std::size_t>(p)] != p) { // every second member on the way up skips one
            std::int32_t& up = parent_[static_cast<std::size_t>(p)];
            up = parent_[static_cast<std::size_t>(up)];
            p = up;
        }
        return p;
    }
    /// Returns whether a and b were in different sets.
    bool join(std::int32_t a, std::int32_t b) {
        a = root(a);
        b = root(b);
        if (a != b) parent_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
        return a != b;
    }

  private:
    Buffer<std::int32_t> parent_;
};

} // namespace mlcore::neighbors
