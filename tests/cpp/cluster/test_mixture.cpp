// Gaussian mixtures beside plain loops in long double.
#include "check.hpp"

#include "cluster/mixture/em.hpp"
#include "core/random.hpp"

#include <cmath>
#include <numbers>
#include <vector>

using namespace mlcore;
using namespace mlcore::mixture;

namespace {

using Real = long double;

struct Data {
    std::size_t n, d;
    std::vector<double> values, weight;

    Data(std::size_t rows, std::size_t columns, double offset = 0) : n(rows), d(columns), values(n * d), weight(n) {
        const Philox random(7, d);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < d; ++j)
                values[i * d + j] = offset + random.normal(i * d + j) + static_cast<double>(3 * (i % 3) * (j % 2 + 1));
            weight[i] = 0.5 + random.uniform(n * d + i);
        }
    }

    Rows table(bool weighted) const {
        return {row_major(values.data(), n, d), weighted ? std::span<const double>(weight) : std::span<const double>()};
    }
};

/// Log-density of row i under component c with its share, from the factor.
Real log_density(const Components& m, const Data& data, std::size_t i, std::size_t c) {
    const std::size_t d = data.d;
    const auto P = [&](std::size_t a, std::size_t b) -> Real {
        switch (m.shape) {
        case Shape::full:
            return m.precisions_cholesky[(c * d + a) * d + b];
        case Shape::tied:
            return m.precisions_cholesky[a * d + b];
        case Shape::diag:
            return a == b ? m.precisions_cholesky[c * d + a] : 0;
        default:
            return a == b ? m.precisions_cholesky[c] : 0;
        }
    };
    Real sum = std::log(static_cast<Real>(m.weights[c])) -
               0.5L * static_cast<Real>(d) * std::log(2 * std::numbers::pi_v<Real>);
    for (std::size_t b = 0; b < d; ++b) {
        Real z = 0;
        for (std::size_t a = 0; a < d; ++a)
            z += (static_cast<Real>(data.values[i * d + a]) - m.means[c * d + a]) * P(a, b);
        sum += std::log(P(b, b)) - 0.5L * z * z;
    }
    return sum;
}

/// Log-density of the mixture and the responsibilities of row i.
Real expect(const Components& m, const Data& data, std::size_t i, std::vector<Real>& share) {
    Real largest = -INFINITY, sum = 0;
    for (std::size_t c = 0; c < m.k; ++c) largest = std::max(largest, share[c] = log_density(m, data, i, c));
    for (std::size_t c = 0; c < m.k; ++c) sum += share[c] = std::exp(share[c] - largest);
    for (std::size_t c = 0; c < m.k; ++c) share[c] /= sum;
    return largest + std::log(sum);
}

/// Covariance of component c about its new mean, weighted by responsibilities of `m`, and that mean.
void twin_moments(const Components& m, const Data& data, bool weighted, std::size_t c, std::vector<Real>& mean,
                  std::vector<Real>& S, Real& n) {
    const std::size_t d = data.d;
    std::vector<Real> share(m.k);
    mean.assign(d, 0), S.assign(d * d, 0), n = 0;
    Real total = 0;
    for (const double w : data.weight) total += w;
    for (int pass = 0; pass < 2; ++pass) {
        for (std::size_t i = 0; i < data.n; ++i) {
            expect(m, data, i, share);
            const Real r = share[c] * (weighted ? data.weight[i] * static_cast<Real>(data.n) / total : 1);
            for (std::size_t a = 0; a < d; ++a) {
                if (pass == 0) mean[a] += r * data.values[i * d + a];
                if (pass == 1)
                    for (std::size_t b = 0; b < d; ++b)
                        S[a * d + b] += r * (data.values[i * d + a] - mean[a]) * (data.values[i * d + b] - mean[b]);
            }
            if (pass == 0) n += r;
        }
        if (pass == 0)
            for (Real& v : mean) v /= n;
    }
    for (Real& v : S) v /= n;
}

Components start_of(const RunContext& ctx, const Data& data, Shape shape, std::size_t k, bool weighted) {
    std::vector<std::int32_t> labels(data.n);
    for (std::size_t i = 0; i < data.n; ++i) labels[i] = static_cast<std::int32_t>((i / 2) % k);
    return components_of(ctx, data.table(weighted), labels, {}, shape, k, 0.0);
}

} // namespace

TEST(one_iteration_is_that_of_plain_loops) {
    const StandaloneRun run(2);
    for (const std::size_t d : {1, 2, 7, 19})
        for (const bool weighted : {false, true})
            for (const double offset : {0.0, 1e8}) {
                const Data data(301, d, offset);
                const double tolerance = offset > 0 ? 1e-6 : 1e-10; // rows themselves are rounded to 1e-8
                for (const Shape shape : {Shape::full, Shape::diag}) {
                    const Components start = start_of(run.context, data, shape, 3, weighted);
                    const Fit found = fit(run.context, data.table(weighted), start, -INFINITY, 0.0, 0.0, 1);
                    CHECK_EQUAL(found.lower_bounds.size(), std::size_t{1});
                    std::vector<Real> mean, S;
                    for (std::size_t c = 0; c < 3; ++c) {
                        Real n;
                        twin_moments(start, data, weighted, c, mean, S, n);
                        CHECK_CLOSE(found.components.weights[c], static_cast<double>(n) / 301, tolerance);
                        for (std::size_t a = 0; a < d; ++a) {
                            CHECK_CLOSE(found.components.means[c * d + a], static_cast<double>(mean[a]),
                                        tolerance * (1 + offset * 1e-2));
                            for (std::size_t b = 0; b < d; ++b)
                                if (shape == Shape::full || a == b)
                                    CHECK_CLOSE(found.components.covariances[shape == Shape::full ? (c * d + a) * d + b
                                                                                                  : c * d + a],
                                                static_cast<double>(S[a * d + b]), 100 * tolerance);
                        }
                    }
                }
            }
}

TEST(densities_and_responsibilities_are_those_of_plain_loops) {
    const StandaloneRun run(2);
    for (const std::size_t d : {1, 3, 8, 21})
        for (const Shape shape : {Shape::full, Shape::tied, Shape::diag, Shape::spherical}) {
            const Data data(150, d);
            const Components m = start_of(run.context, data, shape, 4, false);
            std::vector<double> density(data.n), shares(data.n * 4);
            std::vector<std::int64_t> labels(data.n);
            predict(run.context, data.table(false).points, m, density.data(), labels.data(), shares.data());
            std::vector<Real> share(4);
            for (std::size_t i = 0; i < data.n; ++i) {
                CHECK_CLOSE(density[i], static_cast<double>(expect(m, data, i, share)), 1e-10);
                for (std::size_t c = 0; c < 4; ++c) {
                    CHECK_CLOSE(shares[i * 4 + c], static_cast<double>(share[c]), 1e-10);
                    CHECK(share[static_cast<std::size_t>(labels[i])] >= share[c] - 1e-12L);
                }
            }
        }
}

TEST(threads_decide_nothing) {
    const Data data(40'000, 5);
    const StandaloneRun one(1), three(3);
    for (const Shape shape : {Shape::full, Shape::tied, Shape::diag, Shape::spherical}) {
        const Components start = start_of(one.context, data, shape, 3, true);
        const Fit a = fit(one.context, data.table(true), start, -INFINITY, 1e-6, 0.0, 3);
        const Fit b = fit(three.context, data.table(true), start, -INFINITY, 1e-6, 0.0, 3);
        CHECK(a.components.means == b.components.means);
        CHECK(a.components.covariances == b.components.covariances);
        CHECK(a.lower_bounds == b.lower_bounds);
    }
}

TEST(likelihood_never_falls) {
    const Data data(900, 4);
    const StandaloneRun run(2);
    for (const Shape shape : {Shape::full, Shape::tied, Shape::diag, Shape::spherical}) {
        const Components start = start_of(run.context, data, shape, 3, false);
        const Fit found = fit(run.context, data.table(false), start, -INFINITY, 0.0, 0.0, 30);
        for (std::size_t i = 1; i < found.lower_bounds.size(); ++i)
            CHECK(found.lower_bounds[i] >= found.lower_bounds[i - 1] - 1e-12);
    }
}

TEST(equal_rows_need_a_ridge) {
    const StandaloneRun run;
    Data data(20, 2);
    std::fill(data.values.begin(), data.values.end(), 3.0);
    CHECK_THROWS(ValueError, start_of(run.context, data, Shape::full, 2, false));
    std::vector<std::int32_t> labels(20, 0);
    const Components m = components_of(run.context, data.table(false), labels, {}, Shape::full, 1, 1e-6);
    CHECK_EQUAL(m.covariances[0], 1e-6);
}
