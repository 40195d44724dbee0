// Logistic regression by any of its solvers: builds the objective of loss.hpp plus l1 |W|_1 and minimises it.
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "linear_model/logistic/line_search.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mlcore::linear_model {

struct LogisticParams {
    std::size_t n_classes = 2;
    double l1 = 0, l2 = 0; // factors of |W|_1 and |W|^2 / 2
    bool fit_intercept = true;
    std::string solver = "lbfgs";
    double tol = 1e-4;
    int max_iter = 100;
    double learning_rate = 0;     // of the classical optimizers; 0: chosen from the data
    std::size_t batch_size = 128; // rows of one step of theirs
    double momentum = 0.9;
};

struct LogisticFit : Outcome {
    std::vector<double> coef; // (K, d + 1)
};

/// start (K, d + 1): where to begin. Throws ValueError for an unknown solver, or l1 with one that has no place for it.
LogisticFit fit_logistic(const RunContext& ctx, const Table& X, std::span<const std::int32_t> y,
                         std::span<const double> weight, std::span<const double> start, const LogisticParams& params);

/// The value at theta (K, d + 1) of the objective without its L1 term, and its gradient there (K, d + 1).
double logistic_value_and_gradient(const RunContext& ctx, const Table& X, std::span<const std::int32_t> y,
                                   std::span<const double> weight, const LogisticParams& params,
                                   std::span<const double> theta, std::span<double> gradient);

} // namespace mlcore::linear_model
