#include "metrics/ranking/bootstrap.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/random_vectors.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_row = 3;
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Rows are drawn by words of 32 bits.
void check_rows(std::size_t n) {
    if (n > std::numeric_limits<std::uint32_t>::max())
        throw ValueError("resamples have at most 2^32 - 1 rows, got " + std::to_string(n));
}

/// place(j) for n_draws random j, each of [0, n) equally likely: the high word of a random word times n, drawn anew
/// where the low word falls into what is left over (Lemire, "Fast random integer generation in an interval", 2019).
/// Draws come in groups of 32, from 8 counters from `first` on, whatever the width of vectors; what is drawn anew has
/// counters from 2^63 on.
template <class Place>
void draw(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::size_t n, std::size_t n_draws,
          Place&& place) {
    constexpr std::size_t lanes = simd::lanes_of<double>, n_counters = 8, group = 4 * n_counters;
    const auto left_over = static_cast<std::uint32_t>((std::uint64_t{1} << 32) % n);
    const WideWords times = static_cast<std::uint64_t>(n) - WideWords{};
    WideWords lane;
    for (std::size_t l = 0; l < lanes; ++l) lane[l] = l;
    const auto draw_anew = [&](std::uint64_t number) {
        const Philox random(seed, stream);
        for (std::uint64_t counter = number | std::uint64_t{1} << 63;; counter += std::uint64_t{1} << 50) {
            const std::uint64_t product = std::uint64_t{random.u32(counter)} * n;
            if (static_cast<std::uint32_t>(product) >= left_over) return product >> 32;
        }
    };
    alignas(cache_line) std::uint64_t products[group];
    for (std::size_t done = 0; done < n_draws; done += group) {
        for (std::size_t v = 0; v < n_counters; v += lanes) {
            const WideWords counters = lane + (first + done / 4 + v);
            const WideBlock block = philox_blocks(seed, stream, counters, counters >> 32);
            for (std::size_t w = 0; w < 4; ++w)
                simd::store(products + w * n_counters + v, multiply_low(block[w], times));
        }
        const std::size_t n_here = std::min(group, n_draws - done);
        for (std::size_t d = 0; d < n_here; ++d) {
            const std::uint64_t product = products[d];
            if (static_cast<std::uint32_t>(product) >= left_over) [[likely]]
                place(product >> 32);
            else
                place(draw_anew(first + done + d));
        }
    }
}

void draw_from_all(std::uint64_t seed, std::uint64_t resample, std::size_t n, std::uint8_t* counts) {
    std::fill_n(counts, n, 0);
    draw(seed, resample, 0, n, n, [&](std::uint64_t j) { ++counts[j]; });
}

/// Rows of each stratum.
struct StratumRows {
    std::vector<std::uint32_t> rows[2];

    template <class StratumOf>
    StratumRows(std::size_t n, StratumOf&& stratum_of) {
        for (std::size_t i = 0; i < n; ++i) rows[stratum_of(i)].push_back(static_cast<std::uint32_t>(i));
    }

    void draw_counts(std::uint64_t seed, std::uint64_t resample, std::size_t n, std::uint8_t* counts) const {
        std::fill_n(counts, n, 0);
        std::uint64_t first = 0;
        for (const auto& members : rows) {
            if (members.empty()) continue;
            draw(seed, resample, first, members.size(), members.size(), [&](std::uint64_t j) { ++counts[members[j]]; });
            first += std::uint64_t{1} << 40;
        }
    }
};

/// f(resample, counts) for each resample of n rows, where stratum(i) is 0 or 1.
template <class StratumOf, class F>
void for_each_resample(const RunContext& ctx, std::size_t n, std::size_t n_resamples, bool stratified,
                       StratumOf&& stratum_of, F&& f) {
    check_rows(n);
    const StratumRows strata(stratified ? n : 0, stratum_of);
    const double ns_per_resample = ns_per_row * static_cast<double>(n) + 100;
    const auto n_workers =
        static_cast<std::size_t>(threads_for(ctx, ns_per_resample * static_cast<double>(n_resamples)));
    const std::size_t stride = simd::round_up(n, cache_line);
    Scratch<std::uint8_t> counts(stride * n_workers);
    parallel_tasks(ctx, n_resamples, ns_per_resample, [&](std::size_t resample, int thread) {
        std::uint8_t* own = counts.data() + stride * static_cast<std::size_t>(thread);
        if (stratified)
            strata.draw_counts(ctx.seed, resample, n, own);
        else
            draw_from_all(ctx.seed, resample, n, own);
        f(resample, own);
    });
}

/// Sorted rows as a pass over counts wants them.
template <class Row>
struct Ranking {
    static constexpr std::uint8_t positive = 1, last_of_tie = 2;

    Scratch<std::uint8_t> flags;
    Scratch<double> weights; // none for counts
    std::size_t n = 0;
    bool ties = false;

    explicit Ranking(const SortedScores<Row>& sorted) : flags(sorted.n), n(sorted.n) {
        constexpr bool weighted = std::is_same_v<typename Row::Sum, double>;
        if constexpr (weighted) weights = Scratch<double>(n);
        for (std::size_t i = 0; i < n; ++i) {
            const Row& row = sorted.memory[i];
            const bool last = i + 1 == n || sorted.memory[i + 1].key() != row.key();
            ties |= !last;
            flags[i] = static_cast<std::uint8_t>((row.bits & 1 ? positive : 0) | (last ? last_of_tie : 0));
            if constexpr (weighted) weights[i] = row.weight;
        }
    }

    /// at_cut(tp, fp) at the last row of each tie.
    template <class AtCut>
    std::pair<typename Row::Sum, typename Row::Sum> pass(const std::uint8_t* counts, AtCut&& at_cut) const {
        using Sum = typename Row::Sum;
        Sum tp{}, fp{};
        const std::uint8_t* flag = flags.data();
        const double* weight = weights.data();
        const auto add = [&](std::size_t i) {
            Sum all = counts[i];
            if constexpr (std::is_same_v<Sum, double>) {
                all *= weight[i];
                const double hit = (flag[i] & positive) != 0 ? all : 0.0;
                tp += hit;
                fp += all - hit;
            } else {
                const Sum hit = all & -static_cast<Sum>(flag[i] & positive);
                tp += hit;
                fp += all - hit;
            }
        };
        if (!ties) {
            for (std::size_t i = 0; i < n; ++i) {
                add(i);
                at_cut(tp, fp);
            }
        } else {
            for (std::size_t i = 0; i < n; ++i) {
                add(i);
                if ((flag[i] & last_of_tie) != 0) at_cut(tp, fp);
            }
        }
        return {tp, fp};
    }
};

template <class Row>
double resampled_area(const Ranking<Row>& ranking, const std::uint8_t* counts) {
    typename Row::Sum twice{}, last_tp{}, last_fp{};
    const auto [positive, negative] = ranking.pass(counts, [&](auto tp, auto fp) {
        twice += (fp - last_fp) * (tp + last_tp);
        last_tp = tp;
        last_fp = fp;
    });
    if (!(positive > 0 && negative > 0)) return undefined;
    return static_cast<double>(twice) / (2 * static_cast<double>(positive) * static_cast<double>(negative));
}

template <class Row>
double resampled_precision(const Ranking<Row>& ranking, const std::uint8_t* counts) {
    double sum = 0;
    typename Row::Sum last{};
    const auto [positive, negative] = ranking.pass(counts, [&](auto tp, auto fp) {
        const auto taken = static_cast<double>(tp + fp);
        sum += static_cast<double>(tp - last) * (taken != 0 ? static_cast<double>(tp) / taken : 0.0);
        last = tp;
    });
    static_cast<void>(negative);
    return positive > 0 ? std::max(0.0, sum / static_cast<double>(positive)) : undefined;
}

template <class Row>
double resampled_distance(const Ranking<Row>& ranking, const std::uint8_t* counts) {
    const auto [tp_all, fp_all] = ranking.pass(counts, [](auto, auto) {});
    if (!(tp_all > 0 && fp_all > 0)) return undefined;
    const auto positive = static_cast<double>(tp_all), negative = static_cast<double>(fp_all);
    double most = 0;
    ranking.pass(counts, [&](auto tp, auto fp) {
        most = std::max(most, std::abs(static_cast<double>(tp) * negative - static_cast<double>(fp) * positive));
    });
    return most / (positive * negative);
}

} // namespace

void draw_counts(std::uint64_t seed, std::uint64_t resample, std::size_t n, const Strata& strata,
                 std::uint8_t* counts) {
    check_rows(n);
    if (strata.of_row.empty()) return draw_from_all(seed, resample, n, counts);
    const StratumRows rows(n, [&](std::size_t i) { return strata.of_row[i]; });
    rows.draw_counts(seed, resample, n, counts);
}

template <class Row>
void resample_metric(const RunContext& ctx, ResampledMetric metric, const SortedScores<Row>& sorted, bool stratified,
                     std::span<double> out) {
    const Ranking<Row> ranking(sorted);
    for_each_resample(
        ctx, ranking.n, out.size(), stratified, [&](std::size_t i) { return ranking.flags[i] & 1; },
        [&](std::size_t resample, const std::uint8_t* counts) {
            switch (metric) {
            case ResampledMetric::roc_auc:
                out[resample] = resampled_area(ranking, counts);
                break;
            case ResampledMetric::average_precision:
                out[resample] = resampled_precision(ranking, counts);
                break;
            case ResampledMetric::ks_statistic:
                out[resample] = resampled_distance(ranking, counts);
                break;
            }
        });
}

void resample_cells(const RunContext& ctx, std::span<const std::uint8_t> cells, std::size_t n_cells,
                    std::span<const double> weights, const Strata& strata, std::span<double> out) {
    const std::size_t n = cells.size();
    for_each_resample(
        ctx, n, out.size() / n_cells, !strata.of_row.empty(), [&](std::size_t i) { return strata.of_row[i]; },
        [&](std::size_t resample, const std::uint8_t* counts) {
            double* sums = out.data() + resample * n_cells;
            std::fill_n(sums, n_cells, 0.0);
            if (!weights.empty()) {
                for (std::size_t i = 0; i < n; ++i) sums[cells[i]] += weights[i] * counts[i];
            } else {
                for (std::size_t cell = 0; cell < n_cells; ++cell) {
                    const auto own = static_cast<std::uint8_t>(cell);
                    std::uint64_t sum = 0;
                    for (std::size_t i = 0; i < n; ++i) sum += cells[i] == own ? counts[i] : 0U;
                    sums[cell] = static_cast<double>(sum);
                }
            }
        });
}

void resample_means(const RunContext& ctx, std::span<const double> values, std::span<const double> weights,
                    const Strata& strata, std::span<double> out) {
    const std::size_t n = values.size();
    for_each_resample(
        ctx, n, out.size(), !strata.of_row.empty(), [&](std::size_t i) { return strata.of_row[i]; },
        [&](std::size_t resample, const std::uint8_t* counts) {
            const bool weighted = !weights.empty();
            const double sum = sum_in_lanes<8>(n, [&](std::size_t i) {
                return values[i] * (weighted ? weights[i] * counts[i] : static_cast<double>(counts[i]));
            });
            const double total = weighted ? sum_in_lanes<8>(n, [&](std::size_t i) { return weights[i] * counts[i]; })
                                          : static_cast<double>(n);
            out[resample] = total != 0 ? sum / total : undefined;
        });
}

template void resample_metric(const RunContext&, ResampledMetric, const SortedScores<LabelledKey>&, bool,
                              std::span<double>);
template void resample_metric(const RunContext&, ResampledMetric, const SortedScores<WeightedKey>&, bool,
                              std::span<double>);

} // namespace mlcore::metrics
