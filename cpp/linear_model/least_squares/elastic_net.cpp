#include "linear_model/least_squares/elastic_net.hpp"

#include "core/parallel.hpp"
#include "linalg/columns.hpp"
#include "linalg/near_zero.hpp"
#include "linalg/normal_equations.hpp"
#include "linear_model/least_squares/gram_descent.hpp"
#include "linear_model/least_squares/gram_path.hpp"
#include "linear_model/least_squares/path_step.hpp"
#include "linear_model/least_squares/working_columns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <variant>

namespace mlcore::linear_model {
namespace {

/// The problem by working sets of columns.
template <class Columns>
class ColumnPath {
  public:
    ColumnPath(const RunContext& ctx, const Columns& x, MatrixView<const double> Y, std::span<const double> weight,
               const ElasticNetParams& params, std::size_t n_alphas)
        : params_(params), Y_(Y), columns_(ctx, x, weight, params.fit_intercept, n_alphas), d_(x.n_cols()) {}

    double weight_sum() const { return columns_.moments().weight_sum; }
    const std::vector<double>& mean() const { return columns_.moments().mean; }
    double target_mean(std::size_t) const { return columns_.target_mean(); }

    void begin_target(const RunContext& ctx, std::size_t t, std::vector<double>& w) {
        for (std::size_t j = 0; j < d_; ++j)
            if (!(square(j) > 0)) w[j] = 0;
        extrapolation_.clear();
        w_ = w.data();
        columns_.begin_target(ctx, Y_.col(t), w, params_.fit_intercept);
    }

    double largest_correlation() const {
        double largest = 0;
        for (std::size_t j = 0; j < d_; ++j)
            if (square(j) > 0) largest = std::max(largest, height(j));
        return largest;
    }

    Solution solve(const RunContext& ctx, const Penalty& penalty, double previous_l1, const Philox* order,
                   std::uint64_t& draws) {
        const double enough = params_.tol * columns_.yy(), strong = std::max(2 * penalty.l1 - previous_l1, 0.0);
        columns_.look(ctx, std::min(strong, penalty.l1));
        bool cut = choose(penalty, strong);
        // Residual updates stop near the solution, not at it, and a guess would make what is missing larger.
        const bool is_exact = !columns_.prefers_residual(work_);
        if (is_exact && extrapolation_.guess(penalty.l1, w_)) columns_.moved(ctx, work_);
        Stop stop{(is_exact ? inner_share : inexact_share) * enough, params_.tol, params_.max_iter};
        Solution solution{};
        measure(penalty, solution);
        for (int round = 0; round < most_rounds; ++round) {
            Stop now = stop;
            if (cut) now.gap = std::max(now.gap, 0.1 * solution.gap); // other sets will follow
            const int sweeps = columns_.descend(ctx, penalty, work_, now, order, draws);
            solution.sweeps += sweeps;
            stop.max_sweeps -= sweeps;
            columns_.look(ctx, penalty.l1);
            measure(penalty, solution);
            solution.converged = solution.gap <= enough;
            if ((solution.converged && !cut) || stop.max_sweeps <= 0) break;
            if (solution.converged) stop.gap = std::min(stop.gap, now.gap);
            const bool grew = choose_again(penalty, cut);
            if (grew || now.gap > stop.gap) continue;
            if (solution.converged || (sweeps <= 1 && stop.gap == 0)) break;
            stop.gap = stop.gap > 1e-3 * enough ? 0.1 * stop.gap : 0;
            stop.change *= 0.1;
        }
        extrapolation_.saw(penalty.l1, w_, d_);
        return solution;
    }

  private:
    double square(std::size_t j) const { return columns_.moments().squares[j]; }
    /// How far a feature at zero is pushed: it stays there up to l1.
    double height(std::size_t j) const { return params_.positive ? columns_.c(j) : std::abs(columns_.c(j)); }

    /// The support and what passes the strong rule, unless that is much more than the support: then the most promising
    /// alone, and true is returned.
    bool choose(const Penalty& penalty, double strong) {
        work_.clear();
        added_.clear();
        for (std::size_t j = 0; j < d_; ++j) {
            if (!(square(j) > 0)) continue;
            if (columns_.w(j) != 0)
                work_.push_back(static_cast<std::int32_t>(j));
            else if (height(j) >= strong || penalty.l1 == 0)
                added_.push_back(static_cast<std::int32_t>(j));
        }
        const bool cut = penalty.l1 > 0 && keep_most_promising(penalty, std::max<std::size_t>(100, work_.size()));
        add_to_work();
        return cut;
    }

    /// The set before and all that is pushed beyond the penalty, within limits. True if there is anything new.
    bool choose_again(const Penalty& penalty, bool& cut) {
        added_.clear();
        for (std::size_t j = 0; j < d_; ++j)
            if (square(j) > 0 && columns_.w(j) == 0 && height(j) > penalty.l1 && !in_work(j))
                added_.push_back(static_cast<std::int32_t>(j));
        cut = keep_most_promising(penalty, std::max<std::size_t>(100, work_.size()));
        const bool grew = !added_.empty();
        add_to_work();
        return grew;
    }

    /// Cuts `added_` down to `most` features by their distance from becoming active. True if any was cut.
    bool keep_most_promising(const Penalty& penalty, std::size_t most) {
        if (added_.size() <= most) return false;
        const auto distance = [&](std::int32_t j) {
            const auto k = static_cast<std::size_t>(j);
            return (penalty.l1 - height(k)) / std::sqrt(square(k) + penalty.l2);
        };
        std::nth_element(added_.begin(), added_.begin() + static_cast<std::ptrdiff_t>(most), added_.end(),
                         [&](std::int32_t a, std::int32_t b) {
                             const double at_a = distance(a), at_b = distance(b);
                             return at_a < at_b || (at_a == at_b && a < b);
                         });
        added_.resize(most);
        return true;
    }

    void add_to_work() {
        work_.insert(work_.end(), added_.begin(), added_.end());
        std::sort(work_.begin(), work_.end());
    }

    bool in_work(std::size_t j) const {
        return std::binary_search(work_.begin(), work_.end(), static_cast<std::int32_t>(j));
    }

    void measure(const Penalty& penalty, Solution& solution) const {
        GapParts parts(columns_.yy());
        for (std::size_t j = 0; j < d_; ++j)
            if (square(j) > 0) parts.add(columns_.w(j), columns_.c(j), square(j), penalty);
        solution.gap = parts.gap(columns_.rr(), columns_.ry(), penalty);
        solution.objective = parts.objective(columns_.rr(), penalty);
    }

    const ElasticNetParams& params_;
    MatrixView<const double> Y_;
    WorkingColumns<Columns> columns_;
    std::size_t d_;
    double* w_ = nullptr;
    Extrapolation extrapolation_;
    std::vector<std::int32_t> work_, added_;
};

using Alphas = std::variant<AlphaGrid, std::span<const double>>;

template <class Path>
std::vector<double> make_alphas(const RunContext& ctx, Path& path, std::size_t n_targets, std::vector<double>& w,
                                const Alphas& alphas, const ElasticNetParams& params) {
    if (const auto* given = std::get_if<std::span<const double>>(&alphas)) return {given->begin(), given->end()};
    const auto [n, eps] = std::get<AlphaGrid>(alphas);
    double largest = 0;
    for (std::size_t t = 0; t < n_targets; ++t) {
        path.begin_target(ctx, t, w);
        largest = std::max(largest, path.largest_correlation());
    }
    const double wanted = largest;
    const auto penalty = [&](double alpha) { return alpha * path.weight_sum() * params.l1_ratio; };
    for (largest /= penalty(1); penalty(largest) < wanted;) largest = std::nextafter(largest, 2 * largest); // rounding
    if (!(largest > 0)) return std::vector<double>(n, 1e-15); // nothing correlates with the targets: any will do
    std::vector<double> grid(n);
    for (std::size_t k = 0; k < n; ++k)
        grid[k] =
            largest * std::pow(eps, static_cast<double>(k) / static_cast<double>(std::max<std::size_t>(n - 1, 1)));
    return grid;
}

/// All targets and alphas of a problem.
template <class Path>
ElasticNetPath follow(const RunContext& ctx, Path& path, std::size_t n_targets, std::size_t d, const Alphas& wanted,
                      std::span<const double> start, const ElasticNetParams& params) {
    std::vector<double> w(d, 0.0);
    const std::vector<double> alphas = make_alphas(ctx, path, n_targets, w, wanted, params);
    const std::size_t a = alphas.size();
    if (n_targets != 0 && a > address_space / sizeof(double) / d / n_targets) throw std::bad_alloc();
    ElasticNetPath out;
    out.coef.resize(n_targets * a * d);
    for (auto* values : {&out.intercept, &out.gap, &out.objective}) values->resize(n_targets * a);
    out.n_iter.resize(n_targets * a);
    out.converged.resize(n_targets * a);
    std::uint64_t done = 0;
    for (std::size_t t = 0; t < n_targets; ++t) {
        w.assign(d, 0);
        if (!start.empty()) std::copy_n(start.data() + t * d, d, w.begin());
        path.begin_target(ctx, t, w);
        const Philox random(ctx.seed, t);
        std::uint64_t draws = 0;
        double previous = path.largest_correlation();
        for (std::size_t k = 0; k < a; ++k) {
            ctx.checkpoint();
            const double strength = alphas[k] * path.weight_sum();
            const Penalty penalty{strength * params.l1_ratio, strength * (1 - params.l1_ratio), params.positive};
            const Solution found = path.solve(ctx, penalty, std::max(previous, penalty.l1),
                                              params.random_order ? &random : nullptr, draws);
            previous = penalty.l1;
            const std::size_t at = t * a + k;
            std::copy(w.begin(), w.end(), out.coef.begin() + static_cast<std::ptrdiff_t>(at * d));
            out.intercept[at] = path.target_mean(t);
            for (std::size_t j = 0; j < d; ++j) out.intercept[at] -= w[j] * path.mean()[j];
            out.gap[at] = found.gap / path.weight_sum();
            out.objective[at] = found.objective / path.weight_sum();
            out.n_iter[at] = found.sweeps;
            out.converged[at] = found.converged;
            ctx.progress.iteration(++done, out.gap[at]);
        }
    }
    out.alphas = alphas;
    return out;
}

/// Whether the Gram matrix of all features comes cheaper than some passes over the columns for each alpha.
template <class View>
bool gram_pays(const View& x, std::size_t n_alphas) {
    const double n = static_cast<double>(x.rows), d = static_cast<double>(x.cols);
    const double passes = 10 + 1.5 * static_cast<double>(n_alphas);
    if constexpr (requires { x.n_stored(); }) {
        const double stored = static_cast<double>(x.n_stored());
        return d * d <= std::max(4 * stored, 65536.0) && stored / n <= passes + 5;
    } else {
        return d <= n && d <= 12 * passes;
    }
}

bool use_gram(const Table& X, std::size_t n_alphas, Precompute precompute) {
    if (precompute != Precompute::by_cost) return precompute == Precompute::gram;
    return std::visit([&](const auto& x) { return gram_pays(x, n_alphas); }, X);
}

/// f(columns) with the table by columns.
template <class F>
auto with_columns(const RunContext& ctx, const Table& X, F&& f) {
    return std::visit(
        [&](const auto& x) {
            using View = std::decay_t<decltype(x)>;
            using T = typename ValueOf<View>::type;
            if constexpr (is_dense<View>)
                return f(linalg::DenseColumns<T>(ctx, x));
            else
                return f(linalg::SparseColumns<T>(ctx, x));
        },
        X);
}

void check(const Alphas& alphas, const ElasticNetParams& params) {
    if (!(params.l1_ratio >= 0 && params.l1_ratio <= 1)) throw ValueError("l1_ratio must be in [0, 1]");
    if (!(params.tol >= 0) || params.max_iter < 1) throw ValueError("tol must not be negative, max_iter positive");
    if (const auto* grid = std::get_if<AlphaGrid>(&alphas)) {
        if (params.l1_ratio == 0) throw ValueError("a grid of alphas needs l1_ratio > 0");
        if (grid->n_alphas < 1 || !(grid->eps > 0 && grid->eps <= 1))
            throw ValueError("a grid of alphas needs n_alphas >= 1 and eps in (0, 1]");
        return;
    }
    double before = std::numeric_limits<double>::max();
    for (const double alpha : std::get<std::span<const double>>(alphas)) {
        if (!(alpha >= 0 && alpha <= before))
            throw ValueError("alphas must be finite, not negative, in descending order");
        before = alpha;
    }
}

void check(const Table& X, MatrixView<const double> Y, std::span<const double> weight) {
    if (n_rows(X) == 0 || n_cols(X) == 0) throw ValueError("X must have rows and columns");
    if (Y.rows != n_rows(X))
        throw ValueError("Y has " + std::to_string(Y.rows) + " rows, but X has " + std::to_string(n_rows(X)));
    if (weight.empty()) return;
    double sum = 0;
    for (const double s : weight) {
        if (!(s >= 0)) throw ValueError("weights of rows must not be negative, got " + std::to_string(s));
        sum += s;
    }
    if (!(sum > 0) || std::isinf(sum)) throw ValueError("the sum of the weights of rows must be positive and finite");
}

} // namespace

ElasticNetPath elastic_net_path(const RunContext& ctx, const Table& X, MatrixView<const double> Y,
                                std::span<const double> weight, const Alphas& alphas, std::span<const double> start,
                                const ElasticNetParams& params) {
    check(X, Y, weight);
    check(alphas, params);
    const std::size_t d = n_cols(X);
    const linalg::NearZero moved(ctx, X, weight, params.fit_intercept);
    if (!start.empty() && start.size() != Y.cols * d) throw ValueError("start must have a row for each target");
    const auto* grid = std::get_if<AlphaGrid>(&alphas);
    const std::size_t n_alphas = grid ? grid->n_alphas : std::get<std::span<const double>>(alphas).size();
    ElasticNetPath path;
    if (use_gram(X, n_alphas, params.precompute)) {
        linalg::NormalEquations normal = linalg::normal_equations(ctx, moved.table(), Y, weight, params.fit_intercept);
        GramPath by_gram(normal, params);
        path = follow(ctx, by_gram, Y.cols, d, alphas, start, params);
    } else {
        path = with_columns(ctx, moved.table(), [&](const auto& columns) {
            ColumnPath by_columns(ctx, columns, Y, weight, params, n_alphas);
            return follow(ctx, by_columns, Y.cols, d, alphas, start, params);
        });
    }
    moved.restore(path.coef, path.intercept);
    return path;
}

} // namespace mlcore::linear_model
