// BERT without a tape at the sizes of MiniLM (d 384, 6 layers, 12 heads of 32, hidden 1536): growth with the length of
// sequences and with their number. Operations are those of all matrix products, attention included.
//   ./bench_nn_bert_encoder [n_threads]
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/inference/bert_encoder.hpp"

#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr std::size_t d = 384, hidden = 1536, n_heads = 12, n_layers = 6, n_words = 3000, n_positions = 512;

Buffer<float> uniform(std::size_t n, std::uint64_t stream) {
    const Philox random(1, stream);
    Buffer<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(random.uniform(i) - 0.5) * 0.1F;
    return x;
}

BertEncoder make_encoder(const RunContext& ctx) {
    std::vector<Buffer<float>> held;
    const auto matrix = [&](std::size_t rows, std::size_t cols) {
        const Buffer<float>& values = held.emplace_back(uniform(rows * cols, held.size()));
        return row_major(values.data(), rows, cols);
    };
    const auto linear = [&](std::size_t out, std::size_t in) -> LinearWeights {
        return {matrix(out, in), matrix(1, out).data};
    };
    held.reserve(100);
    EmbeddingWeights embeddings{matrix(n_words, d), matrix(n_positions, d), matrix(2, d), {}};
    EncoderWeights w;
    w.d = d;
    w.n_heads = n_heads;
    w.activation = linalg::Activation::gelu;
    for (std::size_t i = 0; i < n_layers; ++i)
        w.layers.push_back({linear(3 * d, d), linear(d, d), linear(hidden, d), linear(d, hidden), {}, {}});
    return {ctx, embeddings, w};
}

/// Sequences of these lengths.
struct Batch {
    std::vector<std::int64_t> ids, types, offsets{0};

    explicit Batch(const std::vector<std::size_t>& lengths) {
        for (const std::size_t length : lengths) offsets.push_back(offsets.back() + static_cast<std::int64_t>(length));
        const auto n = static_cast<std::size_t>(offsets.back());
        for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int64_t>(i * 7919 % n_words));
        types.assign(n, 0);
    }
};

double flop(const std::vector<std::size_t>& lengths) {
    double total = 0;
    for (const std::size_t length : lengths) {
        const auto n = static_cast<double>(length);
        total += n * n_layers * (2.0 * (4 * d * d + 2 * d * hidden) + 4.0 * d * n);
    }
    return total;
}

void measure(const char* name, const BertEncoder& encoder, int n_threads, double peak,
             const std::vector<std::size_t>& lengths, int repeats) {
    const StandaloneRun run(n_threads);
    const Batch batch(lengths);
    Buffer<float> y(lengths.size() * d);
    const TokenSequences tokens{batch.ids.data(), batch.types.data(), batch.offsets};
    const double seconds = bench::median_seconds(
        [&] { encoder.pool(run.context, tokens, SequencePooling::mean, true, y.data()); }, repeats);
    char label[80];
    std::snprintf(label, sizeof label, "%s: %6.0f tokens a second", name,
                  static_cast<double>(batch.ids.size()) / seconds);
    bench::print_result(label, seconds, flop(lengths), "FLOP", peak);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    const double peak = peaks.fma_gflop * 1e9;
    const StandaloneRun run(n_threads);
    const BertEncoder encoder = make_encoder(run.context);
    char name[64];
    for (const std::size_t length : {8, 16, 32, 64, 128, 256, 512}) {
        std::snprintf(name, sizeof name, "%4zu sequences of %3zu", 2048 / length, length);
        measure(name, encoder, n_threads, peak, std::vector<std::size_t>(2048 / length, length), 5);
    }
    for (const std::size_t batch : {1, 2, 4, 8, 16, 32, 256}) {
        std::snprintf(name, sizeof name, "%4zu sequences of  20", batch);
        measure(name, encoder, n_threads, peak, std::vector<std::size_t>(batch, 20), batch > 32 ? 3 : 15);
    }
    measure("   1 sequence  of  10", encoder, n_threads, peak, {10}, 25);
    measure("   1 sequence  of 512", encoder, n_threads, peak, {512}, 5);
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < 60; ++i) lengths.push_back(i % 10 < 7 ? 8 + i * 13 % 40 : 100 + i * 37 % 157);
    measure("  60 ragged sequences", encoder, n_threads, peak, lengths, 5);
    return 0;
}
