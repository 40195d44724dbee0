#include "linear_model/logistic/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

namespace mlcore::linear_model {
namespace {

struct Pair {
    Vector step, change; // of theta, of the gradient
    double inverse_product;
};

/// -(approximate inverse Hessian) gradient, by the two loops.
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient) {
    Vector q = gradient;
    std::vector<double> alpha(pairs.size());
    for (std::size_t i = pairs.size(); i-- > 0;) {
        alpha[i] = pairs[i].inverse_product * dot(pairs[i].step, q);
        add(-alpha[i], pairs[i].change, q);
    }
    const double scale = pairs.empty()
                             ? 1 / std::max(std::sqrt(dot(q, q)), 1.0)
                             : 1 / (pairs.back().inverse_product * dot(pairs.back().change, pairs.back().change));
    for (double& x : q) x *= scale;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        add(alpha[i] - pairs[i].inverse_product * dot(pairs[i].change, q), pairs[i].step, q);
    for (double& x : q) x = -x;
    return q;
}

} // namespace

Outcome minimise_lbfgs(const RunContext& ctx, Vector& theta, const SmoothFunction& f, const StopRule& stop,
                       int memory) {
    Point at = point_at(f, std::move(theta)), next;
    Record record(ctx, stop, at.value, largest(at.gradient));
    std::deque<Pair> pairs;
    while (record.goes_on()) {
        ctx.checkpoint();
        Vector towards = direction(pairs, at.gradient);
        double slope = dot(towards, at.gradient);
        if (!(slope < 0)) { // rounding has spoilt the pairs
            pairs.clear();
            towards = direction(pairs, at.gradient);
            slope = dot(towards, at.gradient);
        }
        if (!search_line(f, at, towards, slope, next)) {
            if (pairs.empty()) break;
            pairs.clear();
            continue;
        }
        Pair pair{next.theta, next.gradient, 0};
        add(-1, at.theta, pair.step);
        add(-1, at.gradient, pair.change);
        const double product = dot(pair.step, pair.change);
        if (product > 1e-16 * dot(pair.change, pair.change)) {
            pair.inverse_product = 1 / product;
            pairs.push_back(std::move(pair));
            if (pairs.size() > static_cast<std::size_t>(memory)) pairs.pop_front();
        }
        std::swap(at, next);
        record.iteration(at.value, largest(at.gradient));
    }
    theta = std::move(at.theta);
    return record.take();
}

} // namespace mlcore::linear_model
