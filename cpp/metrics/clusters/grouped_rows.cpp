#include "metrics/clusters/grouped_rows.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::metrics {
namespace {

constexpr std::size_t piece_rows = 1024; // rows whose sum is one piece of work; decides the order of rounding

struct Piece {
    std::size_t cluster, begin, end;
};

/// Clusters cut into pieces, so that few large ones keep all threads busy.
std::vector<Piece> pieces_of(const GroupedRows& groups) {
    std::vector<Piece> pieces;
    for (std::size_t c = 0; c < groups.n_clusters(); ++c)
        for (std::size_t b = groups.begin[c]; b < groups.begin[c + 1]; b += piece_rows)
            pieces.push_back({c, b, std::min<std::size_t>(b + piece_rows, groups.begin[c + 1])});
    return pieces;
}

/// sum_j term(j)^2
template <class Term>
double sum_of_squares(std::size_t d, Term&& term) {
    constexpr std::size_t lanes = 8;
    double sum[lanes] = {};
    std::size_t j = 0;
    for (; j + lanes <= d; j += lanes)
        for (std::size_t l = 0; l < lanes; ++l) sum[l] += term(j + l) * term(j + l);
    for (std::size_t l = 0; j < d; ++j, ++l) sum[l] += term(j) * term(j);
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

} // namespace

double Centroids::squared_distance(const double* x, std::size_t c) const {
    const double *from = first.data() + c * d, *beyond = offset.data() + c * d;
    return sum_of_squares(d, [&](std::size_t j) { return (x[j] - from[j]) - beyond[j]; });
}

double Centroids::squared_distance(std::size_t c, std::size_t e) const {
    const double *first_c = first.data() + c * d, *first_e = first.data() + e * d;
    const double *offset_c = offset.data() + c * d, *offset_e = offset.data() + e * d;
    return sum_of_squares(d, [&](std::size_t j) { return (first_c[j] - first_e[j]) + (offset_c[j] - offset_e[j]); });
}

GroupedRows group_rows(std::span<const std::int32_t> codes, std::size_t n_clusters) {
    GroupedRows groups;
    groups.begin.assign(n_clusters + 1, 0);
    for (const std::int32_t code : codes) {
        if (code < 0 || static_cast<std::size_t>(code) >= n_clusters)
            throw ValueError("labels must be codes in [0, " + std::to_string(n_clusters) + "), got " +
                             std::to_string(code));
        ++groups.begin[static_cast<std::size_t>(code) + 1];
    }
    for (std::size_t c = 0; c < n_clusters; ++c) {
        if (groups.begin[c + 1] == 0)
            throw ValueError("labels must hold each code, but " + std::to_string(c) + " is missing");
        groups.begin[c + 1] += groups.begin[c];
    }
    groups.order.resize(codes.size());
    std::vector<std::uint32_t> next(groups.begin.begin(), groups.begin.end() - 1);
    for (std::size_t i = 0; i < codes.size(); ++i)
        groups.order[next[static_cast<std::size_t>(codes[i])]++] = static_cast<std::uint32_t>(i);
    return groups;
}

double unit_scale(const RunContext& ctx, MatrixView<const double> X) {
    const double largest = parallel_reduce(
        ctx, X.rows, 0.5 * static_cast<double>(X.cols), 0.0,
        [&](std::size_t begin, std::size_t end) {
            double most = 0;
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < X.cols; ++j) most = std::max(most, std::abs(X(i, j)));
            return most;
        },
        [](double a, double b) { return std::max(a, b); });
    if (largest == 0) return 1;
    int exponent = 0;
    std::frexp(largest, &exponent);
    return std::ldexp(1.0, std::min(-exponent, 1023));
}

Centroids centroids(const RunContext& ctx, MatrixView<const double> X, double scale, const GroupedRows& groups) {
    const std::size_t d = X.cols, k = groups.n_clusters();
    const std::vector<Piece> pieces = pieces_of(groups);
    Buffer<double> sums(pieces.size() * d, 0.0);
    const double rows_each = static_cast<double>(X.rows) / static_cast<double>(pieces.size());
    parallel_tasks(ctx, pieces.size(), (2 + static_cast<double>(d)) * rows_each, [&](std::size_t p, int) {
        const Piece& piece = pieces[p];
        const std::size_t first = groups.order[groups.begin[piece.cluster]];
        double* sum = sums.data() + p * d;
        for (std::size_t at = piece.begin; at < piece.end; ++at) {
            const std::size_t row = groups.order[at];
            for (std::size_t j = 0; j < d; ++j) sum[j] += scale * X(row, j) - scale * X(first, j);
        }
    });
    Centroids centers{d, Buffer<double>(k * d, 0.0), Buffer<double>(k * d, 0.0)};
    for (std::size_t p = 0; p < pieces.size(); ++p)
        for (std::size_t j = 0; j < d; ++j) centers.offset[pieces[p].cluster * d + j] += sums[p * d + j];
    for (std::size_t c = 0; c < k; ++c)
        for (std::size_t j = 0; groups.size(c) != 0 && j < d; ++j) {
            centers.first[c * d + j] = scale * X(groups.order[groups.begin[c]], j);
            centers.offset[c * d + j] /= static_cast<double>(groups.size(c));
        }
    return centers;
}

} // namespace mlcore::metrics
