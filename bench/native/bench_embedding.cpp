// The step of word2vec on one window, beside the machine's peak of multiply-adds: the sizes of each model at its
// default settings, rows that stay in the nearest caches and rows of a vocabulary that does not fit.
#include "bench.hpp"
#include "core/random.hpp"
#include "embedding/window_kernel.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

constexpr std::size_t vector_size = 100, row = padded(vector_size), n_steps = 20000;

Buffer<float> random_rows(std::size_t n, std::uint64_t seed) {
    Buffer<float> rows(n * row, 0.0f);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < vector_size; ++k)
            rows[i * row + k] = static_cast<float>(Philox(seed, 0).uniform(i * row + k) - 0.5);
    return rows;
}

/// Steps of M inputs and N outputs on random rows of a vocabulary.
void steps(const char* model, std::size_t m, std::size_t n, std::size_t n_words, double peak_gflop) {
    Buffer<float> inputs = random_rows(n_words, 1), outputs = random_rows(n_words, 2);
    Window window(row);
    window.reserve_outputs(n);
    window.n_inputs = m;
    window.n_outputs = n;
    for (std::size_t j = 0; j < n; ++j) window.weight[j] = j == 0 ? 1.0f : -1.0f;
    const Philox random(3, 0);
    std::vector<float*>
        rows; // of each step: its inputs, then its outputs, from a part of the table each: all different
    for (std::size_t step = 0; step < n_steps; ++step) {
        for (std::size_t i = 0; i < m; ++i) rows.push_back(&inputs[random.below(rows.size(), n_words) * row]);
        for (std::size_t j = 0; j < n; ++j)
            rows.push_back(&outputs[(j * (n_words / n) + random.below(rows.size(), n_words / n)) * row]);
    }
    const double seconds = bench::median_seconds([&] {
        for (float** next = rows.data(); next < rows.data() + rows.size(); next += m + n) {
            std::copy_n(next, m, window.input.data());
            std::copy_n(next + m, n, window.output.data());
            skipgram_step(window, 1e-3f);
        }
    });
    const std::string name = std::string(model) + ", " + std::to_string(m) + " x " + std::to_string(n) + ", " +
                             std::to_string(n_words) + " words";
    // Three products: dots, and the updates of either side.
    bench::print_result(name.c_str(), seconds,
                        static_cast<double>(n_steps) * 3 * 2 * static_cast<double>(m * n) * vector_size, "FLOP",
                        1e9 * peak_gflop);
}

} // namespace

int main() {
    const bench::Peaks peaks = bench::print_machine(1); // a step is the work of one thread
    for (const std::size_t n_words : {std::size_t{1000}, std::size_t{100000}}) {
        steps("skip-gram, negatives", 6, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, negatives, full window", 10, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, negatives of each pair", 1, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, tree", 6, 11, n_words, peaks.fma_gflop);
        steps("CBOW, tree", 1, 11, n_words, peaks.fma_gflop);
    }
}
