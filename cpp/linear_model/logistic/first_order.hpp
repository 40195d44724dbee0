// The classical first-order optimizers as solvers of logistic regression: gradient descent on all rows, and stochastic
// gradient descent on shuffled batches with any of the rules in optim/optimizer.hpp. An L1 term is met by a proximal
// step after each update, in the diagonal metric of the adaptive rules, so that zeros are exact here too.
//
// Steps of constant length do not converge to the minimum but into its neighbourhood, the nearer the shorter they are;
// only "gd" reaches any tolerance. Where no learning rate is given:
//   gd                    1 / L, L a bound on the largest eigenvalue of the Hessian
//   sgd, minibatch        1 / (2 L_b), L_b the expected smoothness of a mean over b rows (Gower et al., "SGD: general
//                         analysis and improved rates", 2019): between L and that of the longest row
//   momentum, nesterov    sqrt(1 - momentum) times that: steps in one direction add up to 1 / (1 - momentum) of one,
//                         those in random directions to the root of that
//   adagrad 0.1, rmsprop 0.01, adam 0.01
#pragma once

#include "core/context.hpp"
#include "core/table.hpp"
#include "linear_model/logistic/line_search.hpp"
#include "linear_model/logistic/loss.hpp"

#include <string>

namespace mlcore::linear_model {

struct FirstOrderParams {
    std::string rule = "gd";      // gd, sgd, minibatch, momentum, nesterov, adagrad, rmsprop, adam
    double l1 = 0;                // factor of |W|_1
    double learning_rate = 0;     // 0: as above
    std::size_t batch_size = 128; // rows of one step; gd takes all, sgd one
    double momentum = 0.9;
};

bool is_first_order(const std::string& rule);

/// Minimises the objective plus l1 |W|_1 from theta (K, d + 1) on, in place; X is the table that the loss was made
/// from. An iteration is an epoch: each row once, in an order drawn from ctx.seed. The objective and the gradient are
/// measured on all rows after each.
Outcome minimise_first_order(const RunContext& ctx, LogisticLoss& loss, const Table& X, Vector& theta,
                             const FirstOrderParams& params, const StopRule& stop);

} // namespace mlcore::linear_model
