// A linear layer for predictions beside three plain loops in float64.
#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "nn/inference/projection.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;
using linalg::Activation;

namespace {

std::vector<float> random_values(std::size_t n, std::uint64_t stream) {
    const Philox random(11, stream);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.uniform(i) - 0.5);
    return values;
}

struct Layer {
    std::size_t n_in, n_out;
    std::vector<float> weight, bias;

    Layer(std::size_t in, std::size_t out)
        : n_in(in), n_out(out), weight(random_values(in * out, 1)), bias(random_values(out, 2)) {}
    double operator()(const float* x, std::size_t j) const {
        double sum = static_cast<double>(bias[j]);
        for (std::size_t k = 0; k < n_in; ++k)
            sum += static_cast<double>(x[k]) * static_cast<double>(weight[j * n_in + k]);
        return sum;
    }
    Projection packed(const RunContext& ctx) const { return {ctx, row_major(weight.data(), n_out, n_in), bias.data()}; }
};

} // namespace

TEST(values) {
    StandaloneRun run(2);
    for (const std::size_t m : {1, 2, 5, 17, 40})
        for (const auto& [in, out] : {std::pair{1, 1}, {7, 33}, {384, 70}, {400, 96}, {50, 300}}) {
            const Layer layer(static_cast<std::size_t>(in), static_cast<std::size_t>(out));
            const auto x = random_values(m * layer.n_in, 3), residual = random_values(m * layer.n_out, 4);
            std::vector<float> plain(m * layer.n_out), full(m * layer.n_out), in_place = residual;
            const Projection projection = layer.packed(run.context);
            CHECK_EQUAL(projection.n_in(), layer.n_in);
            CHECK_EQUAL(projection.n_out(), layer.n_out);
            const auto rows = row_major(x.data(), m, layer.n_in);
            projection.apply(run.context, rows, row_major(plain.data(), m, layer.n_out));
            projection.apply(run.context, rows, row_major(full.data(), m, layer.n_out), Activation::relu,
                             row_major(residual.data(), m, layer.n_out));
            const auto y = row_major(in_place.data(), m, layer.n_out);
            projection.apply(run.context, rows, y, Activation::identity, y);
            for (std::size_t i = 0; i < m; ++i)
                for (std::size_t j = 0; j < layer.n_out; ++j) {
                    const std::size_t at = i * layer.n_out + j;
                    const double z = layer(x.data() + i * layer.n_in, j), r = static_cast<double>(residual[at]);
                    CHECK_CLOSE(static_cast<double>(plain[at]), z, 2e-5);
                    CHECK_CLOSE(static_cast<double>(full[at]), std::max(z + r, 0.0), 2e-5);
                    CHECK_CLOSE(static_cast<double>(in_place[at]), z + r, 2e-5);
                }
        }
}

TEST(without_bias_and_without_rows) {
    StandaloneRun run(1);
    const Layer layer(20, 9);
    const Projection projection(run.context, row_major(layer.weight.data(), 9, 20));
    const auto x = random_values(20, 3);
    std::vector<float> y(9);
    projection.apply(run.context, row_major(x.data(), 1, 20), row_major(y.data(), 1, 9));
    for (std::size_t j = 0; j < 9; ++j)
        CHECK_CLOSE(static_cast<double>(y[j]), layer(x.data(), j) - static_cast<double>(layer.bias[j]), 1e-5);
    projection.apply(run.context, MatrixView<const float>{nullptr, 0, 20, 20, 1},
                     MatrixView<float>{nullptr, 0, 9, 9, 1}); // touches nothing
}

TEST(bits_do_not_depend_on_threads_or_other_rows) {
    StandaloneRun serial(1), parallel(3);
    const Layer layer(500, 300);
    const std::size_t m = 70;
    const auto x = random_values(m * 500, 3);
    std::vector<float> all(m * 300), many(m * 300), some(m * 300);
    const Projection projection = layer.packed(serial.context);
    projection.apply(serial.context, row_major(x.data(), m, 500), row_major(all.data(), m, 300));
    projection.apply(parallel.context, row_major(x.data(), m, 500), row_major(many.data(), m, 300));
    CHECK(all == many);
    for (const std::size_t rows : {1, 2, 3, 8, 9, 15})
        for (const std::size_t first : {0, 31}) {
            projection.apply(parallel.context, row_major(x.data() + first * 500, rows, 500),
                             row_major(some.data(), rows, 300));
            CHECK(std::equal(some.data(), some.data() + rows * 300, all.data() + first * 300));
        }
}

TEST(quantized) {
    StandaloneRun run(2);
    const Layer layer(384, 70);
    const Projection projection(run.context, row_major(layer.weight.data(), 70, 384), layer.bias.data(),
                                Precision::int8);
    CHECK(projection.precision() == Precision::int8);
    CHECK(layer.packed(run.context).precision() == Precision::float32);
    CHECK_EQUAL(projection.n_in(), std::size_t{384});
    CHECK_EQUAL(projection.n_out(), std::size_t{70});
    for (const std::size_t m : {1, 5, 40}) {
        const auto x = random_values(m * 384, 3), residual = random_values(m * 70, 4);
        std::vector<float> y(m * 70), in_place = residual;
        const auto rows = row_major(x.data(), m, 384);
        projection.apply(run.context, rows, row_major(y.data(), m, 70), Activation::relu,
                         row_major(residual.data(), m, 70));
        const auto out = row_major(in_place.data(), m, 70);
        projection.apply(run.context, rows, out, Activation::relu, out);
        CHECK(y == in_place);
        // Rotated factors have a standard deviation of 0.29 and largest entries of some 0.9, and each is rounded by up
        // to half of 1/127 of that: the error of a sum of 384 products has a standard deviation of some 0.016.
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < 70; ++j) {
                const double z = layer(x.data() + i * 384, j) + static_cast<double>(residual[i * 70 + j]);
                CHECK_CLOSE(static_cast<double>(y[i * 70 + j]), std::max(z, 0.0), 0.09);
            }
    }
}

TEST(bfloat16) {
    StandaloneRun run(2);
    const Layer layer(385, 70);
    const Projection projection(run.context, row_major(layer.weight.data(), 70, 385), layer.bias.data(),
                                Precision::bfloat16);
    CHECK(projection.precision() == Precision::bfloat16);
    CHECK_EQUAL(projection.n_in(), std::size_t{385});
    CHECK_EQUAL(projection.n_out(), std::size_t{70});
    for (const std::size_t m : {1, 5, 40}) {
        const auto x = random_values(m * 385, 3), residual = random_values(m * 70, 4);
        std::vector<float> y(m * 70), in_place = residual;
        const auto rows = row_major(x.data(), m, 385);
        projection.apply(run.context, rows, row_major(y.data(), m, 70), Activation::relu,
                         row_major(residual.data(), m, 70));
        const auto out = row_major(in_place.data(), m, 70);
        projection.apply(run.context, rows, out, Activation::relu, out);
        CHECK(y == in_place);
        // Factors of up to 0.5 are rounded by up to 2^-10: the error of a sum of 385 products has a standard deviation
        // of some 0.005.
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < 70; ++j) {
                const double z = layer(x.data() + i * 385, j) + static_cast<double>(residual[i * 70 + j]);
                CHECK_CLOSE(static_cast<double>(y[i * 70 + j]), std::max(z, 0.0), 0.03);
            }
    }
}
