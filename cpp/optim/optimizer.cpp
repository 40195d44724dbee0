#include "optim/optimizer.hpp"

#include "core/error.hpp"

#include <cmath>

namespace mlcore::optim {
namespace {

bool is_adaptive(Rule rule) { return rule == Rule::adagrad || rule == Rule::rmsprop || rule == Rule::adam; }

bool has_velocity(Rule rule) { return rule == Rule::momentum || rule == Rule::nesterov || rule == Rule::adam; }

void check_positive(const char* name, double value) {
    if (!(value > 0) || std::isinf(value))
        throw ValueError(std::string(name) + " of an optimizer must be positive and finite, got " +
                         std::to_string(value));
}

void check_decay(const char* name, double value) {
    if (!(value >= 0 && value < 1))
        throw ValueError(std::string(name) + " of an optimizer must be in [0, 1), got " + std::to_string(value));
}

void check(const OptimizerParams& params) {
    check_positive("learning_rate", params.learning_rate);
    check_decay("momentum", params.momentum);
    check_decay("rho", params.rho);
    check_decay("beta1", params.beta1);
    check_decay("beta2", params.beta2);
    if (!(params.epsilon >= 0) || std::isinf(params.epsilon))
        throw ValueError("epsilon of an optimizer must be finite and not negative, got " +
                         std::to_string(params.epsilon));
}

// One loop a rule, over plain arrays that do not overlap: each is one pass that the compiler vectorises.

template <class T>
void sgd(std::size_t n, const T* __restrict g, T* __restrict p, T rate) {
    for (std::size_t j = 0; j < n; ++j) p[j] -= rate * g[j];
}

template <class T>
void momentum(std::size_t n, const T* __restrict g, T* __restrict p, T* __restrict v, T m, T rate) {
    for (std::size_t j = 0; j < n; ++j) {
        v[j] = m * v[j] + g[j];
        p[j] -= rate * v[j];
    }
}

template <class T>
void nesterov(std::size_t n, const T* __restrict g, T* __restrict p, T* __restrict v, T m, T rate) {
    for (std::size_t j = 0; j < n; ++j) {
        v[j] = m * v[j] + g[j];
        p[j] -= rate * (g[j] + m * v[j]);
    }
}

/// A gradient of exactly zero moves nothing, even where s and epsilon are zero too.
template <class T>
T safe_inverse(T x) {
    return x > 0 ? 1 / x : T(0);
}

template <class T, bool keep>
void adagrad(std::size_t n, const T* __restrict g, T* __restrict p, T* __restrict s, T* __restrict metric, T rate,
             T epsilon) {
    for (std::size_t j = 0; j < n; ++j) {
        s[j] += g[j] * g[j];
        const T length = rate * safe_inverse(std::sqrt(s[j]) + epsilon);
        p[j] -= length * g[j];
        if constexpr (keep) metric[j] = length;
    }
}

template <class T, bool keep>
void rmsprop(std::size_t n, const T* __restrict g, T* __restrict p, T* __restrict s, T* __restrict metric, T rate,
             T epsilon, T rho, T fresh) {
    for (std::size_t j = 0; j < n; ++j) {
        s[j] = rho * s[j] + fresh * (g[j] * g[j]);
        const T length = rate * safe_inverse(std::sqrt(s[j]) + epsilon);
        p[j] -= length * g[j];
        if constexpr (keep) metric[j] = length;
    }
}

/// correction1 = 1 / (1 - b1^t), correction2 = 1 / sqrt(1 - b2^t): the root is taken before the division, so that the
/// small s of the first steps does not underflow.
template <class T, bool keep>
void adam(std::size_t n, const T* __restrict g, T* __restrict p, T* __restrict v, T* __restrict s, T* __restrict metric,
          const OptimizerParams& params, double correction1, double correction2) {
    const T rate = static_cast<T>(params.learning_rate), epsilon = static_cast<T>(params.epsilon);
    const T b1 = static_cast<T>(params.beta1), fresh1 = static_cast<T>(1 - params.beta1);
    const T b2 = static_cast<T>(params.beta2), fresh2 = static_cast<T>(1 - params.beta2);
    const T c1 = static_cast<T>(correction1), c2 = static_cast<T>(correction2);
    for (std::size_t j = 0; j < n; ++j) {
        v[j] = b1 * v[j] + fresh1 * g[j];
        s[j] = b2 * s[j] + fresh2 * (g[j] * g[j]);
        const T length = rate * safe_inverse(std::sqrt(s[j]) * c2 + epsilon);
        p[j] -= length * (v[j] * c1);
        if constexpr (keep) metric[j] = length;
    }
}

} // namespace

Rule parse_rule(const std::string& name) {
    if (name == "sgd") return Rule::sgd;
    if (name == "momentum") return Rule::momentum;
    if (name == "nesterov") return Rule::nesterov;
    if (name == "adagrad") return Rule::adagrad;
    if (name == "rmsprop") return Rule::rmsprop;
    if (name == "adam") return Rule::adam;
    throw ValueError("an optimizer is 'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop' or 'adam', got '" + name +
                     "'");
}

template <class T>
Optimizer<T>::Optimizer(const OptimizerParams& params, std::size_t n_parameters)
    : params_(params), size_(n_parameters) {
    check(params);
    if (has_velocity(params.rule)) velocity_ = Buffer<T>(size_, T(0));
    if (!is_adaptive(params.rule)) return;
    squares_ = Buffer<T>(size_, T(0));
    if (params.keep_metric) metric_ = Buffer<T>(size_, static_cast<T>(params.learning_rate));
}

template <class T>
void Optimizer<T>::begin_step() {
    ++n_steps_;
    power1_ *= params_.beta1;
    power2_ *= params_.beta2;
}

template <class T>
void Optimizer<T>::update(std::size_t begin, std::size_t end, const T* gradient, T* parameters) {
    const std::size_t n = end - begin;
    const T rate = static_cast<T>(params_.learning_rate), m = static_cast<T>(params_.momentum);
    const T epsilon = static_cast<T>(params_.epsilon);
    const T* g = gradient + begin;
    T* p = parameters + begin;
    const auto part = [&](Buffer<T>& buffer) { return buffer.empty() ? nullptr : buffer.data() + begin; };
    T *v = part(velocity_), *s = part(squares_), *metric = part(metric_);
    switch (params_.rule) {
    case Rule::sgd:
        return sgd(n, g, p, rate);
    case Rule::momentum:
        return momentum(n, g, p, v, m, rate);
    case Rule::nesterov:
        return nesterov(n, g, p, v, m, rate);
    case Rule::adagrad:
        return (metric ? adagrad<T, true> : adagrad<T, false>)(n, g, p, s, metric, rate, epsilon);
    case Rule::rmsprop:
        return (metric ? rmsprop<T, true> : rmsprop<T, false>)(n, g, p, s, metric, rate, epsilon,
                                                               static_cast<T>(params_.rho),
                                                               static_cast<T>(1 - params_.rho));
    case Rule::adam:
        return (metric ? adam<T, true> : adam<T, false>)(n, g, p, v, s, metric, params_, 1 / (1 - power1_),
                                                         1 / std::sqrt(1 - power2_));
    }
}

template <class T>
void Optimizer<T>::set_learning_rate(double learning_rate) {
    check_positive("learning_rate", learning_rate);
    params_.learning_rate = learning_rate;
}

template <class T>
const T* Optimizer<T>::metric() const {
    if (!is_adaptive(params_.rule)) return nullptr;
    MLCORE_CHECK(params_.keep_metric, "metric() of an adaptive rule needs keep_metric");
    return metric_.data();
}

template class Optimizer<float>;
template class Optimizer<double>;

} // namespace mlcore::optim
