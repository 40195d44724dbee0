#include "boosting/objective.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/choice.hpp"
#include "core/parallel.hpp"
#include "core/quantile.hpp"
#include "core/vecmath.hpp"

namespace mlcore::boosting {
namespace {

struct Derivatives {
    double g, h;
};

// One row's gradient and hessian (unweighted) at raw score F. L is a template argument so that loops vectorise.
template <Loss L>
inline Derivatives derivatives(double y, double F, double parameter) {
    if constexpr (L == Loss::log_loss) {
        const double p = vm::sigmoid_(F);
        return {p - y, p * std::max(1.0 - p, 0x1p-54)}; // never 0 where p rounds to 1: the hessian bounds the step
    } else if constexpr (L == Loss::squared_error) {
        return {F - y, 1.0};
    } else if constexpr (L == Loss::absolute_error) {
        return {F > y ? 1.0 : (F < y ? -1.0 : 0.0), 1.0};
    } else if constexpr (L == Loss::huber) {
        const double r = F - y;
        return {r > parameter ? parameter : (r < -parameter ? -parameter : r), 1.0};
    } else if constexpr (L == Loss::quantile) {
        return {F > y ? 1.0 - parameter : -parameter, 1.0};
    } else if constexpr (L == Loss::poisson) {
        const double mean = vm::exp_(F);
        return {mean - y, mean};
    } else if constexpr (L == Loss::gamma) {
        const double ratio = y * vm::exp_(-F);
        return {1.0 - ratio, ratio};
    } else {
        const double p = parameter;
        const double a = y * vm::exp_((1.0 - p) * F), b = vm::exp_((2.0 - p) * F);
        return {b - a, (2.0 - p) * b - (1.0 - p) * a};
    }
}

template <Loss L>
inline double loss_value(double y, double F, double parameter) {
    if constexpr (L == Loss::log_loss) {
        return std::max(F, 0.0) - y * F + vm::log_(1.0 + vm::exp_(-std::abs(F)));
    } else if constexpr (L == Loss::squared_error) {
        return 0.5 * (y - F) * (y - F);
    } else if constexpr (L == Loss::absolute_error) {
        return std::abs(y - F);
    } else if constexpr (L == Loss::huber) {
        const double r = std::abs(y - F);
        return r <= parameter ? 0.5 * r * r : parameter * (r - 0.5 * parameter);
    } else if constexpr (L == Loss::quantile) {
        return (y - F) * (parameter - (y < F ? 1.0 : 0.0));
    } else if constexpr (L == Loss::poisson) {
        return vm::exp_(F) - y * F;
    } else if constexpr (L == Loss::gamma) {
        return F + y * vm::exp_(-F);
    } else {
        const double p = parameter;
        return vm::exp_((2.0 - p) * F) / (2.0 - p) - y * vm::exp_((1.0 - p) * F) / (1.0 - p);
    }
}

// Calls f.operator()<L>() for the objective's loss.
template <class F>
decltype(auto) dispatch(Loss loss, F&& f) {
    switch (loss) {
    case Loss::log_loss:
        return f.template operator()<Loss::log_loss>();
    case Loss::squared_error:
        return f.template operator()<Loss::squared_error>();
    case Loss::absolute_error:
        return f.template operator()<Loss::absolute_error>();
    case Loss::huber:
        return f.template operator()<Loss::huber>();
    case Loss::quantile:
        return f.template operator()<Loss::quantile>();
    case Loss::poisson:
        return f.template operator()<Loss::poisson>();
    case Loss::gamma:
        return f.template operator()<Loss::gamma>();
    case Loss::tweedie:
        return f.template operator()<Loss::tweedie>();
    case Loss::custom:
        break;
    }
    throw ValueError("a custom loss has no built-in gradients; use step_custom");
}

// loss[i - begin] = log sum_k exp(score_k) - score_y, in passes over rows that vectorise.
void softmax_losses(const Targets& targets, const double* score, std::size_t n, int n_outputs, std::size_t begin,
                    std::size_t end, double* loss) {
    const std::size_t m = end - begin;
    double top[reduce_block];
    std::copy_n(score + begin, m, top);
    for (int k = 1; k < n_outputs; ++k) {
        const double* s = score + static_cast<std::size_t>(k) * n + begin;
        for (std::size_t j = 0; j < m; ++j) top[j] = std::max(top[j], s[j]);
    }
    std::fill_n(loss, m, 0.0);
    for (int k = 0; k < n_outputs; ++k) {
        const double* s = score + static_cast<std::size_t>(k) * n + begin;
        for (std::size_t j = 0; j < m; ++j) loss[j] += vm::exp_(s[j] - top[j]);
    }
    for (std::size_t j = 0; j < m; ++j) loss[j] = top[j] + vm::log_(loss[j]);
    for (std::size_t j = 0; j < m; ++j)
        loss[j] -= score[static_cast<std::size_t>(targets.y[begin + j]) * n + begin + j];
}

// Root of the monotone derivative sum w clamp(r - v, -d, d) by Newton steps, exact once the set of clamped rows
// settles; a bracket halves the interval where a step would leave it.
double huber_minimiser(const std::vector<double>& r, const std::vector<double>& w, double d) {
    double low = *std::min_element(r.begin(), r.end()), high = *std::max_element(r.begin(), r.end());
    const double precision = 1e-15 * std::max(std::abs(low), std::abs(high));
    double v = 0.5 * (low + high);
    for (int iteration = 0; iteration < 100 && low < high; ++iteration) {
        double psi = 0.0, slope = 0.0;
        for (std::size_t j = 0; j < r.size(); ++j) {
            const double weight = w.empty() ? 1.0 : w[j], e = r[j] - v;
            psi += weight * std::clamp(e, -d, d);
            if (std::abs(e) <= d) slope += weight;
        }
        if (psi == 0.0) break;
        (psi > 0 ? low : high) = v;
        const double next = slope > 0 ? v + psi / slope : v;
        const double moved = next > low && next < high ? next : 0.5 * (low + high);
        if (std::abs(moved - v) <= precision) break;
        v = moved;
    }
    return v;
}

// Line search by damped Newton steps. A pure leaf of log loss has no finite minimiser: the limit keeps it in range.
template <Loss L>
double line_search(const Targets& targets, const std::vector<double>& score, double parameter, int positive_class,
                   std::span<const std::uint32_t> rows, double reg_lambda) {
    constexpr double limit = 8.0, longest_step = 2.0;
    constexpr bool unbounded_steps = L == Loss::squared_error;
    double v = 0.0;
    for (int iteration = 0; iteration < 30; ++iteration) {
        double g = reg_lambda * v, h = reg_lambda;
        for (std::size_t j = 0; j < rows.size(); ++j) {
            const std::size_t i = rows[j];
            const double y = positive_class < 0 ? targets.y[i] : (targets.y[i] == positive_class ? 1.0 : 0.0);
            const Derivatives d = derivatives<L>(y, score[j] + v, parameter);
            const double w = targets.weight_of(i);
            g += w * d.g;
            h += w * d.h;
        }
        if (!(h > 0.0)) break;
        double step = -g / h;
        if constexpr (!unbounded_steps) step = std::clamp(step, -longest_step, longest_step);
        const double next = unbounded_steps ? v + step : std::clamp(v + step, -limit, limit);
        const bool settled = std::abs(next - v) <= 1e-10 * (1.0 + std::abs(v));
        v = next;
        if (settled) break;
    }
    return v;
}

} // namespace

Objective Objective::parse(const std::string& name, int n_outputs, double parameter) {
    const Loss loss = choose<Loss>("loss", name,
                                   {{"log_loss", Loss::log_loss},
                                    {"squared_error", Loss::squared_error},
                                    {"absolute_error", Loss::absolute_error},
                                    {"huber", Loss::huber},
                                    {"quantile", Loss::quantile},
                                    {"poisson", Loss::poisson},
                                    {"gamma", Loss::gamma},
                                    {"tweedie", Loss::tweedie},
                                    {"custom", Loss::custom}});
    if (n_outputs < 1) throw ValueError("n_outputs must be at least 1, got " + std::to_string(n_outputs));
    if (n_outputs > 1 && loss != Loss::log_loss && loss != Loss::custom)
        throw ValueError("loss " + name + " has one output, got n_outputs = " + std::to_string(n_outputs));
    return {loss, n_outputs, parameter};
}

double Objective::unit_free_scale(const Targets& targets) const {
    // At the mean m the hessians of poisson and tweedie are m^(2 - p) in the mean, where p is 1 for poisson.
    if (loss != Loss::poisson && loss != Loss::tweedie) return 1.0;
    double sum = 0.0, weight = 0.0;
    for (std::size_t i = 0; i < targets.y.size(); ++i) {
        sum += targets.weight_of(i) * targets.y[i];
        weight += targets.weight_of(i);
    }
    const double power = loss == Loss::poisson ? 1.0 : parameter, scale = std::pow(sum / weight, power - 2.0);
    return scale > 0.0 && std::isfinite(scale) ? scale : 1.0;
}

void softmax(const RunContext& ctx, const double* score, std::size_t n, int n_outputs, float* probability) {
    constexpr std::size_t block = 256;
    const auto K = static_cast<std::size_t>(n_outputs);
    parallel_tasks(ctx, (n + block - 1) / block, static_cast<double>(block * K) * 3.0, [&](std::size_t b, int) {
        const std::size_t begin = b * block, m = std::min(block, n - begin);
        double top[block], sum[block];
        std::copy_n(score + begin, m, top);
        for (std::size_t k = 1; k < K; ++k)
            for (std::size_t j = 0; j < m; ++j) top[j] = std::max(top[j], score[k * n + begin + j]);
        std::fill_n(sum, m, 0.0);
        for (std::size_t k = 0; k < K; ++k)
            for (std::size_t j = 0; j < m; ++j) {
                const double e = vm::exp_(score[k * n + begin + j] - top[j]);
                sum[j] += e;
                probability[k * n + begin + j] = static_cast<float>(e);
            }
        for (std::size_t k = 0; k < K; ++k)
            for (std::size_t j = 0; j < m; ++j)
                probability[k * n + begin + j] = static_cast<float>(probability[k * n + begin + j] / sum[j]);
    });
}

void gradients(const Objective& objective, bool newton, const Targets& targets, const double* score,
               const float* probability, int k, std::size_t begin, std::size_t end, float* gradient, float* hessian) {
    const std::size_t n = targets.y.size(), m = end - begin, offset = static_cast<std::size_t>(k) * n + begin;
    const double* y = targets.y.data() + begin;
    if (objective.softmax()) {
        const float* p = probability + offset;
        for (std::size_t j = 0; j < m; ++j) {
            gradient[j] = p[j] - (y[j] == k ? 1.0f : 0.0f);
            hessian[j] = p[j] * std::max(1.0f - p[j], 0x1p-25f); // as in derivatives()
        }
    } else {
        const double* F = score + offset;
        const double scale = objective.gradient_scale;
        dispatch(objective.loss, [&]<Loss L>() {
            for (std::size_t j = 0; j < m; ++j) {
                const Derivatives d = derivatives<L>(y[j], F[j], objective.parameter);
                gradient[j] = static_cast<float>(d.g * scale);
                hessian[j] = static_cast<float>(d.h * scale);
            }
        });
    }
    if (!newton) std::fill_n(hessian, m, 1.0f);
    if (targets.weight.empty()) return;
    const double* w = targets.weight.data() + begin;
    for (std::size_t j = 0; j < m; ++j) {
        gradient[j] = static_cast<float>(gradient[j] * w[j]);
        hessian[j] = static_cast<float>(hessian[j] * w[j]);
    }
}

double mean_loss(const RunContext& ctx, const Objective& objective, const Targets& targets, const double* score) {
    struct Mean {
        double loss = 0.0, weight = 0.0;
    };
    const std::size_t n = targets.y.size();
    const double* y = targets.y.data();
    const Mean total = parallel_reduce(
        ctx, n, 3.0 * objective.n_outputs, Mean{},
        [&](std::size_t begin, std::size_t end) {
            double loss[reduce_block]; // of each row, first: that loop vectorises, the sum does not
            if (objective.softmax()) {
                softmax_losses(targets, score, n, objective.n_outputs, begin, end, loss);
            } else {
                dispatch(objective.loss, [&]<Loss L>() {
                    for (std::size_t i = begin; i < end; ++i)
                        loss[i - begin] = loss_value<L>(y[i], score[i], objective.parameter);
                });
            }
            Mean m;
            if (targets.weight.empty()) {
                double sum[8] = {};
                for (std::size_t i = 0; i < end - begin; ++i) sum[i % 8] += loss[i];
                for (const double part : sum) m.loss += part;
                m.weight = static_cast<double>(end - begin);
            } else {
                for (std::size_t i = begin; i < end; ++i) {
                    m.loss += targets.weight[i] * loss[i - begin];
                    m.weight += targets.weight[i];
                }
            }
            return m;
        },
        [](Mean a, const Mean& b) { return Mean{a.loss + b.loss, a.weight + b.weight}; });
    return total.weight > 0 ? total.loss / total.weight : 0.0;
}

double best_leaf_value(const Objective& objective, const Targets& targets, const double* score_k,
                       const float* probability_k, int k, std::span<const std::uint32_t> rows, double reg_lambda) {
    if (rows.empty()) return 0.0;
    if (objective.renews_leaves()) {
        std::vector<double> r(rows.size()), w;
        for (std::size_t j = 0; j < rows.size(); ++j) r[j] = targets.y[rows[j]] - score_k[rows[j]];
        if (!targets.weight.empty())
            for (const std::uint32_t row : rows) w.push_back(targets.weight[row]);
        switch (objective.loss) {
        case Loss::absolute_error:
            return weighted_quantile(r, w, 0.5);
        case Loss::quantile:
            return weighted_quantile(r, w, objective.parameter);
        default:
            return huber_minimiser(r, w, objective.parameter);
        }
    }
    std::vector<double> score(rows.size());
    for (std::size_t j = 0; j < rows.size(); ++j) {
        if (objective.softmax()) {
            // With the other scores fixed, class k against the rest is a logistic model in its log odds.
            const double p = std::clamp(static_cast<double>(probability_k[rows[j]]), 1e-12, 1.0 - 1e-7);
            score[j] = std::log(p / (1.0 - p));
        } else {
            score[j] = score_k[rows[j]];
        }
    }
    const int positive_class = objective.softmax() ? k : -1;
    reg_lambda /= objective.gradient_scale; // the search goes over the loss itself
    return dispatch(objective.loss, [&]<Loss L>() {
        return line_search<L>(targets, score, objective.parameter, positive_class, rows, reg_lambda);
    });
}

} // namespace mlcore::boosting
