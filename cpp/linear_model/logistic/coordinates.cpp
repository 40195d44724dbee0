// The coordinates of theta (loss.hpp): from the table's columns to standardised ones and back, for coefficients,
// gradients and products of columns.
#include "linear_model/logistic/loss.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mlcore::linear_model {

void LogisticLoss::standardise(const linalg::TableMoments& moments) {
    coordinates_.shift = moments.mean;
    coordinates_.inverse.resize(n_cols());
    for (std::size_t j = 0; j < n_cols(); ++j) {
        const double variance = moments.squares[j] / total_weight_;
        coordinates_.inverse[j] = variance > 0 ? 1 / std::sqrt(variance + 4 * l2_) : 0;
    }
}

double LogisticLoss::largest_l2() const {
    double most = coordinates_.inverse.empty() ? l2_ : 0;
    for (const double inverse : coordinates_.inverse) most = std::max(most, l2_ * inverse * inverse);
    return most;
}

void LogisticLoss::from_table(double* theta) const {
    if (coordinates_.inverse.empty()) return;
    const std::size_t d = n_cols();
    for (double* row = theta; row != theta + K_ * (d + 1); row += d + 1)
        for (std::size_t j = 0; j < d; ++j) {
            row[d] += coordinates_.shift[j] * row[j];
            row[j] = coordinates_.inverse[j] > 0 ? row[j] / coordinates_.inverse[j] : 0;
        }
}

void LogisticLoss::to_table(double* theta) const {
    if (coordinates_.inverse.empty()) return;
    const std::size_t d = n_cols();
    for (double* row = theta; row != theta + K_ * (d + 1); row += d + 1)
        for (std::size_t j = 0; j < d; ++j) {
            row[j] *= coordinates_.inverse[j];
            row[d] -= coordinates_.shift[j] * row[j];
        }
}

double LogisticLoss::centre(double* theta, bool coefficients) const {
    const std::size_t d = n_cols();
    double most = 0;
    for (std::size_t j = coefficients ? 0 : d; K_ > 1 && j <= d; ++j) {
        double mean = 0;
        for (std::size_t k = 0; k < K_; ++k) mean += theta[k * (d + 1) + j];
        mean /= static_cast<double>(K_);
        for (std::size_t k = 0; k < K_; ++k) theta[k * (d + 1) + j] -= mean;
        most = std::max(most, std::abs(mean));
    }
    return most;
}

linalg::Coefficients LogisticLoss::coefficients(const double* theta, std::size_t n_outputs) const {
    if (coordinates_.inverse.empty()) return design_.coefficients(theta, n_outputs);
    const std::size_t d = n_cols();
    std::vector<double> of_table(theta, theta + n_outputs * (d + 1));
    for (std::size_t k = 0; k < n_outputs; ++k) {
        double *row = of_table.data() + k * (d + 1), shift = 0;
        for (std::size_t j = 0; j < d; ++j) {
            row[j] *= coordinates_.inverse[j];
            shift += coordinates_.shift[j] * row[j];
        }
        row[d] -= shift;
    }
    return design_.coefficients(of_table.data(), n_outputs);
}

void LogisticLoss::gradient_from_table(double* gradient, std::size_t n_outputs) const {
    if (coordinates_.inverse.empty()) return;
    const std::size_t d = n_cols();
    for (double* row = gradient; row != gradient + n_outputs * (d + 1); row += d + 1)
        for (std::size_t j = 0; j < d; ++j)
            row[j] = (row[j] - coordinates_.shift[j] * row[d]) * coordinates_.inverse[j];
}

void LogisticLoss::standardise(const linalg::ColumnSet& rows, const linalg::ColumnSet& columns, double* sum) const {
    if (coordinates_.inverse.empty()) return;
    const std::size_t a = rows.size() - 1, b = columns.size() - 1, stride = columns.stride();
    const bool same = linalg::same_columns(rows, columns); // then only what is on and above the diagonal is there
    const double ones = sum[a * stride + b];
    const auto of_row = [&](std::size_t i) { return sum[i * stride + b]; }; // row's column with the ones
    const auto of_column = [&](std::size_t j) { return same ? of_row(j) : sum[a * stride + j]; };
    for (std::size_t i = 0; i < a; ++i) {
        const double m = coordinates_.shift[rows.chosen()[i]], u = coordinates_.inverse[rows.chosen()[i]];
        for (std::size_t j = same ? i : 0; j < b; ++j) {
            const double other = coordinates_.shift[columns.chosen()[j]];
            double& value = sum[i * stride + j];
            value += m * (other * ones - of_column(j)) - other * of_row(i);
            value *= u * coordinates_.inverse[columns.chosen()[j]];
        }
    }
    if (!same)
        for (std::size_t j = 0; j < b; ++j) {
            double& value = sum[a * stride + j];
            value =
                (value - coordinates_.shift[columns.chosen()[j]] * ones) * coordinates_.inverse[columns.chosen()[j]];
        }
    for (std::size_t i = 0; i < a; ++i) {
        double& value = sum[i * stride + b];
        value = (value - coordinates_.shift[rows.chosen()[i]] * ones) * coordinates_.inverse[rows.chosen()[i]];
    }
}

} // namespace mlcore::linear_model
