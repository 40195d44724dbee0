#include "nn/losses.hpp"

#include "core/choice.hpp"
#include "core/parallel.hpp"
#include "core/vecmath.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <limits>

namespace mlcore::nn {
namespace {

using simd::Floats;

/// The loss of some entries and its derivative with respect to x.
struct Point {
    Floats loss, slope;
};

[[gnu::always_inline]] inline Floats sign(Floats x) {
    return (x > 0 ? Floats{} + 1 : Floats{}) - (x < 0 ? Floats{} + 1 : Floats{});
}

/// log(1 + e^x), log(1 + e^-x), and their slopes up to the sign: p and 1 - p.
struct Logistic {
    Floats off, on, p, q;
};

[[gnu::always_inline]] inline Logistic logistic(Floats x) {
    const Floats e = simd::exp_negative(-vf::abs(x)), rest = vf::log1p_unit(e), inverse = 1 / (1 + e);
    const Floats small = e * inverse;
    return {vf::max(Floats{}, x) + rest, vf::max(Floats{}, -x) + rest, x >= 0 ? inverse : small,
            x >= 0 ? small : inverse};
}

constexpr std::size_t float_run = 512; // entries of a block whose sum is kept in float

/// Blocks of entries: their sums are added in order. f(x, t, j, count) -> Point
template <class F>
double sum_points(const RunContext& ctx, const PointwiseLoss& p, float factor, const float* dy, float* loss,
                  float* gradient, F f) {
    const auto run = [&](std::size_t begin, std::size_t end) {
        Floats sum{};
        for_vectors(begin, end, [&](std::size_t j, std::size_t count) {
            Point point = f(load_count(p.x + j, count), load_count(p.target + j, count), j, count);
            if (p.weight) {
                const Floats w = load_count(p.weight + j, count);
                point.loss *= w;
                point.slope *= w;
            }
            if (loss) store_count(loss + j, point.loss, count);
            if (gradient) {
                const Floats d = factor * point.slope;
                store_count(gradient + j, dy ? d * load_count(dy + j, count) : d, count);
            }
            sum += count == simd::lanes ? point.loss : simd::first_lanes(count, point.loss, Floats{});
        });
        return static_cast<double>(sum_lanes(sum));
    };
    const auto block = [&](std::size_t begin, std::size_t end) {
        double total = 0;
        for (; begin < end; begin += float_run) total += run(begin, std::min(begin + float_run, end));
        return total;
    };
    return parallel_reduce(ctx, p.n, 1, 0.0, block, [](double a, double b) { return a + b; });
}

} // namespace

Loss parse_loss(const std::string& name) {
    return choose<Loss>("kind of loss", name,
                        {{"squared", Loss::squared},
                         {"absolute", Loss::absolute},
                         {"smooth_absolute", Loss::smooth_absolute},
                         {"huber", Loss::huber},
                         {"logistic", Loss::logistic},
                         {"focal", Loss::focal},
                         {"divergence", Loss::divergence},
                         {"log_divergence", Loss::log_divergence}});
}

double pointwise_loss(const RunContext& ctx, const PointwiseLoss& problem, float factor, const float* dy, float* loss,
                      float* gradient) {
    const auto sum = [&](auto f) { return sum_points(ctx, problem, factor, dy, loss, gradient, f); };
    const float beta = problem.beta, gamma = problem.gamma, alpha = problem.alpha;
    switch (problem.kind) {
    case Loss::squared:
        return sum([](Floats x, Floats t, std::size_t, std::size_t) {
            const Floats d = x - t;
            return Point{d * d, 2 * d};
        });
    case Loss::absolute:
        return sum([](Floats x, Floats t, std::size_t, std::size_t) {
            const Floats d = x - t;
            return Point{vf::abs(d), sign(d)};
        });
    case Loss::smooth_absolute:
    case Loss::huber: {
        // Both are `scale` times the function whose slope is d / beta, clipped to [-1, 1].
        const float scale = problem.kind == Loss::huber ? beta : 1;
        return sum([=](Floats x, Floats t, std::size_t, std::size_t) {
            const Floats d = x - t, size = vf::abs(d);
            return Point{scale * (size < beta ? d * d * (0.5f / beta) : size - 0.5f * beta),
                         scale * (size < beta ? d * (1 / beta) : sign(d))};
        });
    }
    case Loss::logistic: {
        const float* positive = problem.positive_weight;
        return sum([=](Floats x, Floats t, std::size_t j, std::size_t count) {
            const Logistic v = logistic(x);
            const Floats on = positive ? t * load_count(positive + j, count) : t, off = 1 - t;
            return Point{off * v.off + on * v.on, off * v.p - on * v.q};
        });
    }
    case Loss::focal:
        return sum([=](Floats x, Floats t, std::size_t, std::size_t) {
            const Logistic v = logistic(x);
            const Floats off = 1 - t, loss_ = off * v.off + t * v.on;
            const Floats miss = vf::max(v.p * off + v.q * t, simd::broadcast(std::numeric_limits<float>::min()));
            const Floats power = simd::exp_negative(gamma * vf::log(miss));
            const Floats a = alpha < 0 ? Floats{} + 1 : alpha * t + (1 - alpha) * off;
            return Point{a * power * loss_,
                         a * power * (v.p * off - v.q * t + gamma * loss_ * (v.p * v.q / miss) * (off - t))};
        });
    case Loss::divergence:
        return sum([](Floats x, Floats t, std::size_t, std::size_t) {
            return Point{t == 0 ? Floats{} : t * (vf::log(t) - x), -t}; // NaN for t < 0
        });
    case Loss::log_divergence:
        return sum([](Floats x, Floats t, std::size_t, std::size_t) {
            Floats p;
            for (std::size_t l = 0; l < simd::lanes; ++l) p[l] = vm::exp_(t[l]);
            return Point{p * (t - x), -p};
        });
    }
    throw InternalError("unknown loss");
}

} // namespace mlcore::nn
