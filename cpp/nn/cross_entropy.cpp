#include "nn/cross_entropy.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "nn/softmax_row.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace mlcore::nn {
namespace {

using simd::Floats;

[[gnu::always_inline]] inline Floats first_of(std::size_t count, Floats v) {
    return count == simd::lanes ? v : simd::first_lanes(count, v, Floats{});
}

/// What a row of logits is reduced to, with e_j = e^(x_j - m) and m the largest of x.
struct Row {
    double log_sum; // of e
    double sum;     // of e
};

/// Where the loss and the gradient of one row come from.
class RowLoss {
  public:
    explicit RowLoss(const CrossEntropy& problem) : p_(problem) {
        if (p_.label_smoothing > 0) {
            smoothing_ = p_.label_smoothing / static_cast<float>(p_.n);
            weight_sum_ = static_cast<double>(p_.n);
            if (p_.class_weight) {
                weight_sum_ = 0;
                for (std::size_t j = 0; j < p_.n; ++j) weight_sum_ += static_cast<double>(p_.class_weight[j]);
            }
        }
    }

    /// Returns the loss; writes the gradient times factor unless it is nullptr.
    double operator()(std::size_t i, float factor, float* gradient) const {
        const float* x = p_.x + i * p_.n;
        if (p_.distribution) return against_distribution(x, p_.distribution + i * p_.n, factor, gradient);
        if (p_.target[i] == p_.ignore_index) {
            if (gradient) std::fill_n(gradient, p_.n, 0.0f);
            return 0;
        }
        return against_class(x, static_cast<std::size_t>(p_.target[i]), factor, gradient);
    }

  private:
    /// e goes to the place of the gradient, which is to be scaled from there while it is in cache.
    Row exponentials(const float* x, float most, float* e) const {
        const double sum = e ? sum_exp(x, p_.n, most,
                                       [=](std::size_t j, Floats v, std::size_t count) {
                                           store_count(e + j, v, count);
                                           return v;
                                       })
                             : sum_exp(x, p_.n, most, [](std::size_t, Floats v, std::size_t) { return v; });
        return {std::log(sum), sum};
    }

    double against_class(const float* x, std::size_t t, float factor, float* gradient) const {
        const float most = row_max(x, p_.n);
        const double below = static_cast<double>(most) - static_cast<double>(x[t]);
        const double all_below = smoothing_ > 0 ? weighted_below(x, most) : 0;
        const Row row = exponentials(x, most, gradient); // which may lie where x has been
        const float w = p_.class_weight ? p_.class_weight[t] : 1.0f;
        const double minus_log_p = row.log_sum + below;
        double loss = (1 - static_cast<double>(p_.label_smoothing)) * static_cast<double>(w) * minus_log_p;
        if (smoothing_ > 0) loss += static_cast<double>(smoothing_) * (all_below + row.log_sum * weight_sum_);
        double slope = w; // sum_k q_k w_k
        if (p_.gamma > 0) {
            const double p = std::exp(-minus_log_p), rest = -std::expm1(-minus_log_p), gamma = p_.gamma;
            const double power = std::pow(rest, gamma);
            slope *= rest > 0 && p > 0 ? power + gamma * p * (power / rest) * minus_log_p : power;
            loss *= power;
        } else if (smoothing_ > 0) {
            slope =
                (1 - static_cast<double>(p_.label_smoothing)) * slope + static_cast<double>(smoothing_) * weight_sum_;
        }
        if (gradient) {
            const auto scale = static_cast<float>(static_cast<double>(factor) * slope / row.sum);
            if (smoothing_ > 0)
                subtract_smoothing(gradient, scale, factor * smoothing_);
            else
                vf::map(gradient, gradient, p_.n, [=](Floats e) { return e * scale; });
            gradient[t] -= factor * (p_.gamma > 0 ? static_cast<float>(slope) : (1 - p_.label_smoothing) * w);
        }
        return loss;
    }

    /// sum_j w_j (m - x_j)
    double weighted_below(const float* x, float most) const {
        return row_sums<1>(p_.n, [&](std::size_t j, std::size_t count) {
            Floats below = most - load_count(x + j, count);
            if (p_.class_weight) below *= load_count(p_.class_weight + j, count);
            return std::array{first_of(count, below)};
        })[0];
    }

    void subtract_smoothing(float* gradient, float scale, float shift) const {
        if (p_.class_weight)
            vf::map(gradient, p_.class_weight, gradient, p_.n,
                    [=](Floats e, Floats w) { return simd::fma(e, simd::broadcast(scale), -shift * w); });
        else
            vf::map(gradient, gradient, p_.n,
                    [=](Floats e) { return simd::fma(e, simd::broadcast(scale), simd::broadcast(-shift)); });
    }

    double against_distribution(const float* x, const float* target, float factor, float* gradient) const {
        const float most = row_max(x, p_.n);
        const float keep = 1 - p_.label_smoothing;
        const auto qw = [&](std::size_t j, std::size_t count) {
            const Floats q = keep * load_count(target + j, count) + smoothing_;
            return first_of(count, p_.class_weight ? q * load_count(p_.class_weight + j, count) : q);
        };
        // sum_j q_j w_j, sum_j q_j w_j (m - x_j)
        const auto [total, below] = row_sums<2>(p_.n, [&](std::size_t j, std::size_t count) {
            const Floats q = qw(j, count);
            return std::array{q, first_of(count, q * (most - load_count(x + j, count)))};
        });
        const Row row = exponentials(x, most, gradient); // which may lie where x has been
        if (gradient) {
            const auto scale = static_cast<float>(static_cast<double>(factor) * total / row.sum);
            for_vectors(0, p_.n, [&](std::size_t j, std::size_t count) {
                const Floats e = load_count(gradient + j, count);
                store_count(gradient + j, simd::fma(e, simd::broadcast(scale), -factor * qw(j, count)), count);
            });
        }
        return below + row.log_sum * total;
    }

    const CrossEntropy& p_;
    float smoothing_ = 0; // a / n
    double weight_sum_ = 0;
};

} // namespace

void check_targets(const CrossEntropy& problem) {
    if (!problem.target) return;
    for (std::size_t i = 0; i < problem.m; ++i) {
        const std::int64_t t = problem.target[i];
        if (t != problem.ignore_index && (t < 0 || static_cast<std::size_t>(t) >= problem.n))
            throw ValueError("target " + std::to_string(t) + " at position " + std::to_string(i) +
                             " is outside the classes 0 .. " + std::to_string(problem.n) + " - 1 of the logits");
    }
}

double total_weight(const RunContext& ctx, const CrossEntropy& problem) {
    if (problem.distribution) return static_cast<double>(problem.m);
    const auto sum = [&](std::size_t begin, std::size_t end) {
        double total = 0;
        for (std::size_t i = begin; i < end; ++i)
            if (problem.target[i] != problem.ignore_index)
                total += problem.class_weight ? static_cast<double>(problem.class_weight[problem.target[i]]) : 1.0;
        return total;
    };
    return parallel_reduce(ctx, problem.m, 1, 0.0, sum, [](double a, double b) { return a + b; });
}

double cross_entropy(const RunContext& ctx, const CrossEntropy& problem, float factor, const float* row_factor,
                     float* loss, float* gradient) {
    const RowLoss row_loss(problem);
    Scratch<double> losses(std::max<std::size_t>(problem.m, 1));
    parallel_tasks(ctx, problem.m, 30 + 0.8 * static_cast<double>(problem.n), [&](std::size_t i, int) {
        losses[i] =
            row_loss(i, row_factor ? factor * row_factor[i] : factor, gradient ? gradient + i * problem.n : nullptr);
    });
    double total = 0;
    for (std::size_t i = 0; i < problem.m; ++i) total += losses[i];
    if (loss)
        for (std::size_t i = 0; i < problem.m; ++i) loss[i] = static_cast<float>(losses[i]);
    return total;
}

} // namespace mlcore::nn
