#include "metrics/ranking/discounted_gain.hpp"

#include "metrics/ranking/table_rows.hpp"

#include <algorithm>
#include <array>
#include <atomic>

namespace mlcore::metrics {
namespace {

constexpr std::size_t most_selected = 32; // with more, sorting the row is faster

/// The k highest values, highest first. k <= values.size.
void select_highest(VectorView<const double> values, std::size_t k, double* highest) {
    std::size_t n = 0;
    for (std::size_t j = 0; j < values.size; ++j) {
        const double x = values[j];
        if (n == k && !(x > highest[k - 1])) continue;
        std::size_t place = n < k ? n++ : k - 1;
        for (; place > 0 && highest[place - 1] < x; --place) highest[place] = highest[place - 1];
        highest[place] = x;
    }
}

/// Documents that can be among the first k, sorted; how many.
std::size_t first_documents(VectorView<const double> gains, VectorView<const double> scores, std::size_t k,
                            ScoredValue* out) {
    const std::size_t n = scores.size;
    std::size_t taken = 0;
    if (k <= most_selected && k < n) {
        std::array<double, most_selected> highest;
        select_highest(scores, k, highest.data());
        for (std::size_t j = 0; j < n; ++j)
            if (scores[j] >= highest[k - 1]) out[taken++] = ScoredValue::make(scores[j], gains[j]);
    } else {
        for (std::size_t j = 0; j < n; ++j) out[taken++] = ScoredValue::make(scores[j], gains[j]);
    }
    sort_rows(out, taken, out + n);
    return taken;
}

double gain_of_order(const ScoredValue* sorted, std::size_t n, const GainOptions& options) {
    const std::size_t k = options.discount.size();
    double gain = 0;
    for_each_tie(sorted, n, [&](std::size_t begin, std::size_t end) {
        if (begin >= k) return;
        if (options.ignore_ties) {
            for (std::size_t place = begin; place < std::min(end, k); ++place)
                gain += sorted[end - 1 - (place - begin)].value * options.discount[place];
            return;
        }
        double sum = 0, discount = 0;
        for (std::size_t i = begin; i < end; ++i) sum += sorted[i].value;
        for (std::size_t place = begin; place < std::min(end, k); ++place) discount += options.discount[place];
        gain += sum / static_cast<double>(end - begin) * discount;
    });
    return gain;
}

double best_gain(VectorView<const double> gains, const GainOptions& options, ScoredValue* memory) {
    const std::size_t k = options.discount.size();
    double best = 0;
    if (k <= most_selected) {
        std::array<double, most_selected> highest;
        select_highest(gains, k, highest.data());
        for (std::size_t place = 0; place < k; ++place) best += highest[place] * options.discount[place];
        return best;
    }
    for (std::size_t j = 0; j < gains.size; ++j) memory[j] = ScoredValue::make(gains[j], gains[j]);
    sort_rows(memory, gains.size, memory + gains.size);
    for (std::size_t place = 0; place < k; ++place) best += memory[place].value * options.discount[place];
    return best;
}

} // namespace

GainState discounted_gains(const RunContext& ctx, MatrixView<const double> gains, MatrixView<const double> scores,
                           const GainOptions& options, double* out) {
    std::atomic<bool> finite{true}, negative{false};
    for_each_row(ctx, scores.rows, scores.cols, 8, [&](std::size_t i, ScoredValue* memory) {
        const auto gain = gains.row(i), score = scores.row(i);
        if (!all_finite(gain) || !all_finite(score)) return finite.store(false, std::memory_order_relaxed);
        double least = 0;
        for (std::size_t j = 0; j < gain.size; ++j) least = std::min(least, gain[j]);
        if (least < 0) negative.store(true, std::memory_order_relaxed);

        const std::size_t n = first_documents(gain, score, options.discount.size(), memory);
        out[i] = gain_of_order(memory, n, options);
        if (!options.normalized) return;
        const double best = best_gain(gain, options, memory);
        out[i] = best == 0 ? 0.0 : out[i] / best;
    });
    return {finite.load(), negative.load()};
}

} // namespace mlcore::metrics
