// Metrics of scores: rows sorted and counted a second, beside the rate at which the machine reads the scores.
#include "bench.hpp"
#include "core/random.hpp"
#include "metrics/ranking/areas.hpp"
#include "metrics/ranking/bootstrap.hpp"
#include "metrics/ranking/discounted_gain.hpp"
#include "metrics/ranking/score_sort.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

template <class T>
std::vector<T> scores_of(const std::string& shape, std::size_t n) {
    std::vector<T> scores(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double u = Philox(1, 0).uniform(i);
        const double s = shape == "normal"       ? Philox(1, 1).normal(i)
                         : shape == "ten values" ? std::floor(10 * u)
                         : shape == "near 1"     ? 1 - std::pow(u, 30)
                                                 : u;
        scores[i] = static_cast<T>(s);
    }
    if (shape == "sorted") std::sort(scores.begin(), scores.end());
    return scores;
}

std::vector<std::uint8_t> labels_of(std::size_t n) {
    std::vector<std::uint8_t> labels(n);
    for (std::size_t i = 0; i < n; ++i) labels[i] = Philox(2, 0).uniform(i) < 0.3;
    return labels;
}

/// bytes: what has to be read at least, scores and labels.
template <class T>
void sort(const bench::Peaks& peaks, int n_threads, const std::string& shape, std::size_t n) {
    const StandaloneRun run(n_threads);
    const auto scores = scores_of<T>(shape, n);
    const auto labels = labels_of(n);
    const VectorView<const T> view{scores.data(), n, 1};
    auto sorted = sort_scores<LabelledKey, T>(run.context, view, labels.data());
    for (std::size_t i = 1; i < n; ++i)
        if (sorted.memory[i].key() < sorted.memory[i - 1].key()) throw InternalError("not sorted");
    const double seconds =
        bench::median_seconds([&] { bench::keep(sort_scores<LabelledKey, T>(run.context, view, labels.data()).n); });
    const double bytes = static_cast<double>(n) * (sizeof(T) + 1);
    const std::string text = "sort, " + std::to_string(n) + (sizeof(T) == 4 ? " float, " : " double, ") + shape;
    bench::print_result(text.c_str(), seconds, bytes, "B", peaks.read_gb * 1e9);
    std::printf("%-44s %.2f ns a row\n", "", seconds * 1e9 / static_cast<double>(n));
}

void count(const bench::Peaks& peaks, int n_threads, std::size_t n) {
    const StandaloneRun run(n_threads);
    const auto scores = scores_of<double>("even", n);
    const auto labels = labels_of(n);
    const auto sorted = sort_scores<LabelledKey, double>(run.context, {scores.data(), n, 1}, labels.data());
    const double bytes = static_cast<double>(n) * sizeof(LabelledKey);
    double value = 0;
    bench::print_result("area of sorted rows",
                        bench::median_seconds([&] { value = roc_area(run.context, sorted).value; }), bytes, "B",
                        peaks.read_gb * 1e9);
    if (!(std::abs(value - 0.5) < 0.01)) throw InternalError("area of random scores");
    bench::print_result("average precision of sorted rows",
                        bench::median_seconds([&] { value = average_precision(run.context, sorted).value; }), bytes,
                        "B", peaks.read_gb * 1e9);
    bench::keep(value);
}

void resample(int n_threads, std::size_t n, std::size_t n_resamples) {
    const StandaloneRun run(n_threads);
    const auto scores = scores_of<double>("even", n);
    const auto labels = labels_of(n);
    const auto sorted = sort_scores<LabelledKey, double>(run.context, {scores.data(), n, 1}, labels.data());
    std::vector<double> samples(n_resamples);
    std::vector<std::uint8_t> counts(n);
    const auto rows = static_cast<double>(n), all_rows = rows * static_cast<double>(n_resamples);
    bench::print_result("draws of a resample, one thread",
                        bench::median_seconds([&] { draw_counts(1, 0, n, {}, counts.data()); }), rows, "draws");
    bench::print_result("areas of resamples", bench::median_seconds([&] {
                            resample_metric(run.context, ResampledMetric::roc_auc, sorted, false, samples);
                        }),
                        all_rows, "draws");
}

void gains(int n_threads, std::size_t n, std::size_t d, std::size_t k) {
    const StandaloneRun run(n_threads);
    std::vector<double> gain(n * d), score(n * d), discount(k), out(n);
    for (std::size_t i = 0; i < n * d; ++i) {
        gain[i] = static_cast<double>(Philox(3, 0).below(i, 5));
        score[i] = Philox(3, 1).uniform(i);
    }
    for (std::size_t i = 0; i < k; ++i) discount[i] = 1 / std::log2(static_cast<double>(i) + 2);
    const double seconds = bench::median_seconds([&] {
        discounted_gains(run.context, row_major<const double>(gain.data(), n, d),
                         row_major<const double>(score.data(), n, d), {discount, false, true}, out.data());
    });
    const std::string text = "NDCG@" + std::to_string(k) + " of " + std::to_string(n) + " x " + std::to_string(d);
    bench::print_result(text.c_str(), seconds, static_cast<double>(n), "rows");
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    for (const char* shape : {"even", "normal", "near 1", "ten values", "sorted"})
        sort<double>(peaks, n_threads, shape, 1'000'000);
    sort<float>(peaks, n_threads, "even", 1'000'000);
    sort<double>(peaks, n_threads, "even", 10'000'000);
    count(peaks, n_threads, 1'000'000);
    resample(n_threads, 100'000, 100);
    gains(n_threads, 20'000, 100, 10);
    gains(n_threads, 20'000, 100, 100);
}
