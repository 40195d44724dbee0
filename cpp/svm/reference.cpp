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

/// Writes row i to a point of zeros, or, with `clear`, the zeros again.
void put_row(const Table& X, std::size_t i, std::vector<double>& point, bool clear) {
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                for (std::size_t k = 0; k < point.size(); ++k) point[k] = clear ? 0 : static_cast<double>(view(i, k));
            else
                for (std::size_t t = view.begin(i); t < view.end(i); ++t)
                    point[static_cast<std::size_t>(view.indices[t])] = clear ? 0 : static_cast<double>(view.data[t]);
        },
        X);
}

} // namespace

ReferencePoint::ReferencePoint(const Table& X) : x_(n_cols(X)) {}

void ReferencePoint::set(const Table& X, std::size_t row) {
    put_row(X, row, x_, false);
    square_ = 0;
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                for (const double x : x_) square_ += x * x;
            else
                for (std::size_t t = view.begin(row); t < view.end(row); ++t)
                    square_ += static_cast<double>(view.data[t]) * static_cast<double>(view.data[t]);
        },
        X);
}

void ReferencePoint::clear(const Table& X, std::size_t row) { put_row(X, row, x_, true); }

double ReferencePoint::kernel_with(const Table& X, const Kernel& kernel, std::size_t i) const {
    return std::visit(
        [&](const auto& view) {
            double dot = 0, distance = 0;
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                for (std::size_t k = 0; k < x_.size(); ++k) {
                    const auto x = static_cast<double>(view(i, k));
                    dot += x * x_[k];
                    distance += (x - x_[k]) * (x - x_[k]);
                }
            } else {
                distance = square_;
                for (std::size_t t = view.begin(i); t < view.end(i); ++t) {
                    const auto x = static_cast<double>(view.data[t]);
                    const double r = x_[static_cast<std::size_t>(view.indices[t])];
                    dot += x * r;
                    distance += x * x - 2 * x * r;
                }
            }
            return kernel.type == Kernel::Type::rbf ? kernel_value(kernel, 0, distance, 0)
                                                    : kernel_value(kernel, dot, 0, 0);
        },
        X);
}

double ReferencePoint::product_with_difference(const Table& X, std::size_t i) const {
    return std::visit(
        [&](const auto& view) {
            double sum = 0;
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                for (std::size_t k = 0; k < x_.size(); ++k) sum += x_[k] * (static_cast<double>(view(i, k)) - x_[k]);
            } else {
                sum = -square_;
                for (std::size_t t = view.begin(i); t < view.end(i); ++t)
                    sum += x_[static_cast<std::size_t>(view.indices[t])] * static_cast<double>(view.data[t]);
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
    ReferencePoint point(X);
    for (std::size_t a = 0; a < m; ++a) {
        if (!given) point.set(X, rows[a]);
        for (std::size_t b = 0; b <= a; ++b)
            K[a * m + b] = K[b * m + a] = given ? entry(X, rows[a], rows[b]) : point.kernel_with(X, kernel, rows[b]);
        if (!given) point.clear(X, rows[a]);
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
