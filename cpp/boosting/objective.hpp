// Losses of gradient boosting: gradients and hessians of raw scores, the mean loss, and leaf values beyond a Newton
// step.
//
//     name            loss(y, F)                                      link      leaf values
//     log_loss        log(1 + exp F) - y F, or softmax over K         sigmoid   Newton
//     squared_error   (y - F)^2 / 2                                   identity  Newton = mean
//     absolute_error  |y - F|                                         identity  median of y - F
//     huber           (y-F)^2/2 if |y-F| <= d else d(|y-F| - d/2)     identity  exact minimiser
//     quantile        (y - F)(q - [y < F])                            identity  q-quantile of y - F
//     poisson         exp F - y F                                     exp       Newton
//     gamma           F + y exp(-F)                                   exp       Newton
//     tweedie         exp((2-p)F)/(2-p) - y exp((1-p)F)/(1-p)         exp       Newton
//
// With newton off the hessian is the row's weight, so a tree is fitted to the negative gradient by least squares and
// each leaf's value is found by a line search on the loss (Friedman 2001).
//
// Raw scores are stored output by output: score[k * n + i].
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/context.hpp"

namespace mlcore::boosting {

enum class Loss { log_loss, squared_error, absolute_error, huber, quantile, poisson, gamma, tweedie, custom };

struct Targets {
    std::span<const double> y;      // class index for log_loss
    std::span<const double> weight; // empty: all one
    double weight_of(std::size_t i) const { return weight.empty() ? 1.0 : weight[i]; }
};

struct Objective {
    Loss loss = Loss::squared_error;
    int n_outputs = 1;      // K trees an iteration; log_loss with 1 is binary
    double parameter = 0.0; // quantile: q; huber: d; tweedie: p
    // Gradients and hessians are multiplied by this. Those of poisson and tweedie grow with the unit of y, so that
    // min_child_weight and reg_lambda would mean something else in every unit.
    double gradient_scale = 1.0;

    static Objective parse(const std::string& name, int n_outputs, double parameter);

    bool softmax() const { return loss == Loss::log_loss && n_outputs > 1; }
    // Whether the third derivative is at most the second, which bounds what a Newton step can do (leaf_value.hpp).
    bool bounds_steps() const {
        return loss == Loss::log_loss || loss == Loss::poisson || loss == Loss::gamma || loss == Loss::tweedie;
    }
    // Trees of an iteration that move the same rows share the way to the minimum: see leaf_value.hpp.
    double step_share() const { return softmax() ? 2.0 : 1.0; }
    // The scale at which hessians are one a row in the mean, if predictions are the mean of y in the mean.
    double unit_free_scale(const Targets& targets) const;
    // Leaves are set to the exact minimiser of the loss instead of a Newton step.
    bool renews_leaves() const { return loss == Loss::absolute_error || loss == Loss::huber || loss == Loss::quantile; }
};

// probability[k * n + i] of all classes from their raw scores.
void softmax(const RunContext& ctx, const double* score, std::size_t n, int n_outputs, float* probability);

// Weighted gradient and hessian of output k for rows [begin, end): gradient[i - begin], hessian[i - begin].
// probability: as softmax() leaves it, else unused.
void gradients(const Objective& objective, bool newton, const Targets& targets, const double* score,
               const float* probability, int k, std::size_t begin, std::size_t end, float* gradient, float* hessian);

// Weighted mean of the loss.
double mean_loss(const RunContext& ctx, const Objective& objective, const Targets& targets, const double* score);

// The value that minimises the loss of these rows when added to the raw score of output k.
// score_k: raw scores of output k; for softmax the log odds of class k are taken from probability.
double best_leaf_value(const Objective& objective, const Targets& targets, const double* score_k,
                       const float* probability_k, int k, std::span<const std::uint32_t> rows, double reg_lambda);

} // namespace mlcore::boosting
