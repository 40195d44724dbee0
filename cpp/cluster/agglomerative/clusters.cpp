#include "cluster/agglomerative/clusters.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace mlcore::cluster {

Points prepared_points(MatrixView<const double> points, bool as_they_are) {
    const std::size_t n = points.rows, d = points.cols;
    std::vector<double> low(d, std::numeric_limits<double>::infinity()),
        high(d, -std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j) {
            low[j] = std::min(low[j], points(i, j));
            high[j] = std::max(high[j], points(i, j));
        }
    double largest = 0;
    std::vector<double> moved(d, 0.0); // by how much each column is
    for (std::size_t j = 0; j < d; ++j) {
        // Halves do not overflow. What lies within a quarter of the middle loses nothing when that is taken off.
        const double middle = 0.5 * low[j] + 0.5 * high[j], half = 0.5 * high[j] - 0.5 * low[j];
        if (!as_they_are && std::abs(middle) >= 4 * half) moved[j] = middle;
        largest = std::max({largest, std::abs(low[j] - moved[j]), std::abs(high[j] - moved[j])});
    }
    const int exponent = largest > 0 ? std::ilogb(largest) : 0;
    const int shift = std::abs(exponent) > 200 ? -exponent : 0;
    Points result{Buffer<double>(n * d), n, d, std::ldexp(1.0, shift), std::ldexp(largest, shift)};
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < d; ++j) {
            const double x = points(i, j) - moved[j];
            result.values[i * d + j] = shift == 0 ? x + 0.0 : std::ldexp(x, shift) + 0.0; // + 0.0: -0 is 0
        }
    return result;
}

namespace {

/// The same of equal points, seldom of others.
std::uint64_t hash_of(const double* x, std::size_t d) {
    std::uint64_t h = 0;
    for (std::size_t j = 0; j < d; ++j) {
        h = (h ^ std::bit_cast<std::uint64_t>(x[j])) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    return h;
}

} // namespace

Clusters distinct_points(const Points& points, std::vector<Merge>& merges) {
    const std::size_t n = points.n, d = points.d;
    const double* x = points.values.data();
    struct Entry {
        std::uint64_t hash;
        std::int32_t row;
    };
    std::vector<Entry> entries(n);
    for (std::size_t i = 0; i < n; ++i) entries[i] = {hash_of(x + i * d, d), static_cast<std::int32_t>(i)};
    const auto point = [&](const Entry& e) { return x + static_cast<std::size_t>(e.row) * d; };
    std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
        if (a.hash != b.hash) return a.hash < b.hash;
        const int order = [&] {
            for (std::size_t j = 0; j < d; ++j)
                if (point(a)[j] != point(b)[j]) return point(a)[j] < point(b)[j] ? -1 : 1;
            return 0;
        }();
        return order != 0 ? order < 0 : a.row < b.row;
    });
    std::vector<std::int32_t> first(n), next(n, -1); // of equal points, in lists
    for (std::size_t i = 0; i < n; ++i) {
        const auto row = static_cast<std::size_t>(entries[i].row);
        const bool same = i > 0 && entries[i].hash == entries[i - 1].hash &&
                          std::equal(point(entries[i]), point(entries[i]) + d, point(entries[i - 1]));
        first[row] = same ? first[static_cast<std::size_t>(entries[i - 1].row)] : entries[i].row;
        if (same) next[static_cast<std::size_t>(entries[i - 1].row)] = entries[i].row;
    }
    Clusters clusters;
    clusters.d = d;
    clusters.offsets.push_back(0);
    for (std::size_t i = 0; i < n; ++i) {
        const auto name = static_cast<std::int32_t>(i);
        if (first[i] != name) continue;
        clusters.names.push_back(name);
        for (std::int32_t row = name; row >= 0; row = next[static_cast<std::size_t>(row)]) {
            clusters.rows.push_back(row);
            if (row != name) merges.push_back({name, row, 0.0});
        }
        clusters.offsets.push_back(clusters.rows.size());
        clusters.centers.insert(clusters.centers.end(), x + i * d, x + (i + 1) * d);
    }
    clusters.rests.assign(clusters.centers.size(), 0.0);
    return clusters;
}

std::vector<std::int32_t> reciprocal_pairs(const std::vector<Nearest>& nearest) {
    std::vector<std::int32_t> partner(nearest.size());
    for (std::size_t c = 0; c < nearest.size(); ++c) {
        const std::int32_t other = nearest[c].cluster, self = static_cast<std::int32_t>(c);
        partner[c] = nearest[static_cast<std::size_t>(other)].cluster == self ? other : self;
    }
    return partner;
}

Clusters merged(const RunContext& ctx, const Clusters& clusters, const std::vector<std::int32_t>& partner,
                std::vector<Nearest>& nearest) {
    const std::size_t m = clusters.count(), d = clusters.d;
    std::vector<std::int32_t> position(m); // of each cluster among the new ones
    std::vector<std::size_t> kept;
    Clusters result;
    result.d = d;
    result.offsets.push_back(0);
    for (std::size_t c = 0; c < m; ++c) {
        const auto other = static_cast<std::size_t>(partner[c]);
        if (other < c) { // the first of the two takes its place
            position[c] = position[other];
            continue;
        }
        position[c] = static_cast<std::int32_t>(kept.size());
        kept.push_back(c);
        result.names.push_back(clusters.names[c]);
        const std::size_t size = clusters.size(c) + (other == c ? 0 : clusters.size(other));
        result.offsets.push_back(result.offsets.back() + size);
    }
    std::vector<Nearest> next(kept.size());
    result.rows.resize(clusters.rows.size());
    result.centers.resize(kept.size() * d);
    result.rests.resize(kept.size() * d);
    parallel_ranges(ctx, kept.size(), 10.0 * static_cast<double>(d), [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t k = begin; k < end; ++k) {
            const std::size_t c = kept[k], other = static_cast<std::size_t>(partner[c]);
            const auto* rows = clusters.rows.data();
            auto* out = result.rows.data() + result.offsets[k];
            double *center = result.centers.data() + k * d, *rest = result.rests.data() + k * d;
            if (other == c) {
                std::copy(rows + clusters.offsets[c], rows + clusters.offsets[c + 1], out);
                std::copy_n(clusters.center(c), d, center);
                std::copy_n(clusters.rests.data() + c * d, d, rest);
                const auto near = static_cast<std::size_t>(nearest[c].cluster);
                if (static_cast<std::size_t>(partner[near]) == near) next[k] = {position[near], nearest[c].value};
                continue;
            }
            std::merge(rows + clusters.offsets[c], rows + clusters.offsets[c + 1], rows + clusters.offsets[other],
                       rows + clusters.offsets[other + 1], out);
            const auto a = static_cast<double>(clusters.size(c)), b = static_cast<double>(clusters.size(other));
            const double share = b / (a + b);
            for (std::size_t j = 0; j < d; ++j) {
                const Coordinate mean = clusters.coordinate(c, j).moved(clusters.coordinate(other, j), share);
                center[j] = mean.value;
                rest[j] = mean.rest;
            }
        }
    });
    nearest = std::move(next);
    return result;
}

} // namespace mlcore::cluster
