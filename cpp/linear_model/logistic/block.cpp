#include "linear_model/logistic/block.hpp"

#include "core/simd.hpp"
#include "core/vecmath.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::linear_model {
namespace {

/// z (n): scores in, residuals s (p - y) out; p (n) out. Returns the sum of s loss.
double two_classes(std::size_t n, double* z, double* p, double* loss, const std::int32_t* y, const double* s) {
    for (std::size_t i = 0; i < n; ++i) {
        const double score = z[i], target = y[i];
        const double e = vm::exp_(-std::abs(score));
        const double probability = (score >= 0 ? 1.0 : e) / (1.0 + e);
        loss[i] = (score > 0 ? score : 0.0) + vm::log_(1.0 + e) - target * score;
        p[i] = probability;
        z[i] = probability - target;
    }
    if (s)
        for (std::size_t i = 0; i < n; ++i) {
            loss[i] *= s[i];
            z[i] *= s[i];
        }
    return ordered_sum(loss, n);
}

/// The same for K classes: z and p (K, stride), scratch (3, stride).
double many_classes(std::size_t n, std::size_t K, std::size_t stride, double* z, double* p, double* scratch,
                    const std::int32_t* y, const double* s) {
    double *top = scratch, *total = scratch + stride, *loss = scratch + 2 * stride;
    for (std::size_t i = 0; i < n; ++i) loss[i] = -z[static_cast<std::size_t>(y[i]) * stride + i];
    std::copy_n(z, n, top);
    for (std::size_t k = 1; k < K; ++k) {
        const double* zk = z + k * stride;
        for (std::size_t i = 0; i < n; ++i) top[i] = zk[i] > top[i] ? zk[i] : top[i];
    }
    std::fill_n(total, n, 0.0);
    for (std::size_t k = 0; k < K; ++k) {
        double* zk = z + k * stride;
        for (std::size_t i = 0; i < n; ++i) {
            zk[i] = vm::exp_(zk[i] - top[i]);
            total[i] += zk[i];
        }
    }
    for (std::size_t i = 0; i < n; ++i) {
        loss[i] += top[i] + vm::log_(total[i]);
        total[i] = 1.0 / total[i];
    }
    for (std::size_t k = 0; k < K; ++k) {
        double *zk = z + k * stride, *pk = p + k * stride;
        for (std::size_t i = 0; i < n; ++i) pk[i] = zk[i] = zk[i] * total[i];
    }
    for (std::size_t i = 0; i < n; ++i) z[static_cast<std::size_t>(y[i]) * stride + i] -= 1.0;
    if (s) {
        for (std::size_t i = 0; i < n; ++i) loss[i] *= s[i];
        for (std::size_t k = 0; k < K; ++k)
            for (std::size_t i = 0; i < n; ++i) z[k * stride + i] *= s[i];
    }
    return ordered_sum(loss, n);
}

} // namespace

double ordered_sum(const double* x, std::size_t n) {
    constexpr std::size_t lanes = simd::lanes_of<double>;
    simd::Doubles total{};
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) total += simd::load(x + i);
    double sum = 0;
    for (std::size_t l = 0; l < lanes; ++l) sum += total[l];
    for (; i < n; ++i) sum += x[i];
    return sum;
}

double logistic_block(std::size_t n, std::size_t K, std::size_t stride, double* z, double* p, double* scratch,
                      const std::int32_t* y, const double* s) {
    return K == 1 ? two_classes(n, z, p, scratch, y, s) : many_classes(n, K, stride, z, p, scratch, y, s);
}

} // namespace mlcore::linear_model
