#include "linear_model/logistic/line_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace mlcore::linear_model {

double dot(const Vector& a, const Vector& b) {
    constexpr std::size_t chains = 16; // fixed: the order of the sum is the same at any width of vectors
    double total[chains] = {};
    std::size_t i = 0;
    for (; i + chains <= a.size(); i += chains)
        for (std::size_t c = 0; c < chains; ++c) total[c] += a[i + c] * b[i + c];
    for (std::size_t c = 0; i < a.size(); ++i, ++c) total[c] += a[i] * b[i];
    double sum = 0;
    for (const double t : total) sum += t;
    return sum;
}

void add(double scale, const Vector& from, Vector& to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += scale * from[i];
}

double largest(const Vector& v) {
    double most = 0;
    for (const double x : v) most = std::isnan(x) ? x : std::max(most, std::abs(x));
    return most;
}

Point point_at(const SmoothFunction& f, Vector theta) {
    Point point{std::move(theta), {}, 0};
    point.gradient.resize(point.theta.size());
    point.value = f(point.theta.data(), point.gradient.data());
    return point;
}

bool search_line(const SmoothFunction& f, const Point& from, const Vector& towards, double slope, Point& to) {
    constexpr double decrease = 1e-4, curvature = 0.9;
    constexpr int most_trials = 40;
    const double noise = 1e-15 * std::max(std::abs(from.value), 1.0);
    double low = 0, high = std::numeric_limits<double>::infinity(), step = 1;
    to.gradient.resize(from.gradient.size());
    for (int trial = 0; trial < most_trials; ++trial) {
        to.theta = from.theta;
        add(step, towards, to.theta);
        to.value = f(to.theta.data(), to.gradient.data());
        const double new_slope = dot(to.gradient, towards);
        const bool lower = to.value <= from.value + decrease * step * slope;
        const bool flat = to.value <= from.value + noise && new_slope <= (2 * decrease - 1) * slope;
        if (!(lower || flat)) { // NaN too
            high = step;
            double next = (low + high) / 2;
            if (low == 0 && std::isfinite(to.value)) // the least value of the parabola through what is known
                next = std::clamp(-slope * step * step / (2 * (to.value - from.value - slope * step)), 0.1 * step,
                                  0.5 * step);
            step = next;
        } else if (new_slope < curvature * slope) {
            low = step;
            step = std::isinf(high) ? 2 * step : (low + high) / 2;
        } else {
            return true;
        }
        if (std::isfinite(high) && high - low <= 1e-12 * high) break;
    }
    return to.value < from.value;
}

} // namespace mlcore::linear_model
