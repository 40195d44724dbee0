#include "linear_model/logistic/proximal_newton.hpp"

#include "core/parallel.hpp"
#include "linear_model/logistic/quadratic_l1.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mlcore::linear_model {
namespace {

// Coefficients in one model of all outputs: at first, when many may move and a rough model does, and later on.
constexpr std::size_t most_coupled_early = 1500, most_coupled = 4000;
constexpr int early = 10;                  // iterations
constexpr std::size_t most_at_work = 3000; // of one output
constexpr double about_to_leave = 0.8;     // share of l1 that the gradient of such a zero has reached
constexpr int most_passes = 1000;

/// The coefficients that the next step may change, output by output.
std::vector<linalg::ColumnSet> working_set(const LogisticLoss& loss, double l1, const Point& at) {
    const std::size_t d = loss.n_cols();
    std::vector<linalg::ColumnSet> sets;
    for (std::size_t k = 0; k < loss.n_outputs(); ++k) {
        const double *theta = &at.theta[k * (d + 1)], *gradient = &at.gradient[k * (d + 1)];
        std::vector<std::uint32_t> chosen;
        for (std::size_t j = 0; j < d; ++j)
            if (theta[j] != 0 || std::abs(gradient[j]) > about_to_leave * l1 * loss.inverse(j))
                chosen.push_back(static_cast<std::uint32_t>(j));
        if (chosen.size() > most_at_work) { // those that are furthest from where they should be
            const auto violation = [&](std::uint32_t j) {
                return std::abs(subgradient(gradient[j], theta[j], l1 * loss.inverse(j)));
            };
            std::nth_element(chosen.begin(), chosen.begin() + most_at_work, chosen.end(),
                             [&](std::uint32_t a, std::uint32_t b) {
                                 const double va = violation(a), vb = violation(b);
                                 return va > vb || (va == vb && a < b);
                             });
            chosen.resize(most_at_work);
            std::sort(chosen.begin(), chosen.end());
        }
        sets.emplace_back(d, std::move(chosen));
    }
    return sets;
}

/// One model: some coefficients of theta and what belongs to them.
struct Model {
    std::vector<std::size_t> where; // in theta
    Vector x, gradient, l1;

    void add(const LogisticLoss& loss, double penalty, std::size_t k, const linalg::ColumnSet& columns,
             const Point& at) {
        const std::size_t first = k * (loss.n_cols() + 1);
        for (const std::uint32_t j : columns.chosen()) add(first + j, penalty * loss.inverse(j), at);
        add(first + loss.n_cols(), 0.0, at);
    }
    void minimise(const RunContext& ctx, const Buffer<double>& hessian, double tol, const Point& at, Vector& towards) {
        minimise_quadratic_l1(ctx, hessian, l1, tol, most_passes, x, gradient);
        for (std::size_t i = 0; i < x.size(); ++i) towards[where[i]] = x[i] - at.theta[where[i]];
    }

  private:
    void add(std::size_t i, double penalty, const Point& at) {
        where.push_back(i);
        x.push_back(at.theta[i]);
        gradient.push_back(at.gradient[i]);
        l1.push_back(penalty);
    }
};

/// The step that minimises the model at `at`.
Vector newton_step(const RunContext& ctx, const LogisticLoss& loss, double l1, const Point& at, int n_iter,
                   double tol) {
    const std::vector<linalg::ColumnSet> columns = working_set(loss, l1, at);
    const std::size_t K = loss.n_outputs();
    std::size_t total = 0;
    for (const linalg::ColumnSet& mine : columns) total += mine.size();
    Vector towards(at.theta.size(), 0.0);
    if (K == 1 || total <= (n_iter < early ? most_coupled_early : most_coupled)) {
        Model model;
        for (std::size_t k = 0; k < K; ++k) model.add(loss, l1, k, columns[k], at);
        model.minimise(ctx, loss.hessian(ctx, columns), tol, at, towards);
        return towards;
    }
    const std::vector<Buffer<double>> blocks = loss.hessian_blocks(ctx, columns, true);
    parallel_tasks(ctx, K, 1e6, [&](std::size_t k, int) {
        Model model;
        model.add(loss, l1, k, columns[k], at);
        model.minimise(ctx, blocks[k], tol, at, towards);
    });
    return towards;
}

/// Backtracks from a whole step; false where the objective does not fall.
bool search(const SmoothFunction& f, const LogisticLoss& loss, double l1, const Point& from, const Vector& towards,
            Point& to) {
    constexpr double decrease = 1e-4;
    const double penalty = l1_penalty(loss, l1, from.theta), noise = 1e-15 * std::max(std::abs(from.value), 1.0);
    to.theta = from.theta;
    add(1, towards, to.theta);
    const std::size_t m = loss.n_cols() + 1;
    double model = 0; // coordinate by coordinate: near the minimum the two penalties are the same but for rounding
    for (std::size_t i = 0; i < towards.size(); ++i) {
        const double penalty_of_i = i % m + 1 == m ? 0 : l1 * loss.inverse(i % m);
        model += from.gradient[i] * towards[i] + penalty_of_i * (std::abs(to.theta[i]) - std::abs(from.theta[i]));
    }
    if (!(model < 0)) return false;
    to.gradient.resize(from.gradient.size());
    for (double step = 1; step > 1e-10; step /= 2) {
        if (step < 1) {
            to.theta = from.theta;
            add(step, towards, to.theta);
        }
        to.value = f(to.theta.data(), to.gradient.data());
        const double change = to.value + l1_penalty(loss, l1, to.theta) - from.value - penalty;
        if (change <= decrease * step * model + noise) return true;
    }
    return false;
}

} // namespace

double largest_subgradient(const LogisticLoss& loss, double l1, const Vector& theta, const Vector& gradient) {
    const std::size_t d = loss.n_cols();
    double most = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
        const std::size_t j = i % (d + 1);
        const double penalty = j == d ? 0.0 : l1 * loss.inverse(j);
        const double entry = std::abs(subgradient(gradient[i], theta[i], penalty));
        most = std::isnan(gradient[i]) ? gradient[i] : std::max(most, entry);
    }
    return most;
}

double l1_penalty(const LogisticLoss& loss, double l1, const Vector& theta) {
    const std::size_t d = loss.n_cols();
    double total = 0;
    for (std::size_t i = 0; i < theta.size(); ++i)
        if (const std::size_t j = i % (d + 1); j != d) total += std::abs(theta[i]) * loss.inverse(j);
    return l1 * total;
}

Outcome minimise_proximal_newton(const RunContext& ctx, LogisticLoss& loss, double l1, Vector& theta,
                                 const StopRule& stop) {
    const SmoothFunction f = [&](const double* at, double* gradient) {
        return loss.value_and_gradient(ctx, at, gradient);
    };
    Point at = point_at(f, std::move(theta)), next;
    const auto objective = [&] { return at.value + l1_penalty(loss, l1, at.theta); };
    const auto optimality = [&] { return largest_subgradient(loss, l1, at.theta, at.gradient); };
    Record record(ctx, stop, objective(), optimality());
    while (record.goes_on()) {
        ctx.checkpoint();
        // The model is solved the better, the nearer the minimum: convergence stays faster than linear.
        const double precision = std::min(0.1, std::sqrt(record.optimality())) * record.optimality();
        Vector towards = newton_step(ctx, loss, l1, at, record.n_iter(), std::max(precision, 0.1 * stop.tol));
        if (l1 == 0) loss.centre(towards.data(), true);
        if (!search(f, loss, l1, at, towards, next)) break; // rounding: as low as it gets
        std::swap(at, next);
        record.iteration(objective(), optimality());
    }
    theta = std::move(at.theta);
    return record.take();
}

} // namespace mlcore::linear_model
