// The step of word2vec on one window, beside the machine's peak of multiply-adds: the sizes of each model at its
// default settings, rows that stay in the nearest caches and rows of a vocabulary that does not fit.
#include "bench.hpp"
#include "core/random.hpp"
#include "embedding/trainer.hpp"
#include "embedding/window_kernel.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;
using namespace mlcore::text;

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

/// One long text of words drawn by Zipf's law.
class ZipfCorpus final : public Corpus {
  public:
    ZipfCorpus(std::size_t n_words, std::size_t n_tokens) : counts(n_words, 1) {
        std::vector<std::int64_t> weights;
        for (std::size_t r = 1; r <= n_words; ++r)
            weights.push_back(static_cast<std::int64_t>(1e9 / static_cast<double>(r)));
        const AliasTable words(weights, 1.0);
        DrawStream draws(1, DrawStream::Purpose::positions, 0, 0);
        for (std::size_t i = 0; i < n_tokens; ++i) {
            ids_.push_back(words.pick(draws.next()));
            ++counts[static_cast<std::size_t>(ids_.back())];
        }
    }
    std::size_t n_pieces() const override { return (ids_.size() + piece - 1) / piece; }
    std::int64_t tokens_before(std::size_t p) const override {
        return static_cast<std::int64_t>(std::min(ids_.size(), p * piece));
    }
    void set_vocabulary(std::shared_ptr<const Vocabulary>) override {}
    void read(std::size_t p, Piece& out) const override {
        out.clear();
        out.ids.assign(ids_.begin() + tokens_before(p), ids_.begin() + tokens_before(p + 1));
        out.end_text(out.ids.size());
    }

    std::vector<std::int64_t> counts;

  private:
    static constexpr std::size_t piece = 10000;
    std::vector<std::int32_t> ids_;
};

/// One epoch, words a second, beside what the peak would allow for the dot products and updates of its windows.
void training(const RunContext& ctx, const char* model, const ZipfCorpus& corpus, Algorithm algorithm, Loss loss,
              double peak_gflop) {
    const TrainerParams params{.vector_size = vector_size, .algorithm = algorithm, .loss = loss, .sample = 0};
    Trainer trainer(corpus.counts, params);
    trainer.set_rows(ctx, {}, {});
    TrainingProgress done;
    const double seconds = bench::median_seconds(
        [&] { done = trainer.train(ctx, corpus, {0, 1, 0, corpus.n_pieces(), 0.025, 0.025}); }, 3);
    double outputs = 1 + static_cast<double>(params.negative); // of a window
    if (loss == Loss::hierarchical_softmax) {
        const HuffmanPaths paths(trainer.tree());
        double steps = 0, total = 0;
        for (std::size_t w = 0; w < corpus.counts.size(); ++w) {
            steps += static_cast<double>(corpus.counts[w]) *
                     static_cast<double>(paths.of(static_cast<std::int32_t>(w)).size());
            total += static_cast<double>(corpus.counts[w]);
        }
        outputs = steps / total;
    }
    const double words = static_cast<double>(done.n_tokens);
    const double flop = static_cast<double>(done.n_terms) * outputs * 3 * 2 * vector_size;
    const std::string name = std::string("training, ") + model + ", " + std::to_string(ctx.n_threads) + " threads";
    bench::print_result(name.c_str(), seconds, words, "word", 1e9 * peak_gflop * words / flop);
}

} // namespace

int main(int argc, char** argv) {
    const bench::Peaks peaks = bench::print_machine(1); // a step is the work of one thread
    for (const std::size_t n_words : {std::size_t{1000}, std::size_t{100000}}) {
        steps("skip-gram, negatives", 6, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, negatives, full window", 10, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, negatives of each pair", 1, 6, n_words, peaks.fma_gflop);
        steps("skip-gram, tree", 6, 11, n_words, peaks.fma_gflop);
        steps("CBOW, tree", 1, 11, n_words, peaks.fma_gflop);
    }

    const ZipfCorpus corpus(50000, 1000000);
    const int most = bench::threads_from(argc, argv);
    for (int n_threads = 1; n_threads <= most; n_threads *= 2) {
        StandaloneRun run(n_threads);
        const double peak = n_threads * peaks.fma_gflop;
        using enum Algorithm;
        training(run.context, "skip-gram, negatives", corpus, skipgram, Loss::negative_sampling, peak);
        training(run.context, "CBOW, negatives", corpus, cbow, Loss::negative_sampling, peak);
        training(run.context, "skip-gram, tree", corpus, skipgram, Loss::hierarchical_softmax, peak);
        training(run.context, "CBOW, tree", corpus, cbow, Loss::hierarchical_softmax, peak);
    }
}
