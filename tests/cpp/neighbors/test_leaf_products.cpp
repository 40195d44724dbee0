#include "check.hpp"

#include "core/random.hpp"
#include "neighbors/distance.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/leaf_products.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::neighbors;

namespace {

struct Counts {
    std::size_t pairs = 0, in_doubt = 0, served = 0;
};

/// All pairs of points by products against distances in float64, with the distance of the pair itself for a bound, the
/// floats next to it and factors around it.
Counts check_all(const std::vector<double>& values, std::size_t n, std::size_t d, std::size_t leaf_size) {
    const StandaloneRun run(1);
    const KdTree tree(run.context, row_major(values.data(), n, d), Metric::euclidean, leaf_size);
    const LeafProducts products(run.context, tree);
    const auto width = static_cast<std::ptrdiff_t>(tree.leaf_size());
    Counts counts;
    for (std::size_t a = 0; a < tree.n_leaves(); ++a)
        for (std::size_t b = 0; b < tree.n_leaves(); ++b) {
            const std::size_t n_a = tree.node(tree.leaf_node(a)).size(), n_b = tree.node(tree.leaf_node(b)).size();
            if (!products.serves(a, b, std::numeric_limits<double>::infinity())) continue;
            ++counts.served;
            for (std::size_t i = 0; i < n_a; i += 3) {
                const auto distance = [&](std::size_t row, std::size_t k) {
                    return reduced_distance<SquaredEuclidean>(tree.block(a) + row, width, tree.block(b) + k, width, d);
                };
                const double itself = distance(i, i % n_b), infinity = std::numeric_limits<double>::infinity();
                for (const double bound :
                     {0.0, std::nextafter(itself, 0.0), itself, 0.7 * itself, 2 * itself, infinity}) {
                    const std::size_t rows[] = {i, n_a - 1, 0}, count = 1 + i % 3;
                    const double bounds[] = {bound, itself, bound};
                    Bits possible[LeafProducts::group], sure[LeafProducts::group];
                    products.compare(a, rows, bounds, count, b, possible, sure);
                    for (std::size_t r = 0; r < count; ++r) {
                        CHECK_EQUAL(sure[r] & ~possible[r], Bits{0});
                        CHECK_EQUAL(possible[r] & ~first_bits(n_b), Bits{0});
                        for (std::size_t k = 0; k < n_b; ++k) {
                            const bool near = distance(rows[r], k) <= bounds[r];
                            const bool may_be = (possible[r] >> k & 1) != 0, is_sure = (sure[r] >> k & 1) != 0;
                            CHECK(near ? may_be : !is_sure);
                            ++counts.pairs;
                            counts.in_doubt += may_be && !is_sure;
                        }
                    }
                }
            }
        }
    return counts;
}

std::vector<double> normal_points(std::size_t n, std::size_t d, double scale, double shift) {
    std::vector<double> values(n * d);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = (Philox(5, 0).normal(i) + shift) * scale;
    return values;
}

} // namespace

TEST(products_never_contradict_distances) {
    for (const std::size_t d : {16, 19, 100})
        for (const double shift : {0.0, 1e3, 1e8})
            for (const double scale : {1e-150, 1e-30, 1.0, 1e30, 1e140})
                for (const std::size_t leaf_size : {8, 40, 64}) {
                    const Counts counts = check_all(normal_points(90, d, scale, shift), 90, d, leaf_size);
                    CHECK(counts.served > 0);
                    if (scale > 1e-140) CHECK(5 * counts.in_doubt < counts.pairs); // else squares are near underflow
                }
}

TEST(far_groups_duplicates_and_grids_too) {
    std::vector<double> values = normal_points(96, 20, 1e-3, 0);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += i / 20 % 3 == i % 3 ? 1e6 : 0;
    check_all(values, 96, 20, 32);
    check_all(std::vector<double>(70 * 18, 3.25), 70, 18, 32);
    for (double& x : values) x = std::floor(x * 1e3) * 0.25;
    check_all(values, 96, 20, 32);
}

TEST(few_dimensions_other_metrics_and_wide_leaves_are_not_served) {
    const StandaloneRun run(1);
    const auto values = normal_points(200, 20, 1, 0);
    const auto serves = [&](std::size_t d, Metric metric, std::size_t leaf_size) {
        const KdTree tree(run.context, row_major(values.data(), 200, d), metric, leaf_size);
        return LeafProducts(run.context, tree).serves(0, 0, 1.0);
    };
    CHECK(serves(16, Metric::euclidean, 64));
    CHECK(serves(20, Metric::cosine, 32));
    CHECK(!serves(15, Metric::euclidean, 32));
    CHECK(!serves(20, Metric::manhattan, 32));
    CHECK(!serves(20, Metric::euclidean, 72));
}

TEST(bounds_that_are_near_the_error_are_not_served) {
    const StandaloneRun run(1);
    auto values = normal_points(64, 16, 1e-3, 0);
    for (std::size_t i = 0; i < 32 * 16; ++i) values[i] += 1e3;
    const KdTree tree(run.context, row_major(values.data(), 64, 16), Metric::euclidean, 32);
    const LeafProducts products(run.context, tree);
    CHECK(products.serves(0, 1, 1e6));
    CHECK(!products.serves(0, 0, 1e-4));
}
