// The encoder without a tape beside its formulas in plain loops and float64; bits of sequences in any batch.
#include "check.hpp"
#include "core/context.hpp"
#include "nn/encoder_twin.hpp"
#include "nn/inference/transformer_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;
using namespace encoder_twin;

namespace {

const std::vector<std::int64_t> offsets{0, 5, 5, 6, 90, 230, 237};
constexpr std::size_t n_rows = 237;

} // namespace

TEST(values) {
    const auto x = random_values(n_rows * d, 77);
    StandaloneRun run(2);
    for (const bool norm_first : {false, true})
        for (const bool rotary : {false, true}) {
            const Network network(norm_first, rotary);
            const TransformerEncoder encoder(run.context, network.weights());
            std::vector<float> y(n_rows * d);
            encoder.apply(run.context, x.data(), offsets, y.data());
            for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
                const auto first = static_cast<std::size_t>(offsets[b]), end = static_cast<std::size_t>(offsets[b + 1]);
                Rows rows;
                for (std::size_t i = first; i < end; ++i)
                    rows.emplace_back(x.begin() + static_cast<std::ptrdiff_t>(i * d),
                                      x.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
                const Rows expected = twin(network, rows);
                for (std::size_t i = first; i < end; ++i)
                    for (std::size_t j = 0; j < d; ++j)
                        CHECK_CLOSE(static_cast<double>(y[i * d + j]), expected[i - first][j], 1e-5);
            }
        }
}

TEST(a_sequence_has_the_same_bits_in_any_batch) {
    const auto x = random_values(n_rows * d, 77);
    for (const bool quantize : {false, true}) {
        EncoderWeights weights;
        const Network network(true, true);
        weights = network.weights();
        for (EncoderLayerWeights& layer : weights.layers)
            layer.precisions.fill(quantize ? Precision::int8 : Precision::float32);
        StandaloneRun serial(1), parallel(3);
        const TransformerEncoder encoder(serial.context, weights);
        std::vector<float> together(n_rows * d), threads(n_rows * d), alone(n_rows * d);
        encoder.apply(serial.context, x.data(), offsets, together.data());
        encoder.apply(parallel.context, x.data(), offsets, threads.data());
        CHECK(together == threads);
        for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
            const std::vector<std::int64_t> one{0, offsets[b + 1] - offsets[b]};
            const std::size_t at = static_cast<std::size_t>(offsets[b]) * d;
            encoder.apply(parallel.context, x.data() + at, one, alone.data() + at);
        }
        CHECK(together == alone);
    }
}

TEST(first_rows_alone_have_the_same_bits) {
    // Sequences that fill several parts, one part, and a part with its neighbours; queries of more than one panel.
    for (const std::vector<std::int64_t>& bounds :
         {std::vector<std::int64_t>{0, 1}, {0, 1, 2, 3}, {0, 700}, {0, 5, 6, 90, 230, 237, 700, 900}}) {
        const std::size_t n = bounds.size() - 1, rows = static_cast<std::size_t>(bounds.back());
        const auto x = random_values(rows * d, 78);
        const auto make = [&](std::size_t first, std::size_t last, float* to) {
            std::copy(x.data() + static_cast<std::size_t>(bounds[first]) * d,
                      x.data() + static_cast<std::size_t>(bounds[last]) * d, to);
        };
        for (const bool norm_first : {false, true})
            for (const Precision precision : {Precision::float32, Precision::bfloat16, Precision::int8}) {
                const Network network(norm_first, norm_first);
                EncoderWeights weights = network.weights();
                for (EncoderLayerWeights& layer : weights.layers) layer.precisions.fill(precision);
                for (const bool has_layers : {true, false}) {
                    if (!has_layers) weights.layers.clear();
                    for (const int threads : {1, 3}) {
                        StandaloneRun run(threads);
                        const TransformerEncoder encoder(run.context, weights);
                        std::vector<float> all(rows * d), first(n * d), expected;
                        encoder.apply(run.context, x.data(), bounds, all.data());
                        const auto take = [&](std::size_t begin, std::size_t end, const float* from) {
                            std::copy(from, from + (end - begin) * d, first.data() + begin * d);
                        };
                        encoder.apply(run.context, bounds, make, nullptr, take, true);
                        for (std::size_t b = 0; b < n; ++b) {
                            const float* row = all.data() + static_cast<std::size_t>(bounds[b]) * d;
                            expected.insert(expected.end(), row, row + d);
                        }
                        CHECK(first == expected);
                    }
                }
            }
    }
}

TEST(many_short_and_empty_sequences) {
    const Network network(false, false);
    StandaloneRun serial(1), parallel(3);
    const TransformerEncoder encoder(serial.context, network.weights());
    std::vector<std::vector<std::int64_t>> all_bounds{
        {0}, {0, 0}, {0, 0, 0, 400, 400, 400}, {0, 400, 400}, {0, 0, 1, 1, 2, 2}, {0}};
    for (std::int64_t b = 1; b <= 20000; ++b) all_bounds.back().push_back(b);
    for (const auto& bounds : all_bounds) {
        const std::size_t rows = static_cast<std::size_t>(bounds.back());
        const auto x = random_values(rows * d, 79);
        std::vector<float> one(rows * d), many(rows * d);
        encoder.apply(serial.context, x.data(), bounds, one.data());
        encoder.apply(parallel.context, x.data(), bounds, many.data());
        CHECK(one == many);
        if (bounds.size() < 20000) continue;
        for (const std::size_t b : {0, 319, 320, 19999}) {
            const std::vector<std::int64_t> alone{0, 1};
            std::vector<float> y(d);
            encoder.apply(serial.context, x.data() + b * d, alone, y.data());
            CHECK(std::equal(y.begin(), y.end(), one.begin() + static_cast<std::ptrdiff_t>(b * d)));
        }
    }
}

TEST(odd_shapes) {
    struct Shape {
        std::size_t d, n_heads, hidden;
    };
    const std::vector<std::int64_t> bounds{0, 1, 18, 51};
    constexpr std::size_t rows = 51;
    for (const Shape& shape : {Shape{1, 1, 1}, {3, 3, 2}, {15, 3, 1}, {17, 1, 70}, {40, 8, 33}}) {
        const std::size_t width = shape.d, f = shape.hidden;
        const auto x = random_values(rows * width, 80), in = random_values(3 * width * width, 81),
                   out = random_values(width * width, 82), w1 = random_values(f * width, 83),
                   w2 = random_values(width * f, 84);
        EncoderWeights weights;
        weights.d = width;
        weights.n_heads = shape.n_heads;
        weights.layers.push_back({{row_major(in.data(), 3 * width, width), nullptr},
                                  {row_major(out.data(), width, width), nullptr},
                                  {row_major(w1.data(), f, width), nullptr},
                                  {row_major(w2.data(), width, f), nullptr},
                                  {},
                                  {}});
        weights.norm_first = true; // the sums stay: a norm at the end of one feature would leave 0
        const auto apply = [&](const std::vector<std::int64_t>& offsets_, std::size_t first, int threads) {
            StandaloneRun run(threads);
            std::vector<float> y(static_cast<std::size_t>(offsets_.back()) * width);
            TransformerEncoder(run.context, weights).apply(run.context, x.data() + first * width, offsets_, y.data());
            return y;
        };
        for (const Precision precision : {Precision::float32, Precision::bfloat16, Precision::int8}) {
            weights.layers[0].precisions.fill(precision);
            const auto together = apply(bounds, 0, 1);
            CHECK(together == apply(bounds, 0, 3));
            std::vector<float> alone;
            for (std::size_t b = 0; b + 1 < bounds.size(); ++b) {
                const auto y = apply({0, bounds[b + 1] - bounds[b]}, static_cast<std::size_t>(bounds[b]), 2);
                alone.insert(alone.end(), y.begin(), y.end());
            }
            CHECK(together == alone);
            CHECK(std::all_of(together.begin(), together.end(), [](float v) { return std::isfinite(v); }));
        }
    }
}
