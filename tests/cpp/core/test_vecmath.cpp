// The stated largest errors of core/vecmath.hpp, measured against long double over the whole range of each function.
#include "check.hpp"

#include "core/random.hpp"
#include "core/vecmath.hpp"

#include <bit>
#include <cstring>
#include <vector>

using namespace mlcore;

namespace {

/// Distance in units of the last place of the right answer, denormal ones included.
template <class T>
double ulp_error(T got, long double right) {
    using Limits = std::numeric_limits<T>;
    if (std::isnan(right)) return std::isnan(got) ? 0 : HUGE_VAL;
    const T rounded = static_cast<T>(right);
    if (std::isinf(rounded) && got == rounded) return 0;
    if (std::isinf(rounded) || !std::isfinite(got)) return HUGE_VAL;
    int exponent;
    std::frexp(right, &exponent);
    exponent = std::max(exponent, Limits::min_exponent);
    return static_cast<double>(std::abs(got - right) / std::ldexp(1.0L, exponent - Limits::digits));
}

template <class T>
std::vector<T> special_values() {
    using Limits = std::numeric_limits<T>;
    const T inf = Limits::infinity(), tiny = Limits::denorm_min(), small = Limits::min(), big = Limits::max();
    std::vector<T> x;
    for (T value : {T{0},
                    tiny,
                    3 * tiny,
                    small - tiny,
                    small,
                    small + tiny,
                    Limits::epsilon(),
                    T{0.5},
                    T(0.70710678),
                    T{1},
                    1 - Limits::epsilon() / 2,
                    1 + Limits::epsilon(),
                    T{2},
                    T{20},
                    T{87.3},
                    T{88.72},
                    T{88.73},
                    T{103.9},
                    T{104},
                    T{709.78},
                    T{709.79},
                    T{745.13},
                    T{745.14},
                    T{1e6},
                    T{1e30},
                    big,
                    inf,
                    Limits::quiet_NaN()}) {
        x.push_back(value);
        x.push_back(-value);
    }
    return x;
}

/// Every scale of both signs, and `dense` draws from [low, high].
template <class T>
std::vector<T> arguments(double low, double high) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    std::vector<T> x = special_values<T>();
    const Philox random(11, sizeof(T));
    for (std::uint64_t i = 0; i < 300'000; ++i) {
        x.push_back(std::bit_cast<T>(static_cast<Bits>(random.u64(i))));
        x.push_back(static_cast<T>(low + (high - low) * random.uniform(i)));
        x.push_back(static_cast<T>(std::exp2(-12 * random.uniform(i)) * (i % 2 ? high : low)));
    }
    return x;
}

template <class T, class Array, class Scalar, class Reference>
void check_error(const char* name, double low, double high, double stated, Array array, Scalar scalar,
                 Reference right) {
    const std::vector<T> x = arguments<T>(low, high);
    std::vector<T> y(x.size());
    array(x.data(), y.data(), x.size());
    double worst = 0;
    T at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = ulp_error(y[i], right(static_cast<long double>(x[i])));
        if (error > worst) worst = error, at = x[i];
        const T alone = scalar(x[i]); // vector code and scalar code round alike
        CHECK((std::isnan(alone) && std::isnan(y[i])) || std::memcmp(&alone, &y[i], sizeof(T)) == 0);
    }
    std::printf("  %-8s %s: largest error %.3f ulp at %.9g\n", name, sizeof(T) == 4 ? "float " : "double", worst,
                double(at));
    CHECK(worst <= stated);
}

long double sigmoid_reference(long double x) {
    return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

using Double = void (*)(const double*, double*, std::size_t);
using Float = void (*)(const float*, float*, std::size_t);

} // namespace

#define LAMBDA(f) [](auto x) { return f(x); }

TEST(exp_error) {
    check_error<double>("exp", -746, 710, 1.1, Double(vm::exp), LAMBDA(vm::exp_), LAMBDA(std::exp));
    check_error<float>("exp", -104, 89, 1.1, Float(vm::exp), LAMBDA(vm::exp_), LAMBDA(std::exp));
}

TEST(log_error) {
    check_error<double>("log", 0, 4, 0.9, Double(vm::log), LAMBDA(vm::log_), LAMBDA(std::log));
    check_error<float>("log", 0, 4, 0.9, Float(vm::log), LAMBDA(vm::log_), LAMBDA(std::log));
}

TEST(tanh_error) {
    check_error<double>("tanh", -4, 4, 2.7, Double(vm::tanh), LAMBDA(vm::tanh_), LAMBDA(std::tanh));
    check_error<float>("tanh", -4, 4, 2.7, Float(vm::tanh), LAMBDA(vm::tanh_), LAMBDA(std::tanh));
}

TEST(sigmoid_error) {
    check_error<double>("sigmoid", -746, 40, 2.6, Double(vm::sigmoid), LAMBDA(vm::sigmoid_), sigmoid_reference);
    check_error<float>("sigmoid", -104, 20, 2.6, Float(vm::sigmoid), LAMBDA(vm::sigmoid_), sigmoid_reference);
}

TEST(exact_values) {
    CHECK_EQUAL(vm::exp_(0.0), 1.0);
    CHECK_EQUAL(vm::exp_(-0.0f), 1.0f);
    CHECK_EQUAL(vm::log_(1.0), 0.0);
    CHECK_EQUAL(vm::log_(1.0f), 0.0f);
    CHECK_EQUAL(vm::sigmoid_(0.0), 0.5);
    CHECK(vm::tanh_(-0.0) == 0 && std::signbit(vm::tanh_(-0.0)));
    CHECK_EQUAL(vm::tanh_(30.0f), 1.0f);
    CHECK_EQUAL(vm::exp_(-HUGE_VAL), 0.0);
    CHECK_EQUAL(vm::log_(0.0), -HUGE_VAL);
    CHECK(std::isnan(vm::log_(-1.0)));
    CHECK_EQUAL(vm::sigmoid_(-HUGE_VAL), 0.0);
    CHECK_EQUAL(vm::sigmoid_(HUGE_VAL), 1.0);
}

TEST(sizes_offsets_and_in_place) {
    for (std::size_t offset = 0; offset < 4; ++offset)
        for (std::size_t n = 0; n <= 33; ++n) {
            std::vector<float> x(n + offset + 1, -7.0f);
            for (std::size_t i = 0; i < n; ++i) x[offset + i] = 0.1f * static_cast<float>(i);
            vm::exp(x.data() + offset, x.data() + offset, n);
            for (std::size_t i = 0; i < n; ++i) CHECK_EQUAL(x[offset + i], vm::exp_(0.1f * static_cast<float>(i)));
            CHECK_EQUAL(x[offset + n], -7.0f);
        }
}
