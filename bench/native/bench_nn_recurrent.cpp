// Recurrent layers: floating-point operations of their products beside what the machine's multiply-adds do at best.
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/recurrent/recurrent.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace mlcore;
using namespace mlcore::nn;

struct Case {
    const char* name;
    const char* cell;
    std::size_t B, T, I, H;
    std::int64_t shortest; // lengths from here to T
};

Buffer<float> draw(std::size_t n, std::uint64_t stream, float scale) {
    const Philox random(1, stream);
    Buffer<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = scale * static_cast<float>(random.uniform(i) - 0.5);
    return values;
}

void measure(const RunContext& ctx, const Case& c, double peak) {
    std::vector<std::int64_t> lengths(c.B);
    const Philox random(2, 0);
    const auto longest = static_cast<std::int64_t>(c.T);
    for (std::size_t b = 0; b < c.B; ++b)
        lengths[b] = c.shortest +
                     static_cast<std::int64_t>(random.below(b, static_cast<std::uint64_t>(longest - c.shortest + 1)));
    lengths[0] = longest;
    const SequenceLayout layout(c.B, c.T, lengths);
    const RecurrentCell cell = parse_recurrent_cell(c.cell);
    const RecurrentSizes sizes = recurrent_sizes(cell);
    const std::size_t N = layout.n_rows(), P = sizes.weight_blocks, H = c.H, S = c.B * H;
    const float bound = 2 / std::sqrt(static_cast<float>(H));
    const auto x = draw(N * c.I, 1, 1), W_ih = draw(P * H * c.I, 2, bound), W_hh = draw(P * H * H, 3, bound),
               b = draw(P * H, 4, bound);
    Buffer<float> y(N * H), h_n(S), c_n(S), gates(N * sizes.kept_columns * H), cells(N * H);
    Buffer<float> dx(N * c.I), dW_ih(P * H * c.I), dW_hh(P * H * H), db_ih(P * H), db_hh(P * H);
    const RecurrentWeights weights[] = {{W_ih.data(), W_hh.data(), b.data(), b.data()}};
    const RecurrentWeightGradients dweights[] = {{dW_ih.data(), dW_hh.data(), db_ih.data(), db_hh.data()}};

    const RecurrentInputs inputs{cell, layout, c.I, H, weights, x.data(), nullptr, nullptr};
    const auto forward = [&] {
        recurrent_forward(ctx, {inputs, y.data(), h_n.data(), c_n.data(), sizes.kept_columns ? gates.data() : nullptr,
                                sizes.has_cell ? cells.data() : nullptr});
    };
    const auto backward = [&](float* dx_or_none) {
        recurrent_backward(ctx, {inputs, y.data(), gates.data(), cells.data(), y.data(), nullptr, nullptr, dx_or_none,
                                 nullptr, nullptr, dweights});
    };
    const double one = 2.0 * static_cast<double>(N * P * H), by_x = one * static_cast<double>(c.I),
                 by_h = one * static_cast<double>(H);
    const std::string name = c.name;
    bench::print_result((name + ", forward").c_str(), bench::median_seconds(forward, 5), by_x + by_h, "FLOP", peak);
    bench::print_result((name + ", backward").c_str(), bench::median_seconds([&] { backward(nullptr); }, 5),
                        by_x + 2 * by_h, "FLOP", peak);
    bench::print_result((name + ", backward with dx").c_str(), bench::median_seconds([&] { backward(dx.data()); }, 5),
                        2 * by_x + 2 * by_h, "FLOP", peak);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const double peak = bench::print_machine(n_threads).fma_gflop * 1e9;
    const StandaloneRun run(n_threads);
    for (const Case& c : {Case{"LSTM 32 x 64 steps, 256 -> 512", "lstm", 32, 64, 256, 512, 64},
                          Case{"the same, 8 .. 64 steps", "lstm", 32, 64, 256, 512, 8},
                          Case{"GRU 32 x 64 steps, 256 -> 512", "gru", 32, 64, 256, 512, 64},
                          Case{"RNN 32 x 64 steps, 256 -> 512", "rnn_tanh", 32, 64, 256, 512, 64},
                          Case{"LSTM 16 x 100 steps, 32 -> 64", "lstm", 16, 100, 32, 64, 100},
                          Case{"LSTM 1 x 200 steps, 200 -> 200", "lstm", 1, 200, 200, 200, 200}})
        measure(run.context, c, peak);
}
