// Which points are connected: a forest of parents that all threads extend at one time without locks (after Anderson and
// Woll, "Wait-free parallel algorithms for the union-find problem", STOC 1991).
//
// A root is always the least member of its set, so that the sets that come out, and their roots, do not depend on the
// order of unions or on threads. What a thread sees may be old: two members with the same root are in one set for ever,
// two with different roots may have been united meanwhile.
#pragma once

#include "core/memory.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mlcore::cluster {

class Components {
  public:
    /// Sets of one member each.
    explicit Components(std::size_t size) : parents_(size) {
        for (std::size_t i = 0; i < size; ++i) parents_[i] = static_cast<std::uint32_t>(i);
    }

    /// The root of a member's set; the path to it is halved on the way.
    std::uint32_t root(std::uint32_t member) {
        std::uint32_t parent = at(member).load(std::memory_order_relaxed);
        while (parent != member) {
            std::uint32_t grandparent = at(parent).load(std::memory_order_relaxed);
            if (grandparent == parent) return parent;
            at(member).compare_exchange_weak(parent, grandparent, std::memory_order_relaxed);
            member = grandparent;
            parent = at(member).load(std::memory_order_relaxed);
        }
        return member;
    }

    bool same(std::uint32_t a, std::uint32_t b) { return root(a) == root(b); }

    void unite(std::uint32_t a, std::uint32_t b) {
        for (;;) {
            a = root(a);
            b = root(b);
            if (a == b) return;
            if (a < b) std::swap(a, b);
            std::uint32_t expected = a;
            if (at(a).compare_exchange_strong(expected, b, std::memory_order_relaxed)) return;
        }
    }

  private:
    std::atomic_ref<std::uint32_t> at(std::uint32_t i) { return std::atomic_ref<std::uint32_t>(parents_[i]); }

    Buffer<std::uint32_t> parents_;
};

} // namespace mlcore::cluster
