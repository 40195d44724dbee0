#include "check.hpp"

#include "cluster/single_linkage.hpp"
#include "core/error.hpp"

using namespace mlcore;
using namespace mlcore::cluster;

namespace {

std::vector<double> merges(const std::vector<std::int32_t>& from, const std::vector<std::int32_t>& to,
                           const std::vector<double>& weights) {
    const StandaloneRun run;
    return single_linkage(run.context, from, to, weights);
}

} // namespace

TEST(merges_in_scipys_form) {
    CHECK((merges({0, 2, 1}, {1, 3, 2}, {1, 1, 5}) == std::vector<double>{0, 1, 1, 2, 2, 3, 1, 2, 4, 5, 5, 4}));
    CHECK((merges({1, 1, 0}, {2, 3, 1}, {0, 2, 3}) == std::vector<double>{1, 2, 0, 2, 3, 4, 2, 3, 0, 5, 3, 4}));
    CHECK(merges({}, {}, {}).empty());
}

TEST(a_long_chain) {
    const std::int32_t n = 100000;
    std::vector<std::int32_t> from, to;
    for (std::int32_t i = 0; i + 1 < n; ++i) {
        from.push_back(i);
        to.push_back(i + 1);
    }
    const auto rows = merges(from, to, std::vector<double>(from.size(), 1.0));
    CHECK_EQUAL(rows[rows.size() - 1], double(n));
    CHECK_EQUAL(rows[rows.size() - 4], double(n - 1));
    CHECK_EQUAL(rows[rows.size() - 3], double(2 * n - 3));
}

TEST(what_is_no_tree_is_an_error) {
    CHECK_THROWS(ValueError, merges({0, 0}, {1, 1}, {1, 2}));  // a cycle
    CHECK_THROWS(ValueError, merges({0, 1}, {1, 2}, {2, 1}));  // descends
    CHECK_THROWS(ValueError, merges({0, 1}, {1, 3}, {1, 2}));  // no such point
    CHECK_THROWS(ValueError, merges({-1, 1}, {1, 2}, {1, 2})); // nor this
    CHECK_THROWS(ValueError, merges({0, 1}, {1, 2}, {-1, 2})); // a negative weight
    CHECK_THROWS(ValueError, merges({0}, {1, 2}, {1, 2}));     // lengths
    CHECK_THROWS(ValueError, merges({0}, {1}, {__builtin_nan("")}));
}
