#include "cluster/agglomerative/cluster_matrix.hpp"

#include "cluster/agglomerative/chain.hpp"
#include "cluster/agglomerative/memory_left.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>

namespace mlcore::cluster {
namespace {

using simd::Doubles;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Two clusters of a matrix that become one; or one alone, which is then both.
struct Parts {
    std::size_t first, second;
    double size_first, size_second;
    double value; // between them

    double size() const { return first == second ? size_first : size_first + size_second; }
};

/// d(A + B, C) of d(A, C) and d(B, C), with c rows in C.
template <Pairwise linkage>
[[gnu::always_inline]] inline double combined(const Parts& p, double a, double b, double c) {
    const double total = p.size_first + p.size_second;
    if constexpr (linkage == Pairwise::average)
        return p.size_first / total * a + p.size_second / total * b;
    else if constexpr (linkage == Pairwise::complete)
        return a > b ? a : b;
    else
        return ((p.size_first + c) * a + (p.size_second + c) * b - c * p.value) / (total + c);
}

double least_of(const double* row, std::size_t m) {
    Doubles least = simd::broadcast(infinity);
    std::size_t k = 0;
    for (; k + lanes <= m; k += lanes) {
        const Doubles v = simd::load(row + k);
        least = v < least ? v : least;
    }
    double value = infinity;
    for (std::size_t l = 0; l < lanes; ++l) value = std::min(value, least[l]);
    for (; k < m; ++k) value = std::min(value, row[k]);
    return value;
}

std::vector<Nearest> nearest_of_rows(const RunContext& ctx, const ClusterMatrix& matrix,
                                     const std::vector<std::int32_t>& names) {
    const std::size_t m = matrix.m;
    std::vector<Nearest> nearest(m);
    parallel_tasks(ctx, m, 0.3 * static_cast<double>(m), [&](std::size_t c, int) {
        const double* row = matrix.row(c);
        Nearest best{Nearest::unknown, least_of(row, m)};
        for (std::size_t k = 0; k < m; ++k)
            if (row[k] == best.value && k != c &&
                (best.cluster == Nearest::unknown ||
                 tie_order(names[c], names[k]) < tie_order(names[c], names[static_cast<std::size_t>(best.cluster)])))
                best.cluster = static_cast<std::int32_t>(k);
        nearest[c] = best;
    });
    return nearest;
}

/// The matrix of the new clusters.
template <Pairwise linkage>
ClusterMatrix contracted(const RunContext& ctx, const ClusterMatrix& old, const std::vector<double>& sizes,
                         const std::vector<Parts>& parts) {
    const std::size_t m = old.m, m_new = parts.size();
    ClusterMatrix next{Buffer<double>(m_new * m_new), m_new};
    std::vector<std::vector<double>> scratch(static_cast<std::size_t>(ctx.n_threads));
    parallel_tasks(ctx, m_new, 1.0 * static_cast<double>(m), [&](std::size_t c, int thread) {
        const Parts& p = parts[c];
        const double *first = old.row(p.first), *second = old.row(p.second);
        auto& both = scratch[static_cast<std::size_t>(thread)];
        if (p.first != p.second) {
            both.resize(m);
            for (std::size_t k = 0; k < m; ++k) both[k] = combined<linkage>(p, first[k], second[k], sizes[k]);
            first = both.data();
        }
        const double size = p.size();
        double* out = next.row(c);
        for (std::size_t k = c + 1; k < m_new; ++k) {
            const Parts& q = parts[k];
            out[k] = q.first == q.second ? first[q.first] : combined<linkage>(q, first[q.first], first[q.second], size);
        }
    });
    mirror(ctx, next);
    return next;
}

/// Clusters for the chain: rows and columns of the matrix. Those that are gone are infinitely far from all.
template <Pairwise linkage>
class MatrixSpace {
  public:
    MatrixSpace(ClusterMatrix matrix, std::vector<std::int32_t> names, std::vector<double> sizes,
                const OnMerge& on_merge)
        : matrix_(std::move(matrix)), n_alive_(matrix_.m), names_(std::move(names)), sizes_(std::move(sizes)),
          on_merge_(on_merge) {}

    std::size_t n_alive() const { return n_alive_; }
    std::size_t any() {
        while (sizes_[first_] == 0) ++first_;
        return first_;
    }
    double value(std::size_t a, std::size_t b) const { return matrix_.row(a)[b]; }
    Neighbour nearest(const RunContext&, std::size_t slot) const {
        const double* row = matrix_.row(slot);
        const double least = least_of(row, matrix_.m);
        for (std::size_t k = 0; k < matrix_.m; ++k)
            if (row[k] == least && k != slot && sizes_[k] != 0) return {k, least};
        return {slot, infinity}; // not reached: another cluster is there, at whatever distance
    }
    void merge(std::size_t a, std::size_t b, double value) {
        if (names_[a] > names_[b]) std::swap(a, b);
        on_merge_(names_[a], names_[b], value);
        const Parts pair{a, b, sizes_[a], sizes_[b], value};
        double *kept = matrix_.row(a), *freed = matrix_.row(b);
        for (std::size_t k = 0; k < matrix_.m; ++k) kept[k] = combined<linkage>(pair, kept[k], freed[k], sizes_[k]);
        sizes_[a] = pair.size();
        sizes_[b] = 0;
        kept[a] = kept[b] = infinity;
        for (std::size_t k = 0; k < matrix_.m; ++k) {
            if (sizes_[k] == 0) continue;
            matrix_.row(k)[a] = kept[k];
            matrix_.row(k)[b] = infinity;
        }
        --n_alive_;
    }

  private:
    ClusterMatrix matrix_;
    std::size_t n_alive_, first_ = 0;
    std::vector<std::int32_t> names_;
    std::vector<double> sizes_; // 0: gone
    const OnMerge& on_merge_;
};

template <Pairwise linkage>
void merge_all(const RunContext& ctx, ClusterMatrix matrix, std::vector<std::int32_t> names, std::vector<double> sizes,
               const OnMerge& on_merge) {
    while (matrix.m > 1) {
        ctx.checkpoint();
        const std::vector<Nearest> nearest = nearest_of_rows(ctx, matrix, names);
        const std::vector<std::int32_t> partner = reciprocal_pairs(nearest);
        std::vector<Parts> parts;
        std::vector<std::int32_t> new_names;
        std::vector<double> new_sizes;
        for (std::size_t c = 0; c < matrix.m; ++c) {
            const auto other = static_cast<std::size_t>(partner[c]);
            if (other < c) continue;
            parts.push_back({c, other, sizes[c], sizes[other], nearest[c].value});
            new_names.push_back(names[c]);
            new_sizes.push_back(parts.back().size());
            if (other != c) on_merge(names[c], names[other], nearest[c].value);
        }
        const std::size_t m = matrix.m;
        if (parts.size() < m) {
            matrix = contracted<linkage>(ctx, matrix, sizes, parts);
            names = std::move(new_names);
            sizes = std::move(new_sizes);
        }
        if (!worth_another_round(m, m - parts.size())) break;
    }
    MatrixSpace<linkage> rest(std::move(matrix), std::move(names), std::move(sizes), on_merge);
    follow_chain(ctx, rest);
}

} // namespace

void mirror(const RunContext& ctx, ClusterMatrix& matrix) {
    constexpr std::size_t tile = 64;
    const std::size_t m = matrix.m;
    parallel_tasks(ctx, (m + tile - 1) / tile, 0.5 * static_cast<double>(tile * m), [&](std::size_t t, int) {
        const std::size_t rows_end = std::min((t + 1) * tile, m);
        for (std::size_t from = 0; from < rows_end; from += tile)
            for (std::size_t i = t * tile; i < rows_end; ++i)
                for (std::size_t j = from; j < std::min(from + tile, i); ++j) matrix.row(i)[j] = matrix.row(j)[i];
        for (std::size_t i = t * tile; i < rows_end; ++i) matrix.row(i)[i] = infinity;
    });
}

void merge_by_matrix(const RunContext& ctx, ClusterMatrix matrix, Pairwise linkage, std::vector<std::int32_t> names,
                     std::vector<double> sizes, const OnMerge& on_merge) {
    const auto merge = [&]<Pairwise kind>() {
        merge_all<kind>(ctx, std::move(matrix), std::move(names), std::move(sizes), on_merge);
    };
    if (linkage == Pairwise::average)
        merge.operator()<Pairwise::average>();
    else if (linkage == Pairwise::complete)
        merge.operator()<Pairwise::complete>();
    else
        merge.operator()<Pairwise::ward>();
}

std::vector<Merge> merges_of_distances(const RunContext& ctx, MatrixView<const double> distances, Pairwise linkage) {
    const std::size_t n = distances.rows;
    require_memory(n * n * sizeof(double) / 2 * 3); // and of what a first round leaves
    ClusterMatrix matrix{Buffer<double>(n * n), n};
    std::atomic<bool> are_distances{true};
    parallel_tasks(ctx, n, 0.5 * static_cast<double>(n), [&](std::size_t i, int) {
        bool all = true;
        for (std::size_t j = i + 1; j < n; ++j) {
            matrix.row(i)[j] = distances(i, j);
            all &= distances(i, j) >= 0;
        }
        if (!all) are_distances.store(false, std::memory_order_relaxed);
    });
    if (!are_distances) throw ValueError("distances must not be negative or NaN");
    mirror(ctx, matrix);
    std::vector<std::int32_t> names(n);
    std::iota(names.begin(), names.end(), 0);
    std::vector<Merge> merges;
    merge_by_matrix(ctx, std::move(matrix), linkage, std::move(names), std::vector<double>(n, 1.0),
                    [&](std::int32_t a, std::int32_t b, double value) { merges.push_back({a, b, value}); });
    return merges;
}

} // namespace mlcore::cluster
