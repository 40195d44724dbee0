// The condensed tree and what follows from it, against plain recursions and loops over all pairs.
#include "check.hpp"
#include "cluster/hdbscan/centers.hpp"
#include "cluster/hdbscan/cluster_tree.hpp"
#include "cluster/hdbscan/condensed_tree.hpp"
#include "cluster/hdbscan/cut.hpp"
#include "cluster/hdbscan/labels.hpp"
#include "cluster/hdbscan/selection.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <vector>

using namespace mlcore;
using namespace mlcore::cluster;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Merges of random nodes, with ties, the first `n_zero` at a distance of 0.
std::vector<Merge> random_merges(std::size_t n, unsigned seed, std::size_t n_zero = 0) {
    std::mt19937 random(seed);
    std::vector<std::size_t> open(n);
    for (std::size_t i = 0; i < n; ++i) open[i] = i;
    std::vector<Merge> merges;
    double distance = 0;
    while (open.size() > 1) {
        std::size_t pair[2];
        for (std::size_t& one : pair) {
            const std::size_t at = random() % open.size();
            one = open[at];
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
        }
        if (merges.size() >= n_zero) distance += static_cast<double>(random() % 3);
        if (merges.size() == n_zero) distance += 1;
        const auto size = [&](std::size_t node) { return node < n ? 1 : merges[node - n].size; };
        merges.push_back(
            {static_cast<double>(pair[0]), static_cast<double>(pair[1]), distance, size(pair[0]) + size(pair[1])});
        open.push_back(n + merges.size() - 1);
    }
    return merges;
}

CondensedView view(const CondensedTree& tree) { return {tree.parent, tree.child, tree.lambda, tree.size}; }

std::vector<std::size_t> points_below(const std::vector<Merge>& merges, std::size_t node) {
    const std::size_t n = merges.size() + 1;
    if (node < n) return {node};
    std::vector<std::size_t> points = points_below(merges, static_cast<std::size_t>(merges[node - n].left));
    for (const std::size_t p : points_below(merges, static_cast<std::size_t>(merges[node - n].right)))
        points.push_back(p);
    return points;
}

/// When each point leaves, and the size of the cluster that it leaves, by descent.
void leave(const std::vector<Merge>& merges, std::size_t node, std::size_t least, std::size_t size,
           std::vector<std::pair<double, std::size_t>>& left) {
    const std::size_t n = merges.size() + 1;
    const Merge& merge = merges[node - n];
    std::vector<std::size_t> large;
    for (const double side : {merge.left, merge.right}) {
        const auto one = static_cast<std::size_t>(side);
        const auto points = points_below(merges, one);
        if (points.size() >= least && merge.distance > 0)
            large.push_back(one);
        else
            for (const std::size_t p : points) left[p] = {1 / merge.distance, size};
    }
    for (const std::size_t one : large)
        leave(merges, one, least, large.size() == 2 ? points_below(merges, one).size() : size, left);
}

std::vector<double> random_points(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> values(count);
    for (double& x : values) x = normal(random);
    return values;
}

} // namespace

TEST(points_leave_as_by_descent) {
    for (unsigned seed = 0; seed < 40; ++seed) {
        const std::size_t n = 3 + seed * 5, least = 2 + seed % 4;
        const auto merges = random_merges(n, seed, seed % 3 == 0 ? n / 3 : 0);
        check_merges(merges);
        const ClusterTree tree = cluster_tree(view(condense(merges, least)), n);
        std::vector<std::pair<double, std::size_t>> left(n);
        leave(merges, 2 * n - 2, least, n, left);
        for (std::size_t p = 0; p < n; ++p) {
            CHECK_EQUAL(tree.point_lambda[p], left[p].first);
            CHECK_EQUAL(static_cast<std::size_t>(tree.size[static_cast<std::size_t>(tree.point_cluster[p])]),
                        left[p].second);
        }
        for (std::size_t c = 0; c < tree.n_clusters(); ++c) {
            CHECK(std::isfinite(tree.birth[c]));
            CHECK(tree.stability[c] >= 0);
        }
    }
}

TEST(selected_clusters_have_the_most_stability) {
    for (unsigned seed = 0; seed < 40; ++seed) {
        const std::size_t n = 20 + seed * 4;
        const ClusterTree tree = cluster_tree(view(condense(random_merges(n, seed), 3)), n);
        const std::function<double(std::size_t)> best = [&](std::size_t c) {
            double below = 0;
            for (std::size_t child = c + 1; child < tree.n_clusters(); ++child)
                if (tree.parent[child] == static_cast<std::int32_t>(c)) below += best(child);
            return std::max(below, tree.stability[c]);
        };
        double total = 0;
        for (const std::int32_t c : select(tree, {.allow_single = true}))
            total += tree.stability[static_cast<std::size_t>(c)];
        CHECK_CLOSE(total, best(0), 1e-9 * total);
        for (const std::int32_t c : select(tree, {.method = SelectionMethod::leaf}))
            CHECK(tree.is_leaf[static_cast<std::size_t>(c)]);
    }
}

TEST(a_simplified_tree_is_one) {
    for (unsigned seed = 0; seed < 40; ++seed) {
        const std::size_t n = 60 + seed;
        const CondensedTree whole = condense(random_merges(n, seed), 2);
        for (const double persistence : {0.01, 0.05, 0.3, infinity}) {
            const ClusterTree tree = cluster_tree(view(simplify(whole, persistence)), n);
            for (std::size_t c = 1; c < tree.n_clusters(); ++c)
                if (tree.is_leaf[c]) CHECK(tree.end[c] - tree.birth[c] >= persistence);
            if (persistence == infinity) CHECK_EQUAL(tree.n_clusters(), std::size_t{1});
        }
    }
}

TEST(a_cut_keeps_what_is_nearer) {
    for (unsigned seed = 0; seed < 20; ++seed) {
        const std::size_t n = 40;
        const auto merges = random_merges(n, seed);
        for (const double distance : {0.0, 5.0, 12.0, 1e9}) {
            const auto labels = labels_at_cut(merges, distance, 2);
            std::vector<std::int64_t> expected(n, -1);
            for (std::size_t i = 0; i < merges.size(); ++i) // the largest group of each point comes last
                if (merges[i].distance < distance)
                    for (const std::size_t p : points_below(merges, n + i)) expected[p] = static_cast<std::int64_t>(i);
            std::map<std::int64_t, std::int64_t> names{{-1, -1}};
            for (std::size_t p = 0; p < n; ++p) {
                names.try_emplace(expected[p], static_cast<std::int64_t>(names.size()) - 1);
                CHECK_EQUAL(labels[p], names[expected[p]]);
            }
        }
    }
}

TEST(medoids_are_those_of_all_pairs) {
    using neighbors::Metric;
    for (const std::size_t d : {1, 3, 40})
        for (const Metric metric : {Metric::euclidean, Metric::manhattan, Metric::chebyshev, Metric::cosine}) {
            const std::size_t n = 300;
            std::vector<double> X = random_points(n * d, 7);
            if (metric == Metric::cosine)
                for (std::size_t i = 0; i < n; ++i) {
                    double square = 0;
                    for (std::size_t j = 0; j < d; ++j) square += X[i * d + j] * X[i * d + j];
                    for (std::size_t j = 0; j < d; ++j) X[i * d + j] /= std::sqrt(square);
                }
            const auto points = row_major<const double>(X.data(), n, d);
            std::vector<std::int64_t> labels(n);
            std::vector<double> weights(n);
            for (std::size_t i = 0; i < n; ++i) {
                labels[i] = static_cast<std::int64_t>(i % 3) - 1;
                weights[i] = 1.0 / static_cast<double>(1 + i % 7);
            }
            const PointLists members = members_of(labels, 2);
            const auto distance = [&](std::size_t a, std::size_t b) {
                double sum = 0, most = 0, square = 0, product = 0;
                for (std::size_t j = 0; j < d; ++j) {
                    const double gap = std::abs(X[a * d + j] - X[b * d + j]);
                    sum += gap, most = std::max(most, gap), square += gap * gap, product += X[a * d + j] * X[b * d + j];
                }
                return metric == Metric::euclidean   ? std::sqrt(square)
                       : metric == Metric::manhattan ? sum
                       : metric == Metric::chebyshev ? most
                                                     : 1 - product;
            };
            const auto total = [&](std::size_t i) {
                double sum = 0;
                for (std::size_t k = 0; k < n; ++k)
                    if (labels[k] == labels[i]) sum += weights[k] * distance(i, k);
                return sum;
            };
            std::vector<std::int64_t> found;
            for (const int n_threads : {1, 3}) {
                const StandaloneRun run(n_threads);
                const auto again = medoids(run.context, points, members, weights, metric);
                CHECK(found.empty() || found == again);
                found = again;
                const auto nearest = nearest_of_lists(run.context, points, points, members, metric);
                for (std::size_t i = 0; i < n; i += 17)
                    for (std::size_t c = 0; c < 2; ++c) {
                        double least = infinity;
                        for (std::size_t k = 0; k < n; ++k)
                            if (labels[k] == static_cast<std::int64_t>(c)) least = std::min(least, distance(i, k));
                        CHECK_CLOSE(nearest[i * 2 + c], least, 1e-12);
                    }
            }
            for (std::size_t c = 0; c < 2; ++c) {
                double least = infinity;
                for (std::size_t i = 0; i < n; ++i)
                    if (labels[i] == static_cast<std::int64_t>(c)) least = std::min(least, total(i));
                CHECK_CLOSE(total(static_cast<std::size_t>(found[c])), least, 1e-9 * least);
            }
        }
}
