#include "metrics/clusters/contingency.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <limits>

namespace mlcore::metrics {
namespace {

using Cell = Contingency::Cell;

/// Distinct codes from 0 on in the place of the old ones; sums[code] is what the cells of it count.
void renumber(std::vector<Cell>& cells, std::uint32_t Cell::* code, std::vector<std::int64_t>& sums) {
    std::uint32_t largest = 0;
    for (const Cell& cell : cells) largest = std::max(largest, cell.*code);
    std::vector<std::int64_t> sum(cells.empty() ? 0 : std::size_t{largest} + 1, 0);
    for (const Cell& cell : cells) sum[cell.*code] += cell.count;
    std::vector<std::uint32_t> place(sum.size());
    sums.clear();
    for (std::size_t k = 0; k < sum.size(); ++k) {
        place[k] = static_cast<std::uint32_t>(sums.size());
        if (sum[k] != 0) sums.push_back(sum[k]);
    }
    for (Cell& cell : cells) cell.*code = place[cell.*code];
}

/// From cells that are sorted and not 0.
Contingency of_sorted(std::vector<Cell> cells) {
    Contingency c;
    c.cells = std::move(cells);
    renumber(c.cells, &Cell::row, c.a);
    renumber(c.cells, &Cell::column, c.b);
    for (const std::int64_t rows : c.a) c.n += rows;
    return c;
}

/// Each row of a matrix that is too large to be kept: the clusters of the rows of one class, counted.
std::vector<Cell> sparse_cells(std::span<const std::uint32_t> classes, std::size_t n_classes,
                               std::span<const std::uint32_t> clusters, std::size_t n_clusters) {
    const std::size_t n = classes.size();
    std::vector<std::uint32_t> begin(n_classes + 1, 0), ordered(n);
    for (const std::uint32_t c : classes) ++begin[c + 1];
    for (std::size_t c = 0; c < n_classes; ++c) begin[c + 1] += begin[c];
    std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t i = 0; i < n; ++i) ordered[next[classes[i]]++] = clusters[i];

    std::vector<Cell> cells;
    std::vector<std::int64_t> counts(n_clusters, 0);
    std::vector<std::uint32_t> met;
    for (std::size_t c = 0; c < n_classes; ++c) {
        met.clear();
        for (std::size_t at = begin[c]; at < begin[c + 1]; ++at)
            if (counts[ordered[at]]++ == 0) met.push_back(ordered[at]);
        std::sort(met.begin(), met.end());
        for (const std::uint32_t j : met) {
            cells.push_back({static_cast<std::uint32_t>(c), j, counts[j]});
            counts[j] = 0;
        }
    }
    return cells;
}

template <class Count>
std::vector<Cell> cells_of(const std::vector<Count>& matrix, std::size_t n_columns) {
    std::vector<Cell> cells;
    for (std::size_t at = 0; at < matrix.size(); ++at)
        if (matrix[at] != 0)
            cells.push_back({static_cast<std::uint32_t>(at / n_columns), static_cast<std::uint32_t>(at % n_columns),
                             static_cast<std::int64_t>(matrix[at])});
    return cells;
}

} // namespace

Contingency contingency_of_codes(std::span<const std::uint32_t> classes, std::size_t n_classes,
                                 std::span<const std::uint32_t> clusters, std::size_t n_clusters) {
    const std::size_t n = classes.size();
    const std::size_t most = std::max<std::size_t>(n, 4096); // cells that may be empty
    if (n_clusters == 0 || n_classes > most / n_clusters)
        return of_sorted(sparse_cells(classes, n_classes, clusters, n_clusters));
    std::vector<std::int64_t> matrix(n_classes * n_clusters, 0);
    for (std::size_t i = 0; i < n; ++i) ++matrix[classes[i] * n_clusters + clusters[i]];
    return of_sorted(cells_of(matrix, n_clusters));
}

Contingency contingency_of_counts(const LabelCounts& counts) {
    const std::size_t k = counts.labels.size();
    return counts.cells.empty() ? contingency_of_codes(counts.true_codes, k, counts.predicted_codes, k)
                                : of_sorted(cells_of(counts.cells, k));
}

Contingency contingency_of_cells(std::vector<Cell> cells) {
    std::sort(cells.begin(), cells.end(),
              [](const Cell& x, const Cell& y) { return std::pair(x.row, x.column) < std::pair(y.row, y.column); });
    std::vector<Cell> merged;
    std::int64_t total = 0;
    for (const Cell& cell : cells) {
        if (cell.count < 0) throw ValueError("counts of a contingency matrix must not be negative");
        if (cell.count > (std::int64_t{1} << 53) - total)
            throw ValueError("counts of a contingency matrix must sum to less than 2**53");
        total += cell.count;
        if (cell.count == 0) continue;
        if (!merged.empty() && merged.back().row == cell.row && merged.back().column == cell.column)
            merged.back().count += cell.count;
        else
            merged.push_back(cell);
    }
    if (total == 0) throw ValueError("a contingency matrix must count at least one row");
    return of_sorted(std::move(merged));
}

PairCounts pair_counts(const Contingency& c) {
    std::int64_t cells = 0, classes = 0, clusters = 0; // sums of squares
    for (const Contingency::Cell& cell : c.cells) cells += cell.count * cell.count;
    for (const std::int64_t a : c.a) classes += a * a;
    for (const std::int64_t b : c.b) clusters += b * b;
    PairCounts pairs{};
    pairs.in_both = cells - c.n;
    pairs.in_cluster = clusters - cells;
    pairs.in_class = classes - cells;
    pairs.apart = c.n * c.n - pairs.in_cluster - pairs.in_class - cells;
    return pairs;
}

} // namespace mlcore::metrics
