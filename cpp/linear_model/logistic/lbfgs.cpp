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
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient, const InverseMetric& metric, int n_iter) {
    Vector q = gradient;
    std::vector<double> alpha(pairs.size());
    for (std::size_t i = pairs.size(); i-- > 0;) {
        alpha[i] = pairs[i].inverse_product * dot(pairs[i].step, q);
        add(-alpha[i], pairs[i].change, q);
    }
    double scale = 1;
    if (metric) {
        metric(n_iter, q);
        if (!pairs.empty()) {
            Vector scaled = pairs.back().change;
            metric(n_iter, scaled);
            scale = 1 / (pairs.back().inverse_product * dot(pairs.back().change, scaled));
        }
    } else if (!pairs.empty()) {
        scale = 1 / (pairs.back().inverse_product * dot(pairs.back().change, pairs.back().change));
    } else {
        scale = 1 / std::max(std::sqrt(dot(q, q)), 1.0);
    }
    for (double& x : q) x *= scale;
    for (std::size_t i = 0; i < pairs.size(); ++i)
        add(alpha[i] - pairs[i].inverse_product * dot(pairs[i].change, q), pairs[i].step, q);
    for (double& x : q) x = -x;
    return q;
}

} // namespace

Outcome minimise_lbfgs(const RunContext& ctx, Vector& theta, const SmoothFunction& f, const InverseMetric& metric,
                       const StopRule& stop, int memory) {
    Outcome out;
    Point at = point_at(f, std::move(theta)), next;
    out.losses.push_back(at.value);
    out.optimality = largest(at.gradient);
    std::deque<Pair> pairs;
    while (out.optimality > stop.tol && out.n_iter < stop.max_iter) {
        ctx.checkpoint();
        Vector towards = direction(pairs, at.gradient, metric, out.n_iter);
        double slope = dot(towards, at.gradient);
        if (!(slope < 0)) { // rounding has spoilt the pairs
            pairs.clear();
            towards = direction(pairs, at.gradient, metric, out.n_iter);
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
        ++out.n_iter;
        out.losses.push_back(at.value);
        out.optimality = largest(at.gradient);
        ctx.progress.iteration(static_cast<std::uint64_t>(out.n_iter), at.value);
    }
    out.converged = out.optimality <= stop.tol;
    theta = std::move(at.theta);
    return out;
}

} // namespace mlcore::linear_model
