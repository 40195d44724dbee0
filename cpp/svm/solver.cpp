#include "svm/solver.hpp"

#include "core/parallel.hpp"
#include "svm/subproblem.hpp"
#include "svm/weighted_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace mlcore::svm {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// sums[j] += sum over r of coef[r] rows[r][j] for j < n.
void add_rows(const RunContext& ctx, std::span<const float* const> rows, std::span<const double> coef, std::size_t n,
              double* sums) {
    constexpr std::size_t block = 1024, L = simd::lanes_of<double>;
    parallel_tasks(
        ctx, (n + block - 1) / block, 0.2 * static_cast<double>(rows.size() * block), [&](std::size_t task, int) {
            const std::size_t begin = task * block, end = std::min(n, begin + block);
            std::size_t r = 0;
            for (; r + 4 <= rows.size(); r += 4) {
                const float *a = rows[r], *b = rows[r + 1], *c = rows[r + 2], *d = rows[r + 3];
                const simd::Doubles u = simd::broadcast(coef[r]), v = simd::broadcast(coef[r + 1]),
                                    w = simd::broadcast(coef[r + 2]), x = simd::broadcast(coef[r + 3]);
                std::size_t j = begin;
                for (; j + L <= end; j += L) {
                    simd::Doubles sum = simd::load(sums + j);
                    sum = simd::fma(u, simd::load_widened(a + j), sum);
                    sum = simd::fma(v, simd::load_widened(b + j), sum);
                    sum = simd::fma(w, simd::load_widened(c + j), sum);
                    sum = simd::fma(x, simd::load_widened(d + j), sum);
                    simd::store(sums + j, sum);
                }
                for (; j < end; ++j)
                    sums[j] += coef[r] * static_cast<double>(a[j]) + coef[r + 1] * static_cast<double>(b[j]) +
                               coef[r + 2] * static_cast<double>(c[j]) + coef[r + 3] * static_cast<double>(d[j]);
            }
            for (; r < rows.size(); ++r)
                for (std::size_t j = begin; j < end; ++j) sums[j] += coef[r] * static_cast<double>(rows[r][j]);
        });
}

class Solver {
  public:
    Solver(const RunContext& ctx, const Points& points, Problem& problem, const SolverParams& params);
    Solution run(bool report);

  private:
    using Row = RowCache::Row;
    /// How far the variables are from optimal, for each constraint of a pair.
    struct Extremes {
        std::array<double, 2> up{-infinity, -infinity};  // largest -f in I_up
        std::array<double, 2> low{-infinity, -infinity}; // largest f in I_low
        double gap() const { return std::max(up[0] + low[0], up[1] + low[1]); }
    };

    std::size_t column(std::size_t v) const { return v < n_ ? v : v - n_; }
    double f(std::size_t v) const { return s_[column(v)] + e_[v]; }
    int side(std::size_t v) const { return split_ && y_[v] < 0 ? 1 : 0; }
    bool in_up(std::size_t v) const { return y_[v] > 0 ? alpha_[v] < C_[v] : alpha_[v] > 0; }
    bool in_low(std::size_t v) const { return y_[v] > 0 ? alpha_[v] > 0 : alpha_[v] < C_[v]; }
    std::int32_t point(std::size_t c) const;

    Extremes extremes() const;
    void select(const Extremes& now);
    std::int64_t improve(std::int64_t max_steps);
    void update(std::span<const std::size_t> columns, std::span<const double> coef);
    void add_all(const Columns& to, double* sums) const;

    bool shrink(const Extremes& now);
    void keep(const std::vector<std::int32_t>& columns);
    void store();
    void restore();

    const RunContext& ctx_;
    const Points& points_;
    const SolverParams params_;
    std::vector<ColumnSet> sets_;
    std::size_t n_; // columns
    const bool doubled_, split_;
    std::vector<double> y_, C_, e_, alpha_; // by variable
    std::vector<double> s_, diagonal_;      // by column; s: sum over v of y alpha K
    std::vector<std::int32_t> active_;      // while shrunk: the columns above, as numbers of those of whole_
    struct {
        std::vector<ColumnSet> sets;
        std::vector<double> y, C, e, alpha, s, diagonal;
    } whole_; // while shrunk: all columns
    std::size_t capacity_;
    std::vector<std::size_t> working_; // variables, the newest first
    std::vector<char> chosen_;         // by variable
    Subproblem sub_;
};

std::size_t total(const std::vector<ColumnSet>& sets) {
    std::size_t n = 0;
    for (const ColumnSet& set : sets) n += set.columns->size();
    return n;
}

Solver::Solver(const RunContext& ctx, const Points& points, Problem& problem, const SolverParams& params)
    : ctx_(ctx), points_(points), params_(params), sets_(problem.sets), n_(total(sets_)), doubled_(problem.doubled),
      split_(problem.split), y_(std::move(problem.y)), C_(std::move(problem.C)), e_(std::move(problem.e)),
      alpha_(std::move(problem.alpha)), s_(n_), diagonal_(n_),
      capacity_(std::min(working_set_size(n_), std::max<std::size_t>(2, params.max_rows))), chosen_(y_.size()),
      sub_(capacity_) {
    for (std::size_t c = 0; c < n_; ++c) diagonal_[c] = points.diagonal(static_cast<std::size_t>(point(c)));
}

std::int32_t Solver::point(std::size_t c) const {
    for (const ColumnSet& set : sets_) {
        if (c < set.columns->size()) return set.columns->ids()[c];
        c -= set.columns->size();
    }
    return -1; // not reached
}

Solver::Extremes Solver::extremes() const {
    Extremes now;
    for (std::size_t v = 0; v < y_.size(); ++v) {
        const double value = f(v);
        const auto g = static_cast<std::size_t>(side(v));
        if (in_up(v)) now.up[g] = std::max(now.up[g], -value);
        if (in_low(v)) now.low[g] = std::max(now.low[g], value);
    }
    return now;
}

void Solver::select(const Extremes& now) {
    using Candidate = std::pair<double, std::size_t>;
    std::array<std::vector<Candidate>, 4> lists; // I_up and I_low for each side
    for (const std::size_t v : working_) chosen_[v] = 1;
    for (std::size_t v = 0; v < y_.size(); ++v) {
        if (chosen_[v]) continue;
        const double value = f(v);
        const auto g = static_cast<std::size_t>(side(v));
        if (in_up(v) && -value > -now.low[g]) lists[2 * g].emplace_back(-value + now.low[g], v);
        if (in_low(v) && value > -now.up[g]) lists[2 * g + 1].emplace_back(value + now.up[g], v);
    }
    for (const std::size_t v : working_) chosen_[v] = 0;

    const std::size_t most_new = working_.empty() ? capacity_ : std::max<std::size_t>(2, capacity_ / 2);
    const std::size_t share = std::max<std::size_t>(1, most_new / (split_ ? 4 : 2));
    std::vector<std::size_t> next;
    const auto take = [&](std::vector<Candidate>& list, std::size_t most) {
        const auto more = [](const Candidate& a, const Candidate& b) {
            return a.first > b.first || (a.first == b.first && a.second < b.second);
        };
        if (list.size() > most) {
            std::nth_element(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(most), list.end(), more);
            list.resize(most);
        }
        for (const Candidate& candidate : list)
            if (!chosen_[candidate.second] && next.size() < most_new) {
                chosen_[candidate.second] = 1;
                next.push_back(candidate.second);
            }
    };
    // The side that violates more goes first: a set of two variables has room for one pair.
    const std::size_t worse = now.up[1] + now.low[1] > now.up[0] + now.low[0] ? 1 : 0;
    for (const std::size_t g : {worse, 1 - worse})
        for (const std::size_t list : {2 * g, 2 * g + 1}) take(lists[list], share);
    for (const std::size_t v : working_)
        if (next.size() < capacity_) next.push_back(v);
    for (const std::size_t v : next) chosen_[v] = 0;
    working_ = std::move(next);
}

void Solver::update(std::span<const std::size_t> columns, std::span<const double> coef) {
    std::size_t first = 0;
    for (const ColumnSet& set : sets_) {
        std::vector<Row> rows(columns.size());
        std::vector<std::int32_t> missing;
        std::vector<std::size_t> where;
        for (std::size_t r = 0; r < columns.size(); ++r) {
            const std::int32_t id = point(columns[r]);
            rows[r] = set.cache->find(id);
            if (rows[r]) continue;
            missing.push_back(id);
            where.push_back(r);
        }
        if (!missing.empty()) {
            std::vector<float*> out;
            for (const std::size_t r : where) {
                rows[r] = set.cache->reserve();
                out.push_back(rows[r].data());
            }
            kernel_rows(ctx_, RowBatch(ctx_, points_, missing), *set.columns, out.data());
            for (std::size_t k = 0; k < where.size(); ++k) set.cache->publish(missing[k], rows[where[k]]);
        }
        std::vector<const float*> pointers;
        for (const Row& row : rows) pointers.push_back(row.data());
        add_rows(ctx_, pointers, coef, set.columns->size(), s_.data() + first);
        first += set.columns->size();
    }
}

std::int64_t Solver::improve(std::int64_t max_steps) {
    const std::size_t q = working_.size();
    sub_.resize(q);
    std::vector<std::int32_t> ids(q);
    for (std::size_t a = 0; a < q; ++a) {
        const std::size_t v = working_[a], c = column(v);
        ids[a] = point(c);
        sub_.f(a) = f(v);
        sub_.alpha(a) = alpha_[v];
        sub_.C(a) = C_[v];
        sub_.y(a) = y_[v];
        sub_.diagonal(a) = diagonal_[c];
    }
    // The kernel within the set: from rows that are here, or computed.
    std::vector<std::int32_t> missing;
    std::vector<float*> out;
    for (std::size_t a = 0; a < q; ++a) {
        std::array<Row, 2> row;
        bool here = true;
        for (std::size_t p = 0; p < sets_.size() && here; ++p) {
            row[p] = sets_[p].cache->find(ids[a]);
            here = static_cast<bool>(row[p]);
        }
        if (!here) {
            missing.push_back(ids[a]);
            out.push_back(sub_.kernel(a));
            continue;
        }
        const std::size_t n_first = sets_[0].columns->size();
        const float *left = row[0].data(), *right = sets_.size() > 1 ? row[1].data() - n_first : nullptr;
        float* to = sub_.kernel(a);
        for (std::size_t b = 0; b < q; ++b) {
            const std::size_t c = column(working_[b]);
            to[b] = c < n_first ? left[c] : right[c];
        }
    }
    if (!missing.empty()) kernel_rows(ctx_, RowBatch(ctx_, points_, missing), Columns(ctx_, points_, ids), out.data());

    // Exact solutions of early sets would be wasted; half of tol, so that the last set is solved well within it.
    constexpr double share = 0.1, of_tol = 0.5;
    const auto most = static_cast<std::int64_t>(10 * q);
    const std::int64_t steps = sub_.solve(split_, of_tol * params_.tol, share, std::min(max_steps, most));

    std::vector<std::size_t> moved;
    std::vector<double> coef;
    for (std::size_t a = 0; a < q; ++a) {
        const std::size_t v = working_[a];
        const double change = y_[v] * (sub_.alpha(a) - alpha_[v]);
        alpha_[v] = sub_.alpha(a);
        if (change == 0) continue;
        moved.push_back(column(v));
        coef.push_back(change);
    }
    update(moved, coef);
    return steps;
}

void Solver::add_all(const Columns& to, double* sums) const {
    std::vector<std::int32_t> ids;
    std::vector<double> coef;
    for (std::size_t c = 0; c < n_; ++c) {
        double sum = y_[c] * alpha_[c];
        if (doubled_) sum += y_[n_ + c] * alpha_[n_ + c];
        if (sum == 0) continue;
        ids.push_back(point(c));
        coef.push_back(sum);
    }
    if (ids.empty()) return;
    const WeightedRows rows(ctx_, points_, ids, coef.data(), coef.size(), 1);
    const double ns = rows.panel_ns(to);
    std::vector<WeightedRows::Scratch> scratch(
        static_cast<std::size_t>(threads_for(ctx_, ns * static_cast<double>(to.n_panels()))));
    parallel_tasks(ctx_, to.n_panels(), ns, [&](std::size_t panel, int thread) {
        double out[panel_width<float>];
        rows.panel(to, panel, out, scratch[static_cast<std::size_t>(thread)]);
        const std::size_t begin = panel * to.width(), end = std::min(begin + to.width(), to.size());
        for (std::size_t j = begin; j < end; ++j) sums[j] += out[j - begin];
    });
}

bool Solver::shrink(const Extremes& now) {
    // A variable that can only be i, and violates with no j, will most likely stay where it is; and the other way
    // round.
    const auto idle = [&](std::size_t v) {
        const bool up = in_up(v), low = in_low(v);
        const auto g = static_cast<std::size_t>(side(v));
        return up != low && (up ? -f(v) < -now.low[g] : f(v) < -now.up[g]);
    };
    std::vector<std::int32_t> busy;
    for (std::size_t c = 0; c < n_; ++c)
        if (!idle(c) || (doubled_ && !idle(n_ + c))) busy.push_back(static_cast<std::int32_t>(c));
    constexpr double worthwhile = 0.75; // the rows in the cache are to be copied
    if (static_cast<double>(busy.size()) > worthwhile * static_cast<double>(n_)) return false;
    keep(busy);
    return true;
}

void Solver::keep(const std::vector<std::int32_t>& columns) {
    if (active_.empty()) {
        whole_ = {sets_, y_, C_, e_, alpha_, s_, diagonal_};
        active_.resize(n_);
        std::iota(active_.begin(), active_.end(), 0);
    } else {
        store();
    }
    const std::size_t m = columns.size(), halves = doubled_ ? 2 : 1;
    std::vector<std::size_t> place(y_.size(), y_.size()); // of each variable among those kept
    std::vector<std::int32_t> ids(m);
    const auto pick = [&](std::vector<double>& values, std::size_t n_parts) {
        std::vector<double> kept(n_parts * m);
        for (std::size_t h = 0; h < n_parts; ++h)
            for (std::size_t c = 0; c < m; ++c) kept[h * m + c] = values[h * n_ + static_cast<std::size_t>(columns[c])];
        values = std::move(kept);
    };
    for (std::size_t c = 0; c < m; ++c) {
        const auto from = static_cast<std::size_t>(columns[c]);
        ids[c] = point(from);
        active_[c] = active_[from]; // from >= c
        for (std::size_t h = 0; h < halves; ++h) place[h * n_ + from] = h * m + c;
    }
    active_.resize(m);
    std::erase_if(working_, [&](std::size_t v) { return place[v] == place.size(); });
    for (std::size_t& v : working_) v = place[v];
    for (auto* values : {&y_, &C_, &e_, &alpha_}) pick(*values, halves);
    for (auto* values : {&s_, &diagonal_}) pick(*values, 1);
    n_ = m;
    sets_[0].columns = std::make_shared<const Columns>(ctx_, points_, std::move(ids));
    sets_[0].cache->compact(ctx_, columns);
}

void Solver::store() {
    const std::size_t n = whole_.s.size();
    for (std::size_t c = 0; c < n_; ++c) {
        const auto to = static_cast<std::size_t>(active_[c]);
        whole_.s[to] = s_[c];
        whole_.alpha[to] = alpha_[c];
        if (doubled_) whole_.alpha[n + to] = alpha_[n_ + c];
    }
}

void Solver::restore() {
    store();
    std::vector<char> known(whole_.s.size());
    for (const std::int32_t c : active_) known[static_cast<std::size_t>(c)] = 1;
    active_.clear();
    sets_ = whole_.sets;
    y_ = std::move(whole_.y);
    C_ = std::move(whole_.C);
    e_ = std::move(whole_.e);
    alpha_ = std::move(whole_.alpha);
    s_ = std::move(whole_.s);
    diagonal_ = std::move(whole_.diagonal);
    n_ = s_.size();
    working_.clear();
    sets_[0].cache->reset(n_);

    std::vector<std::int32_t> ids;
    std::vector<std::size_t> where;
    for (std::size_t c = 0; c < n_; ++c)
        if (!known[c]) {
            ids.push_back(point(c));
            where.push_back(c);
        }
    const Columns left_out(ctx_, points_, std::move(ids));
    std::vector<double> sums(where.size());
    add_all(left_out, sums.data());
    for (std::size_t k = 0; k < where.size(); ++k) s_[where[k]] = sums[k];
}

Solution Solver::run(bool report) {
    std::size_t first = 0;
    for (const ColumnSet& set : sets_) {
        add_all(*set.columns, s_.data() + first);
        first += set.columns->size();
    }
    Solution solution;
    constexpr std::uint64_t rounds_between_shrinking = 4;
    std::uint64_t rounds = 0, next_shrinking = rounds_between_shrinking;
    bool stuck = false;
    Extremes now;
    for (;; ++rounds) {
        now = extremes();
        solution.gap = now.gap();
        if (report) ctx_.progress.iteration(rounds, solution.gap);
        const std::int64_t left =
            params_.max_iter < 0 ? std::numeric_limits<std::int64_t>::max() : params_.max_iter - solution.n_iter;
        if (!(solution.gap >= params_.tol) || left <= 0 || stuck) {
            if (active_.empty()) break;
            restore();
            stuck = false;
            continue;
        }
        if (params_.shrinking && sets_.size() == 1 && rounds >= next_shrinking && shrink(now))
            next_shrinking = rounds + rounds_between_shrinking;
        select(now);
        const std::int64_t steps = improve(left);
        solution.n_iter += steps;
        stuck = steps == 0; // rounding leaves no step that gains anything
    }
    solution.converged = solution.gap < params_.tol;
    for (std::size_t v = 0; v < y_.size(); ++v) solution.objective += 0.5 * alpha_[v] * y_[v] * (f(v) + e_[v]);

    // rho: the mean of f over free variables, else the middle of what the bounds allow
    std::array<double, 2> sum{}, level{};
    std::array<std::size_t, 2> n_free{};
    for (std::size_t v = 0; v < y_.size(); ++v)
        if (in_up(v) && in_low(v)) {
            sum[static_cast<std::size_t>(side(v))] += f(v);
            ++n_free[static_cast<std::size_t>(side(v))];
        }
    for (std::size_t g = 0; g < 2; ++g) {
        const double high = -now.up[g], low = now.low[g]; // f is at least `high` in I_up and at most `low` in I_low
        level[g] = n_free[g] > 0                               ? sum[g] / static_cast<double>(n_free[g])
                   : std::isfinite(high) && std::isfinite(low) ? (high + low) / 2
                   : std::isfinite(high)                       ? high
                   : std::isfinite(low)                        ? low
                                                               : 0;
    }
    if (split_) { // f = y G: the levels of G are level[0] and -level[1]
        solution.scale = (level[0] - level[1]) / 2;
        solution.rho = (level[0] + level[1]) / 2;
    } else {
        solution.rho = level[0];
    }
    solution.alpha = std::move(alpha_);
    return solution;
}

} // namespace

std::size_t working_set_size(std::size_t n_columns) {
    constexpr std::size_t least = 64, most = 512;
    return std::clamp<std::size_t>(n_columns / 10, least, most);
}

Solution solve(const RunContext& ctx, const Points& points, Problem problem, const SolverParams& params, bool report) {
    return Solver(ctx, points, problem, params).run(report);
}

} // namespace mlcore::svm
