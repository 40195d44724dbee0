// Batch norm against sums in double, with values far from zero, the same bits for any number of threads.
#include "check.hpp"

#include "core/context.hpp"
#include "nn/batch_norm.hpp"
#include "nn/twin.hpp"

#include <cmath>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

/// mean, variance, y, dx, dw, db, one after the other.
std::vector<float> all_results(const BatchShape& s, const std::vector<float>& x, const std::vector<float>& dy,
                               const std::vector<float>& w, int n_threads) {
    const StandaloneRun run(n_threads);
    std::vector<float> out(4 * s.channels + 2 * s.size(), NAN), inverse(s.channels);
    float* mean = out.data();
    float* variance = mean + s.channels;
    float* y = variance + s.channels;
    float* dx = y + s.size();
    float* dw = dx + s.size();
    batch_statistics(run.context, s, x.data(), mean, variance);
    for (std::size_t c = 0; c < s.channels; ++c) inverse[c] = 1 / std::sqrt(variance[c] + 1e-5f);
    batch_normalize(run.context, s, x.data(), mean, inverse.data(), w.data(), w.data(), y);
    batch_norm_backward(run.context, s, dy.data(), x.data(), mean, inverse.data(), w.data(), true, dx, dw,
                        dw + s.channels);
    return out;
}

void check_shape(const BatchShape& s, float shift) {
    const auto x = twin::normal(s.size(), 1, 1, shift), dy = twin::normal(s.size(), 2), w = twin::normal(s.channels, 3);
    const auto got = all_results(s, x, dy, w, 2);
    const auto m = static_cast<double>(s.values());
    const double tolerance = shift == 0 ? 2e-5 : 2e-4; // x - mean has lost as many bits
    for (std::size_t c = 0; c < s.channels; ++c) {
        const auto each = [&](auto&& f) {
            for (std::size_t i = 0; i < s.n; ++i)
                for (std::size_t l = 0; l < s.length; ++l) f((i * s.channels + c) * s.length + l);
        };
        double mean = 0, variance = 0, db = 0, dw = 0;
        each([&](std::size_t i) { mean += x[i] / m; });
        each([&](std::size_t i) { variance += (x[i] - mean) * (x[i] - mean) / m; });
        const double inverse = 1 / std::sqrt(variance + 1e-5);
        each([&](std::size_t i) {
            db += dy[i];
            dw += dy[i] * (x[i] - mean) * inverse;
        });
        CHECK_CLOSE(got[c], mean, 1e-6 * (1 + shift));
        CHECK_CLOSE(got[s.channels + c], variance, tolerance * (1 + variance));
        const float* y = got.data() + 2 * s.channels;
        const float* dx = y + s.size();
        each([&](std::size_t i) {
            const double normal = (x[i] - mean) * inverse;
            CHECK_CLOSE(y[i], w[c] * normal + w[c], 10 * tolerance);
            CHECK_CLOSE(dx[i], w[c] * inverse * (dy[i] - db / m - normal * dw / m), 10 * tolerance);
        });
        CHECK_CLOSE(dx[s.size() + c], dw, tolerance * m);
        CHECK_CLOSE(dx[s.size() + s.channels + c], db, tolerance * m);
    }
}

} // namespace

TEST(rows_and_images) {
    for (const float shift : {0.0f, 100.0f}) {
        check_shape({300, 5, 1}, shift);
        check_shape({128, 33, 1}, shift);
        for (const std::size_t length : {2u, 15u, 16u, 33u, 129u}) check_shape({5, 3, length}, shift);
        check_shape({2, 2, 5000}, shift);
    }
}

TEST(same_bits_for_any_number_of_threads) {
    for (const BatchShape s : {BatchShape{1000, 40, 1}, BatchShape{40, 8, 300}}) {
        const auto x = twin::normal(s.size(), 1, 1, 3), dy = twin::normal(s.size(), 2), w = twin::normal(s.channels, 3);
        const auto first = all_results(s, x, dy, w, 1);
        for (const int n_threads : {2, 3, 7}) CHECK(all_results(s, x, dy, w, n_threads) == first);
    }
}
