// Softmax, cross-entropy, losses, layer norm, dropout and embedding beside loops in double, on sizes around the borders
// of vectors and blocks, from addresses that are not aligned.
#include "check.hpp"

#include "core/error.hpp"
#include "core/random.hpp"
#include "nn/cross_entropy.hpp"
#include "nn/dropout.hpp"
#include "nn/elementwise.hpp"
#include "nn/embedding.hpp"
#include "nn/layer_norm.hpp"
#include "nn/losses.hpp"
#include "nn/philox_vectors.hpp"
#include "nn/softmax.hpp"

#include <algorithm>
#include <limits>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr std::size_t sizes[] = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 4095, 4097};
constexpr float inf = std::numeric_limits<float>::infinity();

/// n entries one past an aligned address.
struct Array {
    explicit Array(std::size_t n, std::uint64_t stream = 0, float scale = 4) : values(n + 1) {
        const Philox random(7, stream);
        for (std::size_t i = 0; i <= n; ++i) values[i] = scale * static_cast<float>(2 * random.uniform(i) - 1);
    }
    float* data() { return values.data() + 1; }
    float& operator[](std::size_t i) { return values[i + 1]; }
    std::vector<float> values;
};

std::vector<double> softmax_of(const float* x, std::size_t n) {
    const double most = static_cast<double>(*std::max_element(x, x + n));
    std::vector<double> p(n);
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += p[j] = std::exp(static_cast<double>(x[j]) - most);
    for (double& v : p) v /= sum;
    return p;
}

} // namespace

TEST(softmax_of_huge_logits_is_exact) {
    StandaloneRun run(2);
    const float first[] = {10000, 5000, 2000}, second[] = {-10000, -1000, -34343};
    float y[3];
    softmax(run.context, first, 1, 3, y);
    CHECK(y[0] == 1 && y[1] == 0 && y[2] == 0);
    softmax(run.context, second, 1, 3, y);
    CHECK(y[0] == 0 && y[1] == 1 && y[2] == 0);
    const float none[] = {-inf, -inf}, broken[] = {-inf, std::numeric_limits<float>::quiet_NaN()};
    softmax(run.context, none, 1, 2, y);
    CHECK(y[0] == 0 && y[1] == 0);
    softmax(run.context, broken, 1, 2, y);
    CHECK(std::isnan(y[0]));
}

TEST(softmax_family_follows_its_twin) {
    StandaloneRun run(2);
    for (const std::size_t n : sizes) {
        const std::size_t m = 3;
        Array x(m * n), dy(m * n, 1), y(m * n), log_y(m * n), dx(m * n), log_dx(m * n), lse(m), lse_dx(m * n);
        softmax(run.context, x.data(), m, n, y.data());
        log_softmax(run.context, x.data(), m, n, log_y.data());
        logsumexp(run.context, x.data(), m, n, lse.data());
        softmax_backward(run.context, y.data(), dy.data(), m, n, dx.data());
        log_softmax_backward(run.context, log_y.data(), dy.data(), m, n, log_dx.data());
        logsumexp_backward(run.context, x.data(), dy.data(), m, n, lse_dx.data());
        for (std::size_t i = 0; i < m; ++i) {
            const std::vector<double> p = softmax_of(x.data() + i * n, n);
            double sum = 0, weighted = 0;
            for (std::size_t j = 0; j < n; ++j) {
                const auto d = static_cast<double>(dy[i * n + j]);
                sum += d;
                weighted += d * p[j];
            }
            for (std::size_t j = 0; j < n; ++j) {
                const std::size_t at = i * n + j;
                const auto d = static_cast<double>(dy[at]);
                CHECK_CLOSE(y[at], p[j], 1e-6);
                CHECK_CLOSE(log_y[at], std::log(p[j]), 3e-6);
                CHECK_CLOSE(dx[at], p[j] * (d - weighted), 2e-6);
                CHECK_CLOSE(log_dx[at], d - p[j] * sum, 1e-5);
                CHECK_CLOSE(lse_dx[at], p[j] * static_cast<double>(dy[i]), 4e-6);
            }
        }
    }
}

TEST(cross_entropy_follows_its_twin) {
    StandaloneRun run(2);
    for (const std::size_t n : sizes)
        for (const float smoothing : {0.0f, 0.2f})
            for (const bool weighted : {false, true})
                for (const float gamma : {0.0f, 1.5f}) {
                    if (gamma > 0 && smoothing > 0) continue;
                    const std::size_t m = 4;
                    Array x(m * n), w(n, 1, 0.5f), loss(m), gradient(m * n);
                    for (std::size_t j = 0; j < n; ++j) w[j] += 1;
                    const std::int64_t target[m] = {0, static_cast<std::int64_t>(n - 1), -1,
                                                    static_cast<std::int64_t>(n / 2)};
                    CrossEntropy problem;
                    problem.x = x.data();
                    problem.m = m;
                    problem.n = n;
                    problem.target = target;
                    problem.class_weight = weighted ? w.data() : nullptr;
                    problem.ignore_index = -1;
                    problem.label_smoothing = smoothing;
                    problem.gamma = gamma;
                    check_targets(problem);
                    const double total =
                        cross_entropy(run.context, problem, 0.5f, nullptr, loss.data(), gradient.data());
                    double sum = 0;
                    for (std::size_t i = 0; i < m; ++i) {
                        const std::vector<double> p = softmax_of(x.data() + i * n, n);
                        const bool counts = target[i] >= 0;
                        const auto t = static_cast<std::size_t>(counts ? target[i] : 0);
                        const auto a = static_cast<double>(smoothing), g = static_cast<double>(gamma);
                        const auto qw = [&](std::size_t j) {
                            const double q = (j == t ? 1 - a : 0) + a / static_cast<double>(n);
                            return counts ? q * (weighted ? static_cast<double>(w[j]) : 1) : 0;
                        };
                        double expected = 0, mass = 0;
                        for (std::size_t j = 0; j < n; ++j) {
                            expected -= qw(j) * std::log(p[j]);
                            mass += qw(j);
                        }
                        double slope = 1;
                        if (gamma > 0) {
                            const double rest = std::max(1 - p[t], 1e-300);
                            slope = std::pow(rest, g) - g * p[t] * std::pow(rest, g - 1) * std::log(p[t]);
                            expected *= std::pow(rest, g);
                        }
                        sum += expected;
                        CHECK_CLOSE(loss[i], expected, 1e-5 * (1 + expected));
                        for (std::size_t j = 0; j < n; ++j)
                            CHECK_CLOSE(gradient[i * n + j], 0.5 * slope * (p[j] * mass - qw(j)), 2e-6);
                    }
                    CHECK_CLOSE(total, sum, 1e-5 * (1 + sum));
                }
}

TEST(distributions_as_targets) {
    StandaloneRun run(2);
    for (const std::size_t n : sizes) {
        Array x(n), q(n, 1), gradient(n);
        for (std::size_t j = 0; j < n; ++j) q[j] = std::abs(q[j]) / static_cast<float>(n);
        CrossEntropy problem;
        problem.x = x.data();
        problem.m = 1;
        problem.n = n;
        problem.distribution = q.data();
        const double loss = cross_entropy(run.context, problem, 1, nullptr, nullptr, gradient.data());
        const std::vector<double> p = softmax_of(x.data(), n);
        double expected = 0, mass = 0;
        for (std::size_t j = 0; j < n; ++j) {
            expected -= static_cast<double>(q[j]) * std::log(p[j]);
            mass += static_cast<double>(q[j]);
        }
        CHECK_CLOSE(loss, expected, 1e-5 * expected + 1e-6);
        for (std::size_t j = 0; j < n; ++j) CHECK_CLOSE(gradient[j], p[j] * mass - static_cast<double>(q[j]), 2e-6);
    }
}

TEST(targets_out_of_range_are_refused) {
    const float x[] = {1, 2, 3};
    CrossEntropy problem;
    problem.x = x;
    problem.m = 1;
    problem.n = 3;
    for (const std::int64_t target : {-1, 3, -100}) {
        problem.target = &target;
        if (target == problem.ignore_index)
            check_targets(problem);
        else
            CHECK_THROWS(ValueError, check_targets(problem));
    }
    const std::int64_t id = 5;
    CHECK_THROWS(ValueError, check_ids(&id, 1, 5));
}

TEST(slopes_of_losses_are_their_differences) {
    StandaloneRun run(2);
    for (const Loss kind : {Loss::squared, Loss::absolute, Loss::smooth_absolute, Loss::huber, Loss::logistic,
                            Loss::focal, Loss::divergence, Loss::log_divergence})
        for (const std::size_t n : {1, 16, 37, 5000}) {
            constexpr float step = 1e-2f;
            Array x(n), t(n, 1, 1), slope(n), loss(n), up(n), down(n);
            for (std::size_t i = 0; i < n; ++i) t[i] = std::abs(t[i]);
            PointwiseLoss problem{.kind = kind, .n = n, .x = x.data(), .target = t.data(), .beta = 0.5f, .alpha = 0.3f};
            const double sum = pointwise_loss(run.context, problem, 1, nullptr, loss.data(), slope.data());
            double total = 0;
            for (std::size_t i = 0; i < n; ++i) total += static_cast<double>(loss[i]);
            CHECK_CLOSE(sum, total, 1e-5 * (1 + std::abs(total)));
            for (std::size_t i = 0; i < n; ++i) x[i] += step;
            pointwise_loss(run.context, problem, 1, nullptr, up.data(), nullptr);
            for (std::size_t i = 0; i < n; ++i) x[i] -= 2 * step;
            pointwise_loss(run.context, problem, 1, nullptr, down.data(), nullptr);
            for (std::size_t i = 0; i < n; ++i) // the absolute value has a corner
                if (kind != Loss::absolute || std::abs(x[i] - t[i]) > 0.1f)
                    CHECK_CLOSE(slope[i], (up[i] - down[i]) / (2 * step), 1e-2);
        }
}

TEST(layer_norm_follows_its_twin) {
    StandaloneRun run(2);
    for (const std::size_t n : sizes)
        for (const bool centered : {true, false}) {
            const std::size_t m = 9;
            Array x(m * n), dy(m * n, 1), w(n, 2), b(n, 3), y(m * n), mean(m), rstd(m), dx(m * n), dw(n), db(n);
            layer_norm(run.context, x.data(), m, n, 0.1f, w.data(), b.data(), y.data(),
                       centered ? mean.data() : nullptr, rstd.data());
            layer_norm_backward(run.context, x.data(), dy.data(), centered ? mean.data() : nullptr, rstd.data(),
                                w.data(), m, n, dx.data(), dw.data(), db.data());
            std::vector<double> dw_twin(n), db_twin(n), h(n), g(n);
            const auto scale = 1 / static_cast<double>(n);
            for (std::size_t i = 0; i < m; ++i) {
                double center = 0, squares = 0, mean_g = 0, mean_gh = 0;
                for (std::size_t j = 0; j < n; ++j) center += static_cast<double>(x[i * n + j]) * scale;
                if (!centered) center = 0;
                for (std::size_t j = 0; j < n; ++j)
                    squares += std::pow(static_cast<double>(x[i * n + j]) - center, 2) * scale;
                const double inverse = 1 / std::sqrt(squares + 0.1);
                for (std::size_t j = 0; j < n; ++j) {
                    const auto d = static_cast<double>(dy[i * n + j]);
                    h[j] = (static_cast<double>(x[i * n + j]) - center) * inverse;
                    g[j] = d * static_cast<double>(w[j]);
                    if (centered) mean_g += g[j] * scale;
                    mean_gh += g[j] * h[j] * scale;
                    dw_twin[j] += d * h[j];
                    db_twin[j] += d;
                    CHECK_CLOSE(y[i * n + j], h[j] * static_cast<double>(w[j]) + static_cast<double>(b[j]), 1e-5);
                }
                for (std::size_t j = 0; j < n; ++j)
                    CHECK_CLOSE(dx[i * n + j], inverse * (g[j] - mean_g - h[j] * mean_gh), 1e-4);
            }
            for (std::size_t j = 0; j < n; ++j) {
                CHECK_CLOSE(dw[j], dw_twin[j], 1e-4);
                CHECK_CLOSE(db[j], db_twin[j], 1e-4);
            }
            Array only(n);
            layer_norm_backward(run.context, x.data(), dy.data(), centered ? mean.data() : nullptr, rstd.data(),
                                nullptr, m, n, nullptr, nullptr, only.data());
            for (std::size_t j = 0; j < n; ++j) CHECK_CLOSE(only[j], db_twin[j], 1e-4);
        }
}

TEST(random_words_are_philox) {
    const std::uint64_t seed = 0x123456789abcdef, stream = 0xfedcba9876543210;
    for (const std::uint64_t group : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 30}) {
        const GroupWords words = group_words(seed, stream, group);
        for (std::size_t i = 0; i < random_group; ++i) {
            const Philox::Block block = Philox(seed, stream).block(8 * group + i % 16 / 2);
            CHECK_EQUAL(words[i / simd::lanes][i % simd::lanes], block[2 * (i / 16) + i % 2]);
        }
    }
}

TEST(dropout_keeps_its_share) {
    StandaloneRun run(2);
    for (const std::size_t n : sizes) {
        Array x(n), r(n, 1), y(n), plain(n), again(n);
        dropout(run.context, x.data(), nullptr, n, 0.25, 9, plain.data());
        std::vector<std::uint32_t> mask(mask_words(n));
        dropout(run.context, x.data(), r.data(), n, 0.25, 9, y.data(), mask.data());
        dropout_backward(run.context, x.data(), mask.data(), n, 0.25, again.data());
        std::size_t dropped = 0;
        for (std::size_t i = 0; i < n; ++i) {
            dropped += plain[i] == 0;
            CHECK(plain[i] == 0 || std::abs(plain[i] - x[i] / 0.75f) < 1e-5f);
            CHECK_EQUAL(y[i], plain[i] + r[i]);
            CHECK_EQUAL(again[i], plain[i]);
        }
        if (n > 4000) CHECK_CLOSE(static_cast<double>(dropped) / static_cast<double>(n), 0.25, 0.03);
        dropout(run.context, x.data(), nullptr, n, 1, 9, plain.data());
        for (std::size_t i = 0; i < n; ++i) CHECK(plain[i] == 0);
        gaussian_noise(run.context, x.data(), n, 0.5f, 9, y.data());
        for (std::size_t i = 0; i < n; ++i) CHECK(std::abs(y[i] - x[i]) < 4);
    }
}

TEST(rows_are_gathered_and_summed) {
    StandaloneRun run(2);
    constexpr std::size_t n = 200, n_rows = 23;
    for (const std::size_t d : {1, 16, 33, 130}) {
        Array table(n_rows * d), rows(n * d, 1), out(n * d), sums(n_rows * d);
        std::vector<std::int64_t> ids(n);
        for (std::size_t i = 0; i < n; ++i)
            ids[i] = static_cast<std::int64_t>(Philox(1, 2).below(i, n_rows - 1)); // the last row is never used
        gather_rows(run.context, table.data(), ids.data(), n, d, out.data());
        scatter_add_rows(run.context, rows.data(), ids.data(), n, d, 4, sums.data(), n_rows);
        std::vector<float> twin(n_rows * d);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < d; ++j) {
                CHECK_EQUAL(out[i * d + j], table[static_cast<std::size_t>(ids[i]) * d + j]);
                if (ids[i] != 4) twin[static_cast<std::size_t>(ids[i]) * d + j] += rows[i * d + j];
            }
        for (std::size_t k = 0; k < n_rows * d; ++k) CHECK_CLOSE(sums[k], twin[k], 1e-5);
    }
}

TEST(arithmetic_of_arrays) {
    StandaloneRun run(3);
    for (const std::size_t period : sizes) {
        const std::size_t n = 5 * period;
        Array a(n), b(period, 1), sum(n), product(n), scaled(n), total(period);
        add(run.context, a.data(), b.data(), sum.data(), n, period);
        multiply(run.context, a.data(), b.data(), product.data(), n, period);
        scale(run.context, a.data(), 0.3f, scaled.data(), n);
        sum_rows(run.context, a.data(), 5, period, total.data());
        for (std::size_t i = 0; i < n; ++i) {
            CHECK_EQUAL(sum[i], a[i] + b[i % period]);
            CHECK_EQUAL(product[i], a[i] * b[i % period]);
            CHECK_EQUAL(scaled[i], 0.3f * a[i]);
        }
        for (std::size_t j = 0; j < period; ++j) {
            double expected = 0;
            for (std::size_t i = 0; i < 5; ++i) expected += static_cast<double>(a[i * period + j]);
            CHECK_CLOSE(total[j], expected, 1e-5);
        }
    }
}
