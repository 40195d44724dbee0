#include "metrics/labels/counts.hpp"

#include "core/parallel.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <array>
#include <atomic>

namespace mlcore::metrics {
namespace {

constexpr std::size_t block = 2048;     // rows that are narrowed to 16 bits at a time, in the first-level cache
constexpr std::size_t n_sampled = 1024; // rows that say where the labels may lie

/// Neighbouring rows often meet the same cell, and an addition waits for the one before: small tables are kept four
/// times, one for each of four rows.
constexpr std::size_t lanes_for(std::size_t width) { return width <= 32 ? 4 : 1; }

/// C over the labels [low, low + width), which of them occur, and their sums.
struct Cells {
    std::vector<double> cells; // (width, width)
    std::vector<double> true_sums, predicted_sums, hits;
    std::vector<std::uint8_t> in_true, in_predicted;

    explicit Cells(std::size_t width)
        : cells(width * width, 0.0), true_sums(width, 0.0), predicted_sums(true_sums), hits(true_sums),
          in_true(width, 0), in_predicted(width, 0) {}
};

/// Counts of one part of the rows, lane after lane.
struct CountedPart {
    static constexpr bool weighted = false;

    std::size_t width, n_lanes;
    std::vector<std::uint64_t> table;

    CountedPart(std::size_t w, std::size_t) : width(w), n_lanes(lanes_for(w)), table(n_lanes * w * w, 0) {}

    void add(const std::uint16_t* t, const std::uint16_t* p, const double*, std::size_t n) {
        std::array<std::uint16_t, block> cell; // below 256 * 256
        for (std::size_t i = 0; i < n; ++i) cell[i] = static_cast<std::uint16_t>(t[i] * width + p[i]);
        const std::size_t size = width * width;
        std::size_t i = 0;
        if (n_lanes == 4)
            for (; i + 4 <= n; i += 4)
                for (std::size_t lane = 0; lane < 4; ++lane) ++table[lane * size + cell[i + lane]];
        for (; i < n; ++i) ++table[cell[i]];
    }

    void add_to(Cells& sum) const {
        const std::size_t size = width * width;
        for (std::size_t lane = 0; lane < n_lanes; ++lane)
            for (std::size_t c = 0; c < size; ++c) sum.cells[c] += static_cast<double>(table[lane * size + c]);
    }
};

/// The same with weights. Sums of each label are taken apart from those of cells: where there is one part, row after
/// row as numpy.bincount takes them, because reports print all their digits. Several parts may have lanes.
struct WeightedPart {
    static constexpr bool weighted = true;

    std::size_t width;
    std::vector<Cells> lanes;

    WeightedPart(std::size_t w, std::size_t n_parts) : width(w), lanes(n_parts == 1 ? 1 : lanes_for(w), Cells(w)) {}

    void add(const std::uint16_t* t, const std::uint16_t* p, const double* weight, std::size_t n) {
        const std::size_t mask = lanes.size() - 1;
        for (std::size_t i = 0; i < n; ++i) {
            const double w = weight[i];
            Cells& sum = lanes[i & mask];
            sum.cells[t[i] * width + p[i]] += w;
            sum.true_sums[t[i]] += w;
            sum.predicted_sums[p[i]] += w;
            if (t[i] == p[i]) sum.hits[t[i]] += w;
            sum.in_true[t[i]] = sum.in_predicted[p[i]] = 1;
        }
    }

    void add_to(Cells& total) const {
        const auto add = [](std::vector<double>& out, const std::vector<double>& part) {
            for (std::size_t k = 0; k < part.size(); ++k) out[k] += part[k];
        };
        for (const Cells& sum : lanes) {
            add(total.cells, sum.cells);
            add(total.true_sums, sum.true_sums);
            add(total.predicted_sums, sum.predicted_sums);
            add(total.hits, sum.hits);
            for (std::size_t k = 0; k < width; ++k) {
                total.in_true[k] |= sum.in_true[k];
                total.in_predicted[k] |= sum.in_predicted[k];
            }
        }
    }
};

/// Sums and occurrence of counts, which their cells tell.
void complete(Cells& counts, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            counts.true_sums[i] += counts.cells[i * width + j];
            counts.predicted_sums[i] += counts.cells[j * width + i];
        }
        counts.hits[i] = counts.cells[i * width + i];
        counts.in_true[i] = counts.true_sums[i] != 0;
        counts.in_predicted[i] = counts.predicted_sums[i] != 0;
    }
}

/// Nothing if a label lies outside.
template <class Part>
std::optional<Cells> count_cells(const RunContext& ctx, const LabelColumn& y_true, const LabelColumn& y_pred,
                                 const double* weight, std::int64_t low, std::size_t width) {
    const std::size_t n = y_true.size, size = width * width;
    const std::size_t most_parts = std::clamp<std::size_t>((std::size_t{1} << 20) / size, 1, 64);
    const std::size_t n_parts = std::clamp<std::size_t>(n / 16384, 1, most_parts);
    const std::size_t each = ((n + n_parts - 1) / n_parts + block - 1) / block * block;
    std::vector<Part> parts(n_parts, Part(width, n_parts));
    std::atomic<bool> inside{true};
    parallel_tasks(ctx, n_parts, 1.5 * static_cast<double>(each), [&](std::size_t k, int) {
        std::array<std::uint16_t, block> t, p;
        for (std::size_t b = std::min(n, k * each); b < std::min(n, (k + 1) * each); b += block) {
            const std::size_t e = std::min(n, b + block);
            if (!inside.load(std::memory_order_relaxed)) return;
            if (!narrow_labels(y_true, b, e, low, static_cast<std::uint32_t>(width), t.data()) ||
                !narrow_labels(y_pred, b, e, low, static_cast<std::uint32_t>(width), p.data())) {
                inside.store(false, std::memory_order_relaxed);
                return;
            }
            parts[k].add(t.data(), p.data(), Part::weighted ? weight + b : nullptr, e - b);
        }
    });
    if (!inside) return std::nullopt;
    Cells total(width);
    for (const Part& part : parts) part.add_to(total);
    if (!Part::weighted) complete(total, width);
    return total;
}

std::optional<Cells> count_cells(const RunContext& ctx, const LabelColumn& y_true, const LabelColumn& y_pred,
                                 std::span<const double> weight, std::int64_t low, std::size_t width) {
    return weight.empty() ? count_cells<CountedPart>(ctx, y_true, y_pred, nullptr, low, width)
                          : count_cells<WeightedPart>(ctx, y_true, y_pred, weight.data(), low, width);
}

/// Whether a prediction is right although all weights of its cell are zero or cancel each other.
bool any_equal(const LabelColumn& y_true, const LabelColumn& y_pred, std::int64_t low, std::size_t width) {
    std::array<std::uint16_t, block> t, p;
    for (std::size_t b = 0; b < y_true.size; b += block) {
        const std::size_t e = std::min(y_true.size, b + block);
        narrow_labels(y_true, b, e, low, static_cast<std::uint32_t>(width), t.data());
        narrow_labels(y_pred, b, e, low, static_cast<std::uint32_t>(width), p.data());
        for (std::size_t i = 0; i < e - b; ++i)
            if (t[i] == p[i]) return true;
    }
    return false;
}

/// The labels that occur, without those between them.
LabelCounts condense(const Cells& table, std::int64_t low, std::size_t width) {
    LabelCounts counts;
    std::vector<std::size_t> place;
    for (std::size_t i = 0; i < width; ++i)
        if (table.in_true[i] || table.in_predicted[i]) {
            place.push_back(i);
            counts.labels.push_back(low + static_cast<std::int64_t>(i));
            counts.occurs.push_back(table.in_true[i]);
        }
    const std::size_t k = place.size();
    counts.cells.resize(k * k);
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < k; ++j) counts.cells[i * k + j] = table.cells[place[i] * width + place[j]];
        counts.true_sums.push_back(table.true_sums[place[i]]);
        counts.predicted_sums.push_back(table.predicted_sums[place[i]]);
        counts.hits.push_back(table.hits[place[i]]);
        counts.any_hit |= counts.hits[i] != 0;
    }
    return counts;
}

LabelColumn column_of(std::span<const std::uint32_t> codes) {
    return {LabelType::u32, codes.data(), codes.size(), sizeof(std::uint32_t)};
}

LabelCounts counts_of_cells(const Cells& cells, const LabelColumn& y_true, const LabelColumn& y_pred,
                            std::span<const double> weight, std::int64_t low, std::size_t width) {
    LabelCounts counts = condense(cells, low, width);
    if (!weight.empty() && !counts.any_hit) counts.any_hit = any_equal(y_true, y_pred, low, width);
    return counts;
}

} // namespace

std::optional<LabelCounts> count_numbers(const RunContext& ctx, const LabelColumn& y_true, const LabelColumn& y_pred,
                                         std::span<const double> weight) {
    const std::size_t n = y_true.size;
    if (n == 0) return LabelCounts{};
    // The first rows say where the labels lie; where a later one lies elsewhere, all are asked.
    for (const std::size_t n_asked : {std::min(n, n_sampled), n}) {
        const auto a = label_range(ctx, y_true, 0, n_asked), b = label_range(ctx, y_pred, 0, n_asked);
        if (!a || !b) return std::nullopt;
        const LabelRange both{std::min(a->low, b->low), std::max(a->high, b->high)};
        const std::uint64_t width = both.width();
        if (width == 0 || width > most_cells) break;
        if (const auto cells = count_cells(ctx, y_true, y_pred, weight, both.low, width))
            return counts_of_cells(*cells, y_true, y_pred, weight, both.low, width);
        if (n_asked == n) return std::nullopt;
    }
    auto a = encode_numbers(ctx, y_true), b = encode_numbers(ctx, y_pred);
    if (!a || !b) return std::nullopt;
    std::vector<std::int64_t> labels = unite(ctx, *a, *b);
    LabelCounts counts = count_codes(ctx, std::move(a->codes), std::move(b->codes), labels.size(), weight);
    counts.labels = std::move(labels);
    return counts;
}

LabelCounts count_codes(const RunContext& ctx, std::vector<std::uint32_t> y_true, std::vector<std::uint32_t> y_pred,
                        std::size_t n_labels, std::span<const double> weight) {
    const std::size_t n = y_true.size(), k = n_labels;
    if (k <= most_cells) {
        const LabelColumn t = column_of(y_true), p = column_of(y_pred);
        const auto cells = count_cells(ctx, t, p, weight, 0, k);
        return counts_of_cells(*cells, t, p, weight, 0, k);
    }
    const std::size_t n_parts = std::clamp<std::size_t>(std::min(n / 16384, (std::size_t{1} << 21) / k), 1, 64);
    std::vector<double> sums(3 * k, 0.0);
    parallel_sums_over(ctx, n, n_parts, 3.0, 3 * k, sums.data(),
                       [&](std::size_t begin, std::size_t end, double* sum, int) {
                           for (std::size_t i = begin; i < end; ++i) {
                               const double w = weight.empty() ? 1.0 : weight[i];
                               sum[y_true[i]] += w;
                               sum[k + y_pred[i]] += w;
                               if (y_true[i] == y_pred[i]) sum[2 * k + y_true[i]] += w;
                           }
                       });
    LabelCounts counts;
    const double* sum = sums.data();
    counts.true_sums.assign(sum, sum + k);
    counts.predicted_sums.assign(sum + k, sum + 2 * k);
    counts.hits.assign(sum + 2 * k, sum + 3 * k);
    counts.occurs.assign(k, 0);
    counts.labels.resize(k);
    for (std::size_t c = 0; c < k; ++c) counts.labels[c] = static_cast<std::int64_t>(c);
    for (std::size_t i = 0; i < n; ++i) {
        counts.occurs[y_true[i]] = 1;
        counts.any_hit |= y_true[i] == y_pred[i];
    }
    counts.true_codes = std::move(y_true);
    counts.predicted_codes = std::move(y_pred);
    return counts;
}

void confusion(const LabelCounts& counts, std::span<const double> weight, double* out) {
    const std::size_t k = counts.labels.size();
    if (k <= most_cells) {
        std::copy(counts.cells.begin(), counts.cells.end(), out);
        return;
    }
    std::fill_n(out, k * k, 0.0);
    for (std::size_t i = 0; i < counts.true_codes.size(); ++i)
        out[counts.true_codes[i] * k + counts.predicted_codes[i]] += weight.empty() ? 1.0 : weight[i];
}

double weight_sum(const RunContext& ctx, std::span<const double> weight) {
    return parallel_reduce(
        ctx, weight.size(), 0.3, 0.0,
        [&](std::size_t begin, std::size_t end) {
            return sum_in_lanes<16>(end - begin, [&](std::size_t i) { return weight[begin + i]; });
        },
        [](double a, double b) { return a + b; });
}

} // namespace mlcore::metrics
