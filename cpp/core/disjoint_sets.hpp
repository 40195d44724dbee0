// Disjoint sets of the numbers 0 .. n - 1 (union-find). The root of a set is its least member, so that it does not
// depend on the order in which sets were joined.
#pragma once

#include "core/memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mlcore {

class DisjointSets {
  public:
    explicit DisjointSets(std::size_t n) : parent_(n) {
        for (std::size_t i = 0; i < n; ++i) parent_[i] = static_cast<std::int32_t>(i);
    }

    std::int32_t root(std::int32_t i) {
        while (parent_[static_cast<std::size_t>(i)] != i) { // every second member on the way up skips one
            std::int32_t& up = parent_[static_cast<std::size_t>(i)];
            up = parent_[static_cast<std::size_t>(up)];
            i = up;
        }
        return i;
    }

    /// False if they were in one set.
    bool join(std::int32_t a, std::int32_t b) {
        a = root(a);
        b = root(b);
        if (a != b) parent_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
        return a != b;
    }

  private:
    Buffer<std::int32_t> parent_;
};

} // namespace mlcore
