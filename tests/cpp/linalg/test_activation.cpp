// Activations against long double over the whole range, their derivatives against differences, and what
// linalg/vector_functions.hpp promises about accuracy.
#include "check.hpp"

#include "core/error.hpp"
#include "linalg/activation.hpp"
#include "linalg/vector_functions.hpp"

#include <algorithm>
#include <limits>
#include <numbers>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

constexpr Activation all[] = {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::sigmoid,
                              Activation::tanh,     Activation::gelu, Activation::gelu_tanh,  Activation::silu,
                              Activation::softplus, Activation::elu,  Activation::hardswish,  Activation::mish};

long double twin(Activation activation, long double x) {
    switch (activation) {
    case Activation::identity:
        return x;
    case Activation::relu:
        return std::max(x, 0.0L);
    case Activation::leaky_relu:
        return x > 0 ? x : 0.01L * x;
    case Activation::sigmoid:
        return 1 / (1 + std::exp(-x));
    case Activation::tanh:
        return std::tanh(x);
    case Activation::gelu:
        return x * std::erfc(-x / std::sqrt(2.0L)) / 2;
    case Activation::gelu_tanh:
        return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi_v<long double>) * (x + 0.044715L * x * x * x)));
    case Activation::silu:
        return x / (1 + std::exp(-x));
    case Activation::softplus:
        return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x)));
    case Activation::elu:
        return x > 0 ? x : std::expm1(x);
    case Activation::hardswish:
        return x * std::clamp(x + 3, 0.0L, 6.0L) / 6;
    case Activation::mish:
        return x * std::tanh(std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))));
    }
    return 0;
}

std::vector<float> grid() {
    std::vector<float> x;
    for (int i = -60000; i <= 60000; ++i) x.push_back(static_cast<float>(i) * 3.3e-4f);
    for (float tiny = 1e-30f; tiny < 1e-3f; tiny *= 7) {
        x.push_back(tiny);
        x.push_back(-tiny);
    }
    return x;
}

/// Largest error of f in units of the last place of the true value, from `low` on.
template <class F, class G>
double worst_ulp(F f, G truth, float low) {
    double worst = 0;
    for (const float x : grid()) {
        if (x < low) continue;
        const long double expected = truth(static_cast<long double>(x));
        const auto near = static_cast<float>(expected);
        const double ulp = static_cast<double>(std::nextafter(std::abs(near), INFINITY) - std::abs(near));
        const float got = f(simd::broadcast(x))[0];
        worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(got) - expected)) / ulp);
    }
    return worst;
}

} // namespace

TEST(values_and_slopes) {
    const std::vector<float> x = grid();
    const std::size_t n = x.size();
    std::vector<float> y(n), slope(n);
    const std::vector<float> ones(n, 1.0f);
    for (const Activation activation : all) {
        activate(activation, x.data(), y.data(), n);
        activate_backward(activation, gradient_needs_input(activation) ? x.data() : y.data(), ones.data(), slope.data(),
                          n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto v = static_cast<long double>(x[i]);
            const long double expected = twin(activation, v), step = 1e-5L;
            CHECK_CLOSE(y[i], static_cast<double>(expected),
                        2e-7 * std::max(1.0, std::abs(static_cast<double>(expected))));
            if (std::abs(x[i]) > 1e-4f) // relu has a corner
                CHECK_CLOSE(slope[i],
                            static_cast<double>((twin(activation, v + step) - twin(activation, v - step)) / (2 * step)),
                            3e-6);
        }
    }
}

TEST(vector_functions_keep_their_promises) {
    const auto sigmoid = [](long double x) { return 1 / (1 + std::exp(-x)); };
    CHECK(worst_ulp([](simd::Floats v) { return vf::sigmoid(v); }, sigmoid, -80) <= 4);
    const auto expm1 = [](long double x) { return std::expm1(std::min(x, 0.0L)); };
    CHECK(worst_ulp([](simd::Floats v) { return v > 0 ? simd::Floats{} : vf::expm1_negative(v); }, expm1, -80) <= 4);
    const auto softplus = [](long double x) { return twin(Activation::softplus, x); };
    CHECK(worst_ulp([](simd::Floats v) { return vf::softplus(v); }, softplus, -80) <= 5);
    const auto cdf = [](long double x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; };
    for (const float x : grid()) {
        const auto expected = static_cast<double>(cdf(static_cast<long double>(x)));
        const auto got = static_cast<double>(vf::normal(simd::broadcast(x)).cdf[0]);
        CHECK_CLOSE(got, expected, x > -4 ? std::min(3e-7, 1e-6 * expected) : 3e-7);
    }
}

TEST(an_entry_does_not_depend_on_its_place) {
    const std::vector<float> x = grid();
    for (const Activation activation : all) {
        std::vector<float> whole(40), piece(1);
        activate(activation, x.data() + 60000, whole.data(), whole.size());
        for (std::size_t i = 0; i < whole.size(); ++i) {
            activate(activation, x.data() + 60000 + i, piece.data(), 1);
            CHECK_EQUAL(piece[0], whole[i]);
        }
    }
}

TEST(the_ends_of_the_range) {
    const float x[] = {-1e30f, -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity(),
                       std::numeric_limits<float>::quiet_NaN()};
    float y[4];
    for (const Activation activation : all) {
        activate(activation, x, y, 4);
        CHECK(std::isnan(y[3]));
        CHECK(!std::isnan(y[0]) && !std::isnan(y[2]));
    }
    activate(Activation::sigmoid, x, y, 3);
    CHECK(y[0] == 0 && y[1] == 0 && y[2] == 1);
    activate(Activation::softplus, x, y, 3);
    CHECK(y[0] == 0 && y[1] == 0 && std::isinf(y[2]));
}

TEST(names) {
    CHECK(parse_activation("gelu_tanh") == Activation::gelu_tanh);
    CHECK_THROWS(ValueError, parse_activation("swish"));
}
