#include "check.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "embedding/huffman.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <queue>
#include <set>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

std::vector<std::int64_t> random_counts(std::size_t n, std::uint64_t seed, std::int64_t most) {
    const Philox random(seed, 0);
    std::vector<std::int64_t> counts;
    for (std::size_t i = 0; i < n; ++i)
        counts.push_back(1 + static_cast<std::int64_t>(random.below(i, static_cast<std::uint64_t>(most))));
    return counts;
}

/// Sum of count * code length.
std::int64_t cost(const HuffmanPaths& paths, const std::vector<std::int64_t>& counts) {
    std::int64_t sum = 0;
    for (std::size_t w = 0; w < counts.size(); ++w)
        sum += counts[w] * static_cast<std::int64_t>(paths.of(static_cast<std::int32_t>(w)).size());
    return sum;
}

/// The least possible: what Huffman's algorithm adds up, with a heap and no tree.
std::int64_t least_cost(const std::vector<std::int64_t>& counts) {
    std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> heap(counts.begin(), counts.end());
    std::int64_t sum = 0;
    while (heap.size() > 1) {
        const std::int64_t a = heap.top();
        heap.pop();
        const std::int64_t both = a + heap.top();
        heap.pop();
        heap.push(both);
        sum += both;
    }
    return sum;
}

std::size_t longest(const HuffmanPaths& paths, std::size_t n) {
    std::size_t most = 0;
    for (std::size_t w = 0; w < n; ++w) most = std::max(most, paths.of(static_cast<std::int32_t>(w)).size());
    return most;
}

/// Codes as strings of 0 and 1.
std::vector<std::string> codes(const HuffmanPaths& paths, std::size_t n) {
    std::vector<std::string> all;
    for (std::size_t w = 0; w < n; ++w) {
        all.emplace_back();
        for (const std::uint32_t step : paths.of(static_cast<std::int32_t>(w))) all.back() += step % 2 ? '1' : '0';
    }
    return all;
}

/// No code begins another, and the codes leave no room: their lengths add up to 1 in Kraft's sum.
void check_prefix_code(std::vector<std::string> all) {
    std::sort(all.begin(), all.end());
    double kraft = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        kraft += std::pow(0.5, static_cast<double>(all[i].size()));
        if (i > 0) CHECK(!all[i].starts_with(all[i - 1]));
    }
    CHECK_CLOSE(kraft, 1.0, 1e-12);
}

} // namespace

TEST(codes_are_optimal) {
    for (std::size_t n : {2, 3, 4, 7, 100, 1000}) {
        for (const std::int64_t most : {1, 3, 1000000}) {
            const std::vector<std::int64_t> counts = random_counts(n, n + static_cast<std::size_t>(most), most);
            const HuffmanTree tree = HuffmanTree::of(counts);
            tree.check();
            const HuffmanPaths paths(tree);
            CHECK_EQUAL(cost(paths, counts), least_cost(counts));
            check_prefix_code(codes(paths, n));
        }
    }
}

TEST(small_tree_by_hand) {
    // counts 5 2 1 1: (1, 1) first, the later word first; then (2, 2): the leaf goes before the inner node
    const std::vector<std::int64_t> counts{5, 2, 1, 1};
    const HuffmanTree tree = HuffmanTree::of(counts);
    CHECK(tree.leaves == (std::vector<std::int32_t>{2 * 2 + 1, 2 * 1 + 0, 2 * 0 + 1, 2 * 0 + 0}));
    CHECK(tree.inner == (std::vector<std::int32_t>{2 * 1 + 1, 2 * 2 + 0, -1}));
    const HuffmanPaths paths(tree);
    const auto path = paths.of(2); // root to leaf
    CHECK((std::vector<std::uint32_t>(path.begin(), path.end()) ==
           std::vector<std::uint32_t>{2 * 2 + 0, 2 * 1 + 1, 2 * 0 + 1}));
}

TEST(grown_tree_keeps_old_nodes) {
    for (std::size_t n_new : {1, 2, 50}) {
        const std::vector<std::int64_t> counts = random_counts(30, 5, 100), added = random_counts(n_new, 6, 100);
        const HuffmanTree old = HuffmanTree::of(counts), grown = old.grown(added);
        grown.check();
        const HuffmanPaths before(old), after(grown);
        for (std::int32_t w = 0; w < 30; ++w) { // the new root, then the path as it was
            const auto a = before.of(w), b = after.of(w);
            CHECK_EQUAL(b.size(), a.size() + 1);
            CHECK_EQUAL(b[0], 2 * (30 + n_new - 2));
            CHECK(std::equal(a.begin(), a.end(), b.begin() + 1));
        }
        check_prefix_code(codes(after, 30 + n_new));
        const std::size_t longest_new = n_new > 1 ? longest(HuffmanPaths(HuffmanTree::of(added)), n_new) : 0;
        CHECK_EQUAL(longest(after, 30 + n_new), std::max(longest(before, 30), longest_new) + 1);
    }
}

TEST(trees_deeper_than_any_of_words_are_refused) {
    const std::int32_t n = 20000; // a chain: quadratic memory for its paths
    HuffmanTree chain{{0, 1}, {}};
    for (std::int32_t node = 1; node < n; ++node) {
        chain.inner.push_back(2 * node);
        chain.leaves.push_back(2 * node + 1);
    }
    chain.inner.push_back(-1);
    chain.check();
    CHECK_THROWS(ValueError, HuffmanPaths{chain});
}

TEST(bad_counts_are_refused) {
    CHECK_THROWS(ValueError, HuffmanTree::of(std::vector<std::int64_t>{}));
    CHECK_THROWS(ValueError, HuffmanTree::of(std::vector<std::int64_t>{4}));
    CHECK_THROWS(ValueError, HuffmanTree::of(std::vector<std::int64_t>{4, 0}));
}

TEST(damaged_trees_are_refused) {
    const HuffmanTree good = HuffmanTree::of(random_counts(20, 7, 50));
    const Philox random(8, 0);
    int n_refused = 0;
    for (std::uint64_t trial = 0; trial < 2000; ++trial) {
        HuffmanTree bad = good;
        std::vector<std::int32_t>& part = random.below(4 * trial, 2) ? bad.leaves : bad.inner;
        std::int32_t& link = part[random.below(4 * trial + 1, part.size())];
        const auto value = static_cast<std::int32_t>(random.below(4 * trial + 2, 44)) - 3;
        if (link == value) continue;
        link = value;
        ++n_refused;
        CHECK_THROWS(ValueError, bad.check()); // any single change breaks the count of places
    }
    CHECK(n_refused > 1000);
    HuffmanTree cycle{{2 * 1, 2 * 1 + 1, 2 * 0}, {2 * 0 + 1, -1}}; // a node below itself, every place taken once
    CHECK_THROWS(ValueError, cycle.check());
}
