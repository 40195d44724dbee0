// DBSCAN of distances that are given: counts in parallel, then a search from each core point that has no label yet.
#include "cluster/dbscan/dbscan.hpp"
#include "cluster/dbscan/weights.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::cluster {
namespace {

/// distances(i).each(f): f(j) for the neighbours of i. unlabelled: the points that may still be labelled.
template <class Neighbors>
DbscanResult grow(const RunContext& ctx, std::size_t n, double ns_per_row, const DbscanParams& params,
                  const Neighbors& neighbors) {
    std::vector<char> is_core(n);
    parallel_tasks(ctx, n, ns_per_row, [&](std::size_t i, int) {
        WeightSum count;
        neighbors.each(i, [&](std::size_t j) { count.add(params.weights.empty() ? 1.0 : params.weights[j]); });
        is_core[i] = count.value() >= params.min_samples;
    });
    DbscanResult result{std::vector<std::int64_t>(n, -1), {}};
    std::vector<std::size_t> stack;
    std::int64_t n_clusters = 0;
    for (std::size_t seed = 0; seed < n; ++seed) {
        if (is_core[seed]) result.core.push_back(static_cast<std::int64_t>(seed));
        if (!is_core[seed] || result.labels[seed] >= 0) continue;
        const std::int64_t label = n_clusters++;
        result.labels[seed] = label;
        stack.push_back(seed);
        while (!stack.empty()) {
            ctx.checkpoint();
            const std::size_t i = stack.back();
            stack.pop_back();
            neighbors.each(i, [&](std::size_t j) {
                if (result.labels[j] >= 0) return;
                result.labels[j] = label;
                if (is_core[j]) stack.push_back(j);
            });
        }
    }
    return result;
}

struct DenseNeighbors {
    MatrixView<const double> distances;
    double eps;

    template <class F>
    void each(std::size_t i, F&& f) const {
        for (std::size_t j = 0; j < distances.cols; ++j)
            if (distances(i, j) <= eps) f(j);
    }
};

template <class Index>
struct SparseNeighbors {
    CsrView<double, Index> distances;
    double eps;

    template <class F>
    void each(std::size_t i, F&& f) const {
        bool has_own = false;
        for (std::size_t k = distances.begin(i); k < distances.end(i); ++k) {
            const auto j = static_cast<std::size_t>(distances.indices[k]);
            has_own = has_own || j == i;
            if (distances.data[k] <= eps) f(j);
        }
        if (!has_own) f(i);
    }
};

} // namespace

DbscanResult dbscan(const RunContext& ctx, MatrixView<const double> distances, const DbscanParams& params) {
    const std::size_t n = distances.rows;
    return grow(ctx, n, 0.5 * static_cast<double>(n), params, DenseNeighbors{distances, params.eps});
}

template <class Index>
DbscanResult dbscan(const RunContext& ctx, const CsrView<double, Index>& distances, const DbscanParams& params) {
    const std::size_t n = distances.rows;
    const double stored = static_cast<double>(distances.n_stored()) / static_cast<double>(std::max<std::size_t>(n, 1));
    return grow(ctx, n, 5 + stored, params, SparseNeighbors<Index>{distances, params.eps});
}

template DbscanResult dbscan(const RunContext&, const CsrView<double, std::int32_t>&, const DbscanParams&);
template DbscanResult dbscan(const RunContext&, const CsrView<double, std::int64_t>&, const DbscanParams&);

} // namespace mlcore::cluster
