#include "optim/optimizer.hpp"

#include "core/choice.hpp"
#include "core/error.hpp"

#include <cmath>

namespace mlcore::optim {
namespace {

void check_not_negative(const char* name, double value) {
    if (!(value >= 0) || std::isinf(value))
        throw ValueError(std::string(name) + " of an optimizer must be finite and not negative, got " +
                         std::to_string(value));
}

void check_positive(const char* name, double value) {
    if (!(value > 0) || std::isinf(value))
        throw ValueError(std::string(name) + " of an optimizer must be positive and finite, got " +
                         std::to_string(value));
}

void check_decay(const char* name, double value) {
    if (!(value >= 0 && value < 1))
        throw ValueError(std::string(name) + " of an optimizer must be in [0, 1), got " + std::to_string(value));
}

/// The g of the rules, from the gradient that is given. A NaN stays one.
template <class T>
struct Gradient {
    T scale, limit, decay;

    Gradient(const OptimizerParams& params, bool is_decoupled)
        : scale(static_cast<T>(params.gradient_scale)), limit(static_cast<T>(params.clip_value)),
          decay(is_decoupled ? T(0) : static_cast<T>(params.weight_decay)) {}

    T operator()(T given, T p) const {
        const T scaled = scale * given;
        const T clipped = scaled > limit ? limit : scaled < -limit ? -limit : scaled;
        return clipped + decay * p;
    }
};

// One loop a rule, over plain arrays that do not overlap: each is one pass that the compiler vectorises.

template <class T>
void sgd(std::size_t n, const T* __restrict given, T* __restrict p, Gradient<T> gradient, T rate) {
    for (std::size_t j = 0; j < n; ++j) p[j] -= rate * gradient(given[j], p[j]);
}

template <class T>
void momentum(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict v, Gradient<T> gradient, T m,
              T rate) {
    for (std::size_t j = 0; j < n; ++j) {
        v[j] = m * v[j] + gradient(given[j], p[j]);
        p[j] -= rate * v[j];
    }
}

template <class T>
void nesterov(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict v, Gradient<T> gradient, T m,
              T rate) {
    for (std::size_t j = 0; j < n; ++j) {
        const T g = gradient(given[j], p[j]);
        v[j] = m * v[j] + g;
        p[j] -= rate * (g + m * v[j]);
    }
}

/// A gradient of exactly zero moves nothing, even where s and epsilon are zero too.
template <class T>
T safe_inverse(T x) {
    return x > 0 ? 1 / x : T(0);
}

/// A NaN in s is a NaN in the parameters, not a step of zero.
template <class T>
T length_of(T rate, T denominator) {
    return std::isnan(denominator) ? denominator : rate * safe_inverse(denominator);
}

template <class T, bool keep>
void adagrad(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict s, T* __restrict metric,
             Gradient<T> gradient, T rate, T epsilon) {
    for (std::size_t j = 0; j < n; ++j) {
        const T g = gradient(given[j], p[j]);
        s[j] += g * g;
        const T length = length_of(rate, std::sqrt(s[j]) + epsilon);
        p[j] -= length * g;
        if constexpr (keep) metric[j] = length;
    }
}

template <class T, bool keep>
void rmsprop(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict s, T* __restrict metric,
             Gradient<T> gradient, T rate, T epsilon, T rho, T fresh) {
    for (std::size_t j = 0; j < n; ++j) {
        const T g = gradient(given[j], p[j]);
        s[j] = rho * s[j] + fresh * (g * g);
        const T length = length_of(rate, std::sqrt(s[j]) + epsilon);
        p[j] -= length * g;
        if constexpr (keep) metric[j] = length;
    }
}

/// The forms of rmsprop with more state; they keep no metric. A variance below zero is rounding.
template <class T, bool centred, bool moves>
void rmsprop_more(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict v, T* __restrict s,
                  T* __restrict x, Gradient<T> gradient, const OptimizerParams& params) {
    const T rate = static_cast<T>(params.learning_rate), epsilon = static_cast<T>(params.epsilon);
    const T rho = static_cast<T>(params.rho), fresh = static_cast<T>(1 - params.rho);
    const T m = static_cast<T>(params.damping);
    for (std::size_t j = 0; j < n; ++j) {
        const T g = gradient(given[j], p[j]);
        s[j] = rho * s[j] + fresh * (g * g);
        T variance = s[j];
        if constexpr (centred) {
            x[j] = rho * x[j] + fresh * g;
            variance -= x[j] * x[j];
            variance = variance < 0 ? T(0) : variance;
        }
        const T move = length_of(T(1), std::sqrt(variance) + epsilon) * g;
        if constexpr (moves) v[j] = m * v[j] + move;
        p[j] -= rate * (moves ? v[j] : move);
    }
}

/// c1 = 1 / (1 - b1^t), c2 = 1 / sqrt(1 - b2^t): the root is taken before the division, so that the small s of the
/// first steps does not underflow. p is multiplied by `kept` first, which is 1 but for decoupled decay. With `is_max` x
/// is the largest s so far and stands in its place.
template <class T, bool keep, bool is_max>
void adam(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict v, T* __restrict s, T* __restrict x,
          T* __restrict metric, Gradient<T> gradient, const OptimizerParams& params, T kept, T c1, T c2) {
    const T rate = static_cast<T>(params.learning_rate), epsilon = static_cast<T>(params.epsilon);
    const T b1 = static_cast<T>(params.beta1), fresh1 = static_cast<T>(1 - params.beta1);
    const T b2 = static_cast<T>(params.beta2), fresh2 = static_cast<T>(1 - params.beta2);
    for (std::size_t j = 0; j < n; ++j) {
        const T g = gradient(given[j], p[j]);
        v[j] = b1 * v[j] + fresh1 * g;
        s[j] = b2 * s[j] + fresh2 * (g * g);
        T root = s[j];
        if constexpr (is_max) root = x[j] = x[j] > s[j] ? x[j] : s[j];
        const T length = length_of(rate, std::sqrt(root) * c2 + epsilon);
        p[j] = kept * p[j] - length * (v[j] * c1);
        if constexpr (keep) metric[j] = length;
    }
}

/// As adam, with c1 for g beside c2 for v.
template <class T>
void nadam(std::size_t n, const T* __restrict given, T* __restrict p, T* __restrict v, T* __restrict s,
           Gradient<T> gradient, const OptimizerParams& params, T kept, T root_scale) {
    const T rate = static_cast<T>(params.learning_rate), epsilon = static_cast<T>(params.epsilon);
    const T b1 = static_cast<T>(params.beta1), fresh1 = static_cast<T>(1 - params.beta1);
    const T b2 = static_cast<T>(params.beta2), fresh2 = static_cast<T>(1 - params.beta2);
    const T c1 = static_cast<T>(params.share_of_gradient), c2 = static_cast<T>(params.share_of_velocity);
    for (std::size_t j = 0; j < n; ++j) {
        const T decayed = kept * p[j];
        const T g = gradient(given[j], p[j]);
        v[j] = b1 * v[j] + fresh1 * g;
        s[j] = b2 * s[j] + fresh2 * (g * g);
        p[j] = decayed - length_of(rate, std::sqrt(s[j]) * root_scale + epsilon) * (c1 * g + c2 * v[j]);
    }
}

bool is_decoupled(const OptimizerParams& params) {
    return params.rule == Rule::adamw || (params.rule == Rule::nadam && params.is_decoupled);
}

} // namespace

Rule parse_rule(const std::string& name) {
    return choose<Rule>("optimizer", name,
                        {{"sgd", Rule::sgd},
                         {"momentum", Rule::momentum},
                         {"nesterov", Rule::nesterov},
                         {"adagrad", Rule::adagrad},
                         {"rmsprop", Rule::rmsprop},
                         {"adam", Rule::adam},
                         {"adamw", Rule::adamw},
                         {"nadam", Rule::nadam}});
}

bool has_squares(const OptimizerParams& params) noexcept {
    return params.rule != Rule::sgd && params.rule != Rule::momentum && params.rule != Rule::nesterov;
}

bool has_velocity(const OptimizerParams& params) noexcept {
    if (params.rule == Rule::rmsprop) return params.damping > 0;
    return params.rule != Rule::sgd && params.rule != Rule::adagrad;
}

bool has_extra(const OptimizerParams& params) noexcept {
    if (params.rule == Rule::rmsprop) return params.centred;
    return (params.rule == Rule::adam || params.rule == Rule::adamw) && params.amsgrad;
}

void check_params(const OptimizerParams& params) {
    check_not_negative("learning_rate", params.learning_rate);
    check_decay("momentum", params.momentum);
    check_decay("damping", params.damping);
    check_decay("rho", params.rho);
    check_decay("beta1", params.beta1);
    check_decay("beta2", params.beta2);
    check_not_negative("epsilon", params.epsilon);
    check_not_negative("weight_decay", params.weight_decay);
    if (!std::isfinite(params.gradient_scale))
        throw ValueError("gradient_scale of an optimizer must be finite, got " + std::to_string(params.gradient_scale));
    if (params.keep_metric && (has_extra(params) || params.damping > 0 || params.rule == Rule::nadam))
        throw ValueError("this form of the optimizer keeps no metric");
    if (!(params.clip_value > 0))
        throw ValueError("clip_value of an optimizer must be positive, got " + std::to_string(params.clip_value));
}

template <class T>
void update(const OptimizerParams& params, std::uint64_t t, const Piece<T>& piece) {
    const auto& [n, g, p, v, s, x, metric] = piece;
    const T rate = static_cast<T>(params.learning_rate), m = static_cast<T>(params.momentum);
    const T epsilon = static_cast<T>(params.epsilon);
    const Gradient<T> gradient(params, is_decoupled(params));
    switch (params.rule) {
    case Rule::sgd:
        return sgd(n, g, p, gradient, rate);
    case Rule::momentum:
        return momentum(n, g, p, v, gradient, m, rate);
    case Rule::nesterov:
        return nesterov(n, g, p, v, gradient, m, rate);
    case Rule::adagrad:
        return (metric ? adagrad<T, true> : adagrad<T, false>)(n, g, p, s, metric, gradient, rate, epsilon);
    case Rule::rmsprop:
        if (params.centred)
            return (v ? rmsprop_more<T, true, true> : rmsprop_more<T, true, false>)(n, g, p, v, s, x, gradient, params);
        if (v) return rmsprop_more<T, false, true>(n, g, p, v, s, x, gradient, params);
        return (metric ? rmsprop<T, true> : rmsprop<T, false>)(n, g, p, s, metric, gradient, rate, epsilon,
                                                               static_cast<T>(params.rho),
                                                               static_cast<T>(1 - params.rho));
    case Rule::adam:
    case Rule::adamw:
    case Rule::nadam: {
        const double decay = is_decoupled(params) ? params.weight_decay : 0, steps = static_cast<double>(t);
        const T kept = static_cast<T>(1 - params.learning_rate * decay);
        const T c1 = static_cast<T>(1 / (1 - std::pow(params.beta1, steps)));
        const T c2 = static_cast<T>(1 / std::sqrt(1 - std::pow(params.beta2, steps)));
        if (params.rule == Rule::nadam) return nadam(n, g, p, v, s, gradient, params, kept, c2);
        if (x) return adam<T, false, true>(n, g, p, v, s, x, metric, gradient, params, kept, c1, c2);
        return (metric ? adam<T, true, false> : adam<T, false, false>)(n, g, p, v, s, x, metric, gradient, params, kept,
                                                                       c1, c2);
    }
    }
}

template void update<float>(const OptimizerParams&, std::uint64_t, const Piece<float>&);
template void update<double>(const OptimizerParams&, std::uint64_t, const Piece<double>&);

template <class T>
Optimizer<T>::Optimizer(const OptimizerParams& params, std::size_t n_parameters)
    : params_(params), size_(n_parameters) {
    check_params(params);
    check_positive("learning_rate", params.learning_rate);
    if (has_velocity(params)) velocity_ = Buffer<T>(size_, T(0));
    if (has_extra(params)) extra_ = Buffer<T>(size_, T(0));
    if (!has_squares(params)) return;
    squares_ = Buffer<T>(size_, T(0));
    if (params.keep_metric) metric_ = Buffer<T>(size_, static_cast<T>(params.learning_rate));
}

template <class T>
void Optimizer<T>::update(std::size_t begin, std::size_t end, const T* gradient, T* parameters) {
    const auto part = [&](Buffer<T>& buffer) { return buffer.empty() ? nullptr : buffer.data() + begin; };
    optim::update(
        params_, n_steps_,
        Piece<T>{end - begin, gradient, parameters, part(velocity_), part(squares_), part(extra_), part(metric_)});
}

template <class T>
void Optimizer<T>::set_learning_rate(double learning_rate) {
    check_positive("learning_rate", learning_rate);
    params_.learning_rate = learning_rate;
}

template <class T>
const T* Optimizer<T>::metric() const {
    if (!has_squares(params_)) return nullptr;
    MLCORE_CHECK(params_.keep_metric, "metric() of an adaptive rule needs keep_metric");
    return metric_.data();
}

template class Optimizer<float>;
template class Optimizer<double>;

} // namespace mlcore::optim
