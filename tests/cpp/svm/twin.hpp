// Support vector machines once more, slowly: kernels in float64, one pair at a time over whole kernel rows. What the
// fast ones are compared with.
#pragma once

#include "core/random.hpp"
#include "svm/kernel.hpp"
#include "svm/solver.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace twin {

using namespace mlcore;

/// Rows of features, dense; `density` of them are not zero.
struct Data {
    std::size_t n, d;
    std::vector<double> x;
    // the same as CSR
    std::vector<double> values;
    std::vector<std::int32_t> indices, indptr{0};

    Data(std::size_t rows, std::size_t cols, std::uint64_t seed, double density = 1, double shift = 0)
        : n(rows), d(cols), x(rows * cols) {
        const Philox random(seed, 0), holes(seed, 1);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < d; ++k) {
                const std::size_t at = i * d + k;
                x[at] = holes.uniform(at) < density ? random.normal(at) + shift : 0;
                if (x[at] == 0) continue;
                values.push_back(x[at]);
                indices.push_back(static_cast<std::int32_t>(k));
            }
            indptr.push_back(static_cast<std::int32_t>(values.size()));
        }
    }
    Table dense() const { return row_major<const double>(x.data(), n, d); }
    Table sparse() const { return CsrView<double, std::int32_t>{values.data(), indices.data(), indptr.data(), n, d}; }
};

inline double kernel(const svm::Kernel& function, const Data& a, std::size_t i, const Data& b, std::size_t j) {
    double dot = 0, distance = 0;
    for (std::size_t k = 0; k < a.d; ++k) {
        const double u = a.x[i * a.d + k], v = b.x[j * b.d + k];
        dot += u * v;
        distance += (u - v) * (u - v);
    }
    switch (function.type) {
    case svm::Kernel::Type::rbf:
        return std::exp(-function.gamma * distance);
    case svm::Kernel::Type::poly:
        return std::pow(function.gamma * dot + function.coef0, function.degree);
    case svm::Kernel::Type::sigmoid:
        return std::tanh(function.gamma * dot + function.coef0);
    default:
        return dot;
    }
}

inline std::vector<double> kernel_matrix(const svm::Kernel& function, const Data& data) {
    std::vector<double> K(data.n * data.n);
    for (std::size_t i = 0; i < data.n; ++i)
        for (std::size_t j = 0; j < data.n; ++j) K[i * data.n + j] = kernel(function, data, i, data, j);
    return K;
}

/// The dual of a problem over the kernel matrix K of its columns.
struct Dual {
    const svm::Problem& problem;
    const std::vector<double>& K;
    std::size_t n; // columns

    std::vector<double> f(const std::vector<double>& alpha) const {
        std::vector<double> s(n);
        for (std::size_t v = 0; v < alpha.size(); ++v)
            for (std::size_t c = 0; c < n; ++c) s[c] += problem.y[v] * alpha[v] * K[v % n * n + c];
        std::vector<double> result(alpha.size());
        for (std::size_t v = 0; v < alpha.size(); ++v) result[v] = s[v % n] + problem.e[v];
        return result;
    }

    double objective(const std::vector<double>& alpha) const {
        const std::vector<double> values = f(alpha);
        double sum = 0;
        for (std::size_t v = 0; v < alpha.size(); ++v)
            sum += 0.5 * problem.y[v] * alpha[v] * (values[v] + problem.e[v]);
        return sum;
    }

    /// The largest violation of the conditions of Karush, Kuhn and Tucker, and the pair that has it.
    double gap(const std::vector<double>& alpha, std::size_t& i, std::size_t& j) const {
        const std::vector<double> values = f(alpha);
        double worst = -std::numeric_limits<double>::infinity();
        for (std::size_t a = 0; a < alpha.size(); ++a)
            for (std::size_t b = 0; b < alpha.size(); ++b) {
                const bool up = problem.y[a] > 0 ? alpha[a] < problem.C[a] : alpha[a] > 0;
                const bool low = problem.y[b] > 0 ? alpha[b] > 0 : alpha[b] < problem.C[b];
                if (!up || !low || (problem.split && problem.y[a] != problem.y[b])) continue;
                if (values[b] - values[a] > worst) {
                    worst = values[b] - values[a];
                    i = a;
                    j = b;
                }
            }
        return worst;
    }

    /// Moves the worst pair until the gap is below tol.
    std::vector<double> solve(double tol) const {
        std::vector<double> alpha = problem.alpha;
        for (std::size_t i = 0, j = 0; gap(alpha, i, j) >= tol;) {
            const std::vector<double> values = f(alpha);
            const std::size_t a = i % n, b = j % n;
            const double curvature = std::max(K[a * n + a] + K[b * n + b] - 2 * K[a * n + b], 1e-12);
            const double room_i = problem.y[i] > 0 ? problem.C[i] - alpha[i] : alpha[i];
            const double room_j = problem.y[j] > 0 ? alpha[j] : problem.C[j] - alpha[j];
            const double t = std::min({(values[j] - values[i]) / curvature, room_i, room_j});
            alpha[i] += problem.y[i] * t;
            alpha[j] -= problem.y[j] * t;
            for (const std::size_t v : {i, j}) // rounding must not leave a bound that was meant
                if (alpha[v] < 1e-15 * problem.C[v])
                    alpha[v] = 0;
                else if (alpha[v] > (1 - 1e-15) * problem.C[v])
                    alpha[v] = problem.C[v];
        }
        return alpha;
    }
};

} // namespace twin
