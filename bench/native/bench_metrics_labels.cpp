// Counts of labels, losses of probabilities and errors of numbers: bytes read a second, beside what memory gives.
#include "bench.hpp"

#include "metrics/errors/errors.hpp"
#include "metrics/labels/counts.hpp"
#include "metrics/labels/probabilities.hpp"

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

template <class T>
std::vector<T> labels(std::size_t n, std::uint64_t k, std::uint64_t seed, T step = 1) {
    std::vector<T> out(n);
    std::uint64_t state = seed;
    for (T& label : out) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        label = static_cast<T>((state >> 33) % k) * step;
    }
    return out;
}

LabelColumn column(const std::vector<std::int64_t>& x) { return {LabelType::i64, x.data(), x.size(), 8}; }
LabelColumn column(const std::vector<std::int8_t>& x) { return {LabelType::i8, x.data(), x.size(), 1}; }

} // namespace

int main(int argc, char** argv) {
    StandaloneRun run(bench::threads_from(argc, argv));
    const double read_bytes = bench::print_machine(run.context.n_threads).read_gb * 1e9;
    const auto line = [&](const char* name, double seconds, double bytes) {
        bench::print_result(name, seconds, bytes, "B", read_bytes);
    };
    const std::size_t n = 10'000'000;
    const auto rows = static_cast<double>(n);
    std::vector<double> weight(n), score(n), other(n);
    for (std::size_t i = 0; i < n; ++i) {
        score[i] = static_cast<double>((i * 2654435761u) % 1000003) / 1000003;
        other[i] = static_cast<double>((i * 40503u) % 1000003) / 1000003;
        weight[i] = score[i];
    }

    for (const std::uint64_t k : {2u, 10u, 200u, 5000u}) {
        const auto t = labels<std::int64_t>(n, k, 1), p = labels<std::int64_t>(n, k, 2);
        std::size_t right = 0;
        for (std::size_t i = 0; i < n; ++i) right += t[i] == p[i];
        double hits = 0;
        const auto counts = count_numbers(run.context, column(t), column(p), {});
        for (const double h : counts->hits) hits += h;
        if (hits != static_cast<double>(right)) throw std::runtime_error("wrong counts");
        char name[64];
        std::snprintf(name, sizeof name, "counts of %d labels, int64", static_cast<int>(k));
        line(name, bench::median_seconds([&] { bench::keep(count_numbers(run.context, column(t), column(p), {})); }),
             16 * rows);
        std::snprintf(name, sizeof name, "counts of %d labels, int64, weights", static_cast<int>(k));
        line(name,
             bench::median_seconds([&] { bench::keep(count_numbers(run.context, column(t), column(p), weight)); }),
             24 * rows);
    }
    const auto t8 = labels<std::int8_t>(n, 2, 1), p8 = labels<std::int8_t>(n, 2, 2);
    line("counts of 2 labels, int8",
         bench::median_seconds([&] { bench::keep(count_numbers(run.context, column(t8), column(p8), {})); }), 2 * rows);
    const auto far = labels<std::int64_t>(n, 1000, 1, std::int64_t{1} << 40);
    line("codes of 1000 labels far apart, int64",
         bench::median_seconds([&] { bench::keep(encode_numbers(run.context, column(far))); }, 3), 8 * rows);

    const auto y = labels<std::int64_t>(n, 2, 3);
    const RowValues values{score.data(), n, 1, 1, 1, true};
    for (const auto& [loss, name] :
         {std::pair{RowLoss::log, "log loss of one column"}, std::pair{RowLoss::brier, "Brier score of one column"},
          std::pair{RowLoss::hinge, "hinge loss of one column"}})
        line(name, bench::median_seconds([&] {
                 bench::keep(row_loss_sum(run.context, loss, {column(y), 0, {0, 1}}, values, {}));
             }),
             16 * rows);

    const Numbers a{score.data(), n, 1, true}, b{other.data(), n, 1, true};
    for (const auto& [error, name] :
         {std::pair{Error::squared, "squared error"}, std::pair{Error::absolute, "absolute error"},
          std::pair{Error::squared_log, "squared log error"}, std::pair{Error::pinball, "pinball loss"}})
        line(name, bench::median_seconds([&] { bench::keep(error_sum(run.context, error, 0.3, a, b, {})); }),
             16 * rows);
    line("variances", bench::median_seconds([&] { bench::keep(variance_sums(run.context, a, b, {})); }), 32 * rows);
    line("median of absolute errors", bench::median_seconds([&] { bench::keep(median_error(run.context, a, b, {})); }),
         16 * rows);
    return 0;
}
