// What the tests of logistic regression share: small random problems, as dense and CSR tables of either type, and a
// twin of the objective in plain loops.
#pragma once

#include "core/random.hpp"
#include "core/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace twin {

using namespace mlcore;

struct Problem {
    std::size_t n, d, classes;
    std::vector<double> x, weight;
    std::vector<float> x32;
    std::vector<std::int32_t> y;
    // the same as CSR, columns in falling order, the first one of each row stored in two parts
    std::vector<double> data;
    std::vector<float> data32;
    std::vector<std::int32_t> indices, indptr{0};
    std::vector<std::int64_t> indices64, indptr64;
    std::vector<double> strided; // columns two apart, rows from last to first

    Problem(std::size_t n_rows, std::size_t n_cols, std::size_t n_classes, std::uint64_t seed, double density = 1)
        : n(n_rows), d(n_cols), classes(n_classes), x(n * d), weight(n), y(n), strided(2 * n * d, 1e300) {
        const Philox values(seed, 0), kept(seed, 1), labels(seed, 2), weights(seed, 3);
        for (std::size_t i = 0; i < n * d; ++i) // few bits: float32 holds them exactly
            x[i] = kept.uniform(i) < density ? std::round(64 * values.normal(i)) / 64 : 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            weight[i] = 0.25 + weights.uniform(i);
            double best = -1e300;
            for (std::size_t k = 0; k < classes; ++k) {
                const double score = x[i * d + k % d] + labels.normal(i * classes + k);
                if (score > best) {
                    best = score;
                    y[i] = static_cast<std::int32_t>(k);
                }
            }
        }
        x32.assign(x.begin(), x.end());
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = d; j-- > 0;) {
                const double v = x[i * d + j];
                strided[2 * ((n - 1 - i) * d + j)] = v;
                if (v == 0) continue;
                const bool first = static_cast<std::size_t>(indptr.back()) == indices.size();
                for (int part = 0; part < (first ? 2 : 1); ++part) {
                    indices.push_back(static_cast<std::int32_t>(j));
                    data.push_back(first ? v / 2 : v);
                }
            }
            indptr.push_back(static_cast<std::int32_t>(indices.size()));
        }
        data32.assign(data.begin(), data.end());
        indices64.assign(indices.begin(), indices.end());
        indptr64.assign(indptr.begin(), indptr.end());
    }

    std::size_t n_outputs() const { return classes == 2 ? 1 : classes; }
    Table dense() const { return row_major(x.data(), n, d); }

    /// The table in each way that it can be given.
    std::vector<Table> tables() const {
        const auto stride = 2 * static_cast<std::ptrdiff_t>(d);
        return {
            dense(),
            row_major(x32.data(), n, d),
            MatrixView<const double>{strided.data() + static_cast<std::ptrdiff_t>(n - 1) * stride, n, d, -stride, 2},
            CsrView<double, std::int32_t>{data.data(), indices.data(), indptr.data(), n, d},
            CsrView<float, std::int32_t>{data32.data(), indices.data(), indptr.data(), n, d},
            CsrView<double, std::int64_t>{data.data(), indices64.data(), indptr64.data(), n, d},
            CsrView<float, std::int64_t>{data32.data(), indices64.data(), indptr64.data(), n, d}};
    }
};

inline std::vector<double> random_vector(std::size_t size, std::uint64_t seed, double scale) {
    std::vector<double> v(size);
    for (std::size_t i = 0; i < size; ++i) v[i] = scale * Philox(seed, 9).normal(i);
    return v;
}

/// F of theta (K, d + 1) and, where asked for, its gradient.
inline double objective(const Problem& p, const std::vector<double>& theta, double l2, bool weighted, bool intercept,
                        std::vector<double>* gradient = nullptr) {
    const std::size_t K = p.n_outputs(), m = p.d + 1;
    if (gradient) gradient->assign(K * m, 0.0);
    double total = 0, loss = 0, penalty = 0;
    for (std::size_t i = 0; i < p.n; ++i) total += weighted ? p.weight[i] : 1;
    for (std::size_t i = 0; i < p.n; ++i) {
        std::vector<double> z(p.classes, 0.0); // two classes: scores 0 and z
        for (std::size_t k = 0; k < K; ++k) {
            double& score = z[p.classes == 2 ? 1 : k];
            score = theta[k * m + p.d];
            for (std::size_t j = 0; j < p.d; ++j) score += theta[k * m + j] * p.x[i * p.d + j];
        }
        const double top = *std::max_element(z.begin(), z.end());
        double sum = 0;
        for (const double score : z) sum += std::exp(score - top);
        const auto label = static_cast<std::size_t>(p.y[i]);
        const double share = (weighted ? p.weight[i] : 1) / total;
        loss += share * (top + std::log(sum) - z[label]);
        if (!gradient) continue;
        for (std::size_t k = 0; k < K; ++k) {
            const std::size_t c = p.classes == 2 ? 1 : k;
            const double residual = share * (std::exp(z[c] - top) / sum - (c == label ? 1 : 0));
            for (std::size_t j = 0; j < p.d; ++j) (*gradient)[k * m + j] += residual * p.x[i * p.d + j];
            if (intercept) (*gradient)[k * m + p.d] += residual;
        }
    }
    for (std::size_t k = 0; k < K; ++k)
        for (std::size_t j = 0; j < p.d; ++j) {
            penalty += theta[k * m + j] * theta[k * m + j];
            if (gradient) (*gradient)[k * m + j] += l2 * theta[k * m + j];
        }
    return loss + l2 / 2 * penalty;
}

inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double most = a.size() == b.size() ? 0 : 1e300;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
}

} // namespace twin
