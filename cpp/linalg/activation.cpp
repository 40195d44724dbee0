#include "linalg/activation.hpp"

#include "core/choice.hpp"
#include "core/vecmath.hpp"
#include "linalg/vector_functions.hpp"

namespace mlcore::linalg {
namespace {

using simd::Floats;

/// gelu_tanh(x) = x sigmoid(u): u, and its derivative.
[[gnu::always_inline]] inline Floats tanh_argument(Floats x) {
    return 1.5957691f * x * simd::fma(x * x, simd::broadcast(0.044715f), simd::broadcast(1.0f));
}
[[gnu::always_inline]] inline Floats tanh_argument_slope(Floats x) {
    return 1.5957691f * simd::fma(x * x, simd::broadcast(3 * 0.044715f), simd::broadcast(1.0f));
}

/// mish(x) = x w with w = tanh(log(1 + e^x)), and 1 - w^2, by e = e^-|x|, without cancellation.
struct Mish {
    Floats w, rest;
};

[[gnu::always_inline]] inline Mish mish(Floats x) {
    const Floats e = simd::exp_negative(-vf::abs(x)), double_square = 2 * e * e, product = e * (e + 2);
    const Floats below = x >= 0 ? 1 + 2 * e + double_square : product + 2;
    const Floats w = (x >= 0 ? 1 + 2 * e : product) / below;
    return {w, (x >= 0 ? double_square : Floats{} + 2) / below * (1 + w)};
}

} // namespace

Activation parse_activation(const std::string& name) {
    return choose<Activation>("activation", name,
                              {{"identity", Activation::identity},
                               {"relu", Activation::relu},
                               {"leaky_relu", Activation::leaky_relu},
                               {"sigmoid", Activation::sigmoid},
                               {"tanh", Activation::tanh},
                               {"gelu", Activation::gelu},
                               {"gelu_tanh", Activation::gelu_tanh},
                               {"silu", Activation::silu},
                               {"softplus", Activation::softplus},
                               {"elu", Activation::elu},
                               {"hardswish", Activation::hardswish},
                               {"mish", Activation::mish}});
}

bool gradient_needs_input(Activation activation) {
    return activation == Activation::gelu || activation == Activation::gelu_tanh || activation == Activation::silu ||
           activation == Activation::softplus || activation == Activation::hardswish || activation == Activation::mish;
}

void activate(Activation activation, const float* x, float* y, std::size_t n, float slope) {
    switch (activation) {
    case Activation::identity:
        return vf::map(x, y, n, [](Floats v) { return v; });
    case Activation::relu: // NaN stays NaN
        return vf::map(x, y, n, [](Floats v) { return v < 0 ? Floats{} : v; });
    case Activation::leaky_relu:
        return vf::map(x, y, n, [=](Floats v) { return v > 0 ? v : slope * v; });
    case Activation::sigmoid:
        return vf::map(x, y, n, [](Floats v) { return vf::sigmoid(v); });
    case Activation::tanh:
        return vm::tanh(x, y, n);
    case Activation::gelu:
        return vf::map(x, y, n, [](Floats v) { return v * vf::normal(v).cdf; });
    case Activation::gelu_tanh:
        return vf::map(x, y, n, [](Floats v) { return v * vf::sigmoid(tanh_argument(v)); });
    case Activation::silu:
        return vf::map(x, y, n, [](Floats v) { return v * vf::sigmoid(v); });
    case Activation::softplus:
        return vf::map(x, y, n, [](Floats v) { return vf::softplus(v); });
    case Activation::elu:
        return vf::map(x, y, n, [](Floats v) { return v > 0 ? v : vf::expm1_negative(v); });
    case Activation::hardswish:
        return vf::map(x, y, n, [](Floats v) {
            const Floats inner = v * (v + 3) * (1 / 6.0f);
            return v <= -3 ? Floats{} : v >= 3 ? v : inner;
        });
    case Activation::mish:
        return vf::map(x, y, n, [](Floats v) { return v * mish(v).w; });
    }
}

void activate_backward(Activation activation, const float* saved, const float* dy, float* dx, std::size_t n,
                       float slope) {
    switch (activation) {
    case Activation::identity:
        return vf::map(dy, dx, n, [](Floats d) { return d; });
    case Activation::relu:
        return vf::map(saved, dy, dx, n, [](Floats y, Floats d) { return y > 0 ? d : Floats{}; });
    case Activation::leaky_relu: // slope >= 0: y has the sign of x
        return vf::map(saved, dy, dx, n, [=](Floats y, Floats d) { return y > 0 ? d : slope * d; });
    case Activation::sigmoid:
        return vf::map(saved, dy, dx, n, [](Floats y, Floats d) { return d * y * (1 - y); });
    case Activation::tanh:
        return vf::map(saved, dy, dx, n, [](Floats y, Floats d) { return d * (1 - y) * (1 + y); });
    case Activation::gelu:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) {
            const vf::Normal p = vf::normal(x);
            return d * simd::fma(x, p.density, p.cdf);
        });
    case Activation::gelu_tanh:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) {
            const Floats s = vf::sigmoid(tanh_argument(x));
            return d * s * simd::fma(x * tanh_argument_slope(x), 1 - s, simd::broadcast(1.0f));
        });
    case Activation::silu:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) {
            const Floats s = vf::sigmoid(x);
            return d * s * simd::fma(x, 1 - s, simd::broadcast(1.0f));
        });
    case Activation::softplus:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) { return d * vf::sigmoid(x); });
    case Activation::elu: // y has the sign of x
        return vf::map(saved, dy, dx, n, [](Floats y, Floats d) { return y > 0 ? d : d * (y + 1); });
    case Activation::hardswish:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) {
            const Floats rise = x * (1 / 3.0f) + 0.5f;
            return x <= -3 ? Floats{} : x >= 3 ? d : d * rise;
        });
    case Activation::mish:
        return vf::map(saved, dy, dx, n, [](Floats x, Floats d) {
            const Mish m = mish(x);
            return d * simd::fma(x * vf::sigmoid(x), m.rest, m.w);
        });
    }
}

} // namespace mlcore::linalg
