// Output layer and cross-entropy in one operation beside loops in double, from addresses that are not aligned.
#include "check.hpp"

#include "core/error.hpp"
#include "core/random.hpp"
#include "nn/linear_cross_entropy.hpp"

#include <cmath>
#include <cstring>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

std::vector<float> random_array(std::size_t n, std::uint64_t stream) {
    const Philox random(7, stream);
    std::vector<float> values(n + 1);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(2 * random.uniform(i) - 1);
    return values;
}

struct Results {
    double sum = 0;
    std::vector<double> loss, dx, dw, db;
};

Results twin(const LinearCrossEntropy& p, double factor, const float* row_factor) {
    Results r{0, std::vector<double>(p.m), std::vector<double>(p.m * p.k), std::vector<double>(p.n * p.k),
              std::vector<double>(p.n)};
    for (std::size_t i = 0; i < p.m; ++i) {
        if (p.target[i] == p.ignore_index) continue;
        std::vector<double> z(p.n);
        double total = 0;
        for (std::size_t j = 0; j < p.n; ++j) {
            z[j] = p.bias ? static_cast<double>(p.bias[j]) : 0;
            for (std::size_t l = 0; l < p.k; ++l)
                z[j] += static_cast<double>(p.x[i * p.k + l]) * static_cast<double>(p.weight[j * p.k + l]);
            total += std::exp(z[j]);
        }
        for (std::size_t j = 0; j < p.n; ++j) {
            const auto smoothing = static_cast<double>(p.label_smoothing);
            const double q = (static_cast<std::int64_t>(j) == p.target[i] ? 1 - smoothing : 0) +
                             smoothing / static_cast<double>(p.n);
            r.loss[i] -= q * (z[j] - std::log(total));
            const double scale = factor * (row_factor ? static_cast<double>(row_factor[i]) : 1);
            const double dz = scale * (std::exp(z[j]) / total - q);
            r.db[j] += dz;
            for (std::size_t l = 0; l < p.k; ++l) {
                r.dx[i * p.k + l] += dz * static_cast<double>(p.weight[j * p.k + l]);
                r.dw[j * p.k + l] += dz * static_cast<double>(p.x[i * p.k + l]);
            }
        }
        r.sum += r.loss[i];
    }
    return r;
}

} // namespace

TEST(linear_cross_entropy_follows_its_twin) {
    struct Size {
        std::size_t m, n, k;
    };
    for (const auto [m, n, k] : {Size{1, 1, 1}, Size{7, 33, 17}, Size{15, 5, 0}, Size{300, 17000, 3}})
        for (const bool ignores : {false, true})
            for (const bool weighs : {false, true}) {
                const auto x = random_array(m * k, 0), w = random_array(n * k, 1), b = random_array(n, 2);
                const auto row_factor = random_array(m, 3);
                std::vector<std::int64_t> target(m);
                for (std::size_t i = 0; i < m; ++i)
                    target[i] = ignores && i % 3 == 1 ? -7 : static_cast<std::int64_t>(i * 31 % n);
                LinearCrossEntropy problem{.x = x.data() + 1,
                                           .weight = w.data() + 1,
                                           .bias = weighs ? b.data() + 1 : nullptr,
                                           .target = target.data(),
                                           .m = m,
                                           .n = n,
                                           .k = k,
                                           .ignore_index = -7,
                                           .label_smoothing = weighs ? 0.1f : 0};
                CHECK(count_targets(problem) == (ignores ? m - (m + 1) / 3 : m));
                const float* factors = weighs ? row_factor.data() + 1 : nullptr;
                const Results expected = twin(problem, 0.5, factors);
                std::vector<float> first;
                for (const int n_threads : {1, 3}) {
                    StandaloneRun run(n_threads);
                    std::vector<float> loss(m), dx(m * k), dw(n * k), db(n), all;
                    const double sum = linear_cross_entropy(run.context, problem, 0.5f, factors, loss.data(),
                                                            {dx.data(), dw.data(), db.data()});
                    CHECK_CLOSE(sum, expected.sum, 1e-5 * (1 + expected.sum));
                    for (std::size_t i = 0; i < m; ++i) CHECK_CLOSE(loss[i], expected.loss[i], 1e-5);
                    for (std::size_t i = 0; i < m * k; ++i) CHECK_CLOSE(dx[i], expected.dx[i], 1e-5); // of 17,000 terms
                    for (std::size_t i = 0; i < n * k; ++i) CHECK_CLOSE(dw[i], expected.dw[i], 3e-6);
                    for (std::size_t i = 0; i < n; ++i) CHECK_CLOSE(db[i], expected.db[i], 3e-6);
                    for (const auto* part : {&loss, &dx, &dw, &db}) all.insert(all.end(), part->begin(), part->end());
                    if (first.empty()) first = all;
                    CHECK(std::memcmp(all.data(), first.data(), all.size() * sizeof(float)) == 0);
                    CHECK_CLOSE(linear_cross_entropy(run.context, problem, 1, nullptr, nullptr, {}), expected.sum,
                                1e-5 * (1 + expected.sum));
                }
            }
}

TEST(classes_out_of_range_are_refused) {
    const float one[] = {1};
    for (const std::int64_t target : {-1, 1}) {
        const LinearCrossEntropy problem{.x = one, .weight = one, .target = &target, .m = 1, .n = 1, .k = 1};
        CHECK_THROWS(ValueError, count_targets(problem));
    }
}
