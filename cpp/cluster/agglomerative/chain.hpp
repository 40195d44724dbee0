// The nearest-neighbour chain (F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The
// Computer Journal, 1983): from any cluster to its nearest, from that to its own nearest, until two are nearest to each
// other, which are merged. O(m) searches, whatever the clusters are like. It ends what rounds of merges, which search
// for all clusters at once, have begun.
//
// A Space holds m clusters in slots:
//   std::size_t n_alive();           how many are left
//   std::size_t any();               one of them
//   Neighbour nearest(ctx, slot);    the slot that is nearest, the lowest of equals, and its value
//   double value(a, b);              the same as nearest finds it, value(a, b) == value(b, a)
//   std::size_t merge(a, b, value);  notes the merge, frees one of the slots
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::cluster {

struct Neighbour {
    std::size_t slot;
    double value;
};

template <class Space>
void follow_chain(const RunContext& ctx, Space& space) {
    std::vector<std::size_t> chain;
    while (space.n_alive() > 1) {
        ctx.checkpoint();
        if (chain.empty()) chain.push_back(space.any());
        const std::size_t tip = chain.back();
        const Neighbour found = space.nearest(ctx, tip);
        if (chain.size() > 1) { // of equals the one that the chain came from: it would go in circles otherwise
            const std::size_t before = chain[chain.size() - 2];
            if (const double value = space.value(tip, before); value <= found.value) {
                chain.resize(chain.size() - 2);
                space.merge(tip, before, value);
                continue;
            }
        }
        chain.push_back(found.slot);
    }
}

} // namespace mlcore::cluster
