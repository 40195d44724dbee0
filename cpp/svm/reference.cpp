#include "svm/reference.hpp"

#include <algorithm>
#include <type_traits>

namespace mlcore::svm {
namespace {

constexpr std::size_t most_rows = 15;

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

double entry(const Table& K, std::size_t i, std::size_t j) {
    return std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>) return static_cast<double>(view(i, j));
            return 0.0;
        },
        K);
}

} // namespace

std::vector<double> dense_row(const Table& X, std::size_t i) {
    std::vector<double> row(n_cols(X));
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                for (std::size_t k = 0; k < row.size(); ++k) row[k] = static_cast<double>(view(i, k));
            else
                for (std::size_t t = view.begin(i); t < view.end(i); ++t)
                    row[static_cast<std::size_t>(view.indices[t])] += static_cast<double>(view.data[t]);
        },
        X);
    return row;
}

double kernel_with(const Table& X, const Kernel& kernel, std::size_t i, const std::vector<double>& point) {
    return std::visit(
        [&](const auto& view) {
            double dot = 0, distance = 0;
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                for (std::size_t k = 0; k < point.size(); ++k) {
                    const auto x = static_cast<double>(view(i, k));
                    dot += x * point[k];
                    distance += (x - point[k]) * (x - point[k]);
                }
            } else {
                for (const double p : point) distance += p * p;
                for (std::size_t t = view.begin(i); t < view.end(i); ++t) {
                    const auto x = static_cast<double>(view.data[t]);
                    const double p = point[static_cast<std::size_t>(view.indices[t])];
                    dot += x * p;
                    distance += x * x - 2 * x * p;
                }
            }
            return kernel.type == Kernel::Type::rbf ? kernel_value(kernel, 0, distance, 0)
                                                    : kernel_value(kernel, dot, 0, 0);
        },
        X);
}

double product_with_difference(const Table& X, std::size_t i, const std::vector<double>& point) {
    return std::visit(
        [&](const auto& view) {
            double sum = 0;
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                for (std::size_t k = 0; k < point.size(); ++k)
                    sum += point[k] * (static_cast<double>(view(i, k)) - point[k]);
            } else {
                for (const double p : point) sum -= p * p;
                for (std::size_t t = view.begin(i); t < view.end(i); ++t)
                    sum += point[static_cast<std::size_t>(view.indices[t])] * static_cast<double>(view.data[t]);
            }
            return sum;
        },
        X);
}

Reference find_reference(const Table& X, const Kernel& kernel) {
    const std::size_t n = n_rows(X), m = std::min(n, most_rows);
    const bool given = kernel.type == Kernel::Type::precomputed;
    std::vector<std::size_t> rows;
    for (std::size_t a = 0; a < m; ++a) rows.push_back(a * n / m);
    std::vector<double> K(m * m), self, pairs;
    for (std::size_t a = 0; a < m; ++a) {
        const std::vector<double> point = given ? std::vector<double>{} : dense_row(X, rows[a]);
        for (std::size_t b = 0; b <= a; ++b)
            K[a * m + b] = K[b * m + a] = given ? entry(X, rows[a], rows[b]) : kernel_with(X, kernel, rows[b], point);
    }
    const auto distance = [&](std::size_t a, std::size_t b) {
        return std::max(K[a * m + a] + K[b * m + b] - 2 * K[a * m + b], 0.0);
    };
    Reference found;
    double least = 0;
    for (std::size_t a = 0; a < m; ++a) {
        self.push_back(K[a * m + a]);
        std::vector<double> to_others;
        for (std::size_t b = 0; b < m; ++b) {
            if (b != a) to_others.push_back(distance(a, b));
            if (b < a) pairs.push_back(distance(a, b) / 2);
        }
        if (const double typical = median(std::move(to_others)); a == 0 || typical < least) {
            least = typical;
            found.row = rows[a];
        }
    }
    found.size = std::max(median(self), 0.0);
    found.nearby = least;
    found.spread = median(pairs);
    if (found.spread == 0 && !pairs.empty()) found.spread = *std::max_element(pairs.begin(), pairs.end());
    return found;
}

} // namespace mlcore::svm
