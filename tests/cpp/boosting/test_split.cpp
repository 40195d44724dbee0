#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/split.hpp"

#include <algorithm>

using namespace twin;

namespace {

/// A node of all rows, with whole or fractional gradients.
struct Setting : GradientTable {
    Setting(Random& random, std::size_t rows, const std::vector<int>& n_values, double missing, bool whole)
        : GradientTable(integer_data(random, rows, n_values, missing),
                        FixedPoint(rows, 3 * rows, 8.0, 4.0 * static_cast<double>(rows))) {
        for (std::size_t i = 0; i < rows; ++i) {
            const double g = whole ? random.integer(-3, 3) : random.uniform(-8, 8);
            const double h = whole ? random.integer(1, 2) : random.uniform(0, 4);
            add(g, h, random.chance(0.2) ? 3 : 1);
        }
    }
};

struct Candidate {
    int feature, bin;
    bool missing_left;
    double gain;
};

double soft(double g, double alpha) { return g > alpha ? g - alpha : (g < -alpha ? g + alpha : 0.0); }

double naive_value(const Params& p, const Sums& s, const Bounds& bounds) {
    if (s.h + p.reg_lambda <= 0) return std::clamp(0.0, bounds.lower, bounds.upper);
    return std::clamp(-soft(s.g, p.reg_alpha) / (s.h + p.reg_lambda), bounds.lower, bounds.upper);
}

/// What giving this value to all rows takes off twice the loss.
double naive_score(const Params& p, const Sums& s, double value) {
    return -(2 * s.g * value + 2 * p.reg_alpha * std::abs(value) + (s.h + p.reg_lambda) * value * value);
}

PackedPair left_sum(const Setting& s, const Candidate& c) {
    PackedPair sum{};
    const std::uint8_t* column = s.data.binned->column(c.feature);
    for (std::size_t i = 0; i < s.data.rows; ++i)
        if (column[i] == s.data.mapper->missing_bin(c.feature) ? c.missing_left : column[i] <= c.bin) sum += s.pairs[i];
    return sum;
}

/// All splits that are allowed, in the order in which ties are decided.
std::vector<Candidate> all_splits(const Setting& s, const Params& p, const Bounds& bounds) {
    std::vector<Candidate> splits;
    const Sums all = s.scale.decode(s.total);
    const double unsplit = naive_score(p, all, naive_value(p, all, bounds));
    for (int f = 0; f < static_cast<int>(s.data.cols); ++f) {
        const std::uint8_t* column = s.data.binned->column(f);
        const int n_bins = s.data.mapper->n_bins(f);
        const bool has_missing = std::count(column, column + s.data.rows, s.data.mapper->missing_bin(f)) > 0;
        const int direction = p.monotonic_cst.empty() ? 0 : p.monotonic_cst[static_cast<std::size_t>(f)];
        const auto add = [&](int bin, bool missing_left) {
            Candidate c{f, bin, missing_left, 0};
            const Sums l = s.scale.decode(left_sum(s, c)), r = s.scale.decode(s.total - left_sum(s, c));
            if (std::min(l.n, r.n) < std::max(p.min_samples_leaf, 1.0) || std::min(l.h, r.h) < p.min_child_weight)
                return;
            const double value_l = naive_value(p, l, bounds), value_r = naive_value(p, r, bounds);
            if ((direction > 0 && value_l > value_r) || (direction < 0 && value_l < value_r)) return;
            c.gain = naive_score(p, l, value_l) + naive_score(p, r, value_r) - unsplit;
            if (!has_missing) c.missing_left = l.n > r.n;
            splits.push_back(c);
        };
        for (int t = 0; t < n_bins - (has_missing ? 0 : 1); ++t) add(t, false);
        for (int t = n_bins - 2; t >= 0 && has_missing; --t) add(t, true);
        if (has_missing && direction != 0) add(-1, true); // the missing values on the side of the small
    }
    return splits;
}

/// Compares the finder with all splits. Whole numbers: down to the choice among equals.
void check_best(const Setting& s, const Params& params, const Bounds& bounds, bool whole) {
    const HistogramLayout layout(*s.data.mapper, *s.data.binned);
    const auto bins = histogram(s.data, layout, nullptr, s.pairs);
    SplitFinder finder(*s.data.mapper, layout, params);
    finder.set_scale(s.scale);
    const SplitFinder::Node node = finder.node(s.total, bounds);
    Split best;
    for (const int f : layout.features()) finder.scan(f, bins.data(), node, best);

    const auto splits = all_splits(s, params, bounds);
    const Sums all = s.scale.decode(s.total);
    const double size = naive_score(params, all, naive_value(params, all, bounds)),
                 slack = 1e-10 * (1 + std::abs(size));
    double highest = params.min_split_gain;
    for (const Candidate& c : splits) highest = std::max(highest, c.gain);
    if (!best.found()) {
        CHECK(highest <= params.min_split_gain + slack);
        return;
    }
    CHECK_CLOSE(best.gain, highest, slack + 1e-10 * highest);
    CHECK(best.gain > params.min_split_gain);
    CHECK(!best.categorical);
    const auto chosen = std::find_if(splits.begin(), splits.end(), [&](const Candidate& c) {
        return c.feature == best.feature && c.bin == best.bin && c.missing_left == best.missing_left;
    });
    CHECK(chosen != splits.end()); // it is allowed
    if (chosen == splits.end()) return;
    CHECK_CLOSE(chosen->gain, best.gain, slack + 1e-10 * highest);
    CHECK(left_sum(s, *chosen) == best.left);
    if (!whole) return;
    const auto first =
        std::find_if(splits.begin(), splits.end(), [&](const Candidate& c) { return c.gain >= highest - slack; });
    CHECK_EQUAL(best.feature, first->feature);
    CHECK_EQUAL(best.bin, first->bin);
    CHECK_EQUAL(best.missing_left, first->missing_left);
}

Params random_params(Random& random) {
    Params p;
    p.min_samples_leaf = random.chance(0.5) ? 1 : random.integer(1, 30);
    p.min_child_weight = random.chance(0.5) ? 1e-3 : random.integer(1, 40);
    p.reg_lambda = random.chance(0.5) ? 0 : random.integer(1, 4);
    p.reg_alpha = random.chance(0.6) ? 0 : random.integer(1, 6);
    p.min_split_gain = random.chance(0.7) ? 0 : random.integer(1, 10);
    return p;
}

Setting random_setting(Random& random, bool whole) {
    std::vector<int> n_values;
    for (int f = random.integer(1, 6); f > 0; --f)
        n_values.push_back(random.chance(0.2) ? random.integer(30, 200) : random.integer(1, 6));
    return {random, static_cast<std::size_t>(random.integer(2, 120)), n_values, random.chance(0.5) ? 0 : 0.25, whole};
}

} // namespace

TEST(best_split_among_all_thresholds_and_missing_directions) {
    Random random(1);
    for (int round = 0; round < 1500; ++round)
        check_best(random_setting(random, round % 2), random_params(random), {}, round % 2);
}

TEST(monotone_splits_among_all_that_are_allowed) {
    Random random(2);
    for (int round = 0; round < 1500; ++round) {
        const Setting setting = random_setting(random, round % 2);
        Params params = random_params(random);
        for (std::size_t f = 0; f < setting.data.cols; ++f) params.monotonic_cst.push_back(random.integer(-1, 1));
        Bounds bounds;
        if (random.chance(0.4)) bounds.lower = random.uniform(-1, 0.2);
        if (random.chance(0.4)) bounds.upper = random.uniform(0.2, 1);
        check_best(setting, params, bounds, false); // clamped values make more near ties than rounding respects
    }
}

TEST(zero_constraints_change_nothing) {
    Random random(3);
    for (int round = 0; round < 300; ++round) {
        const Setting s = random_setting(random, true);
        Params free = random_params(random), zero = free;
        zero.monotonic_cst.assign(s.data.cols, 0);
        const HistogramLayout layout(*s.data.mapper, *s.data.binned);
        const auto bins = histogram(s.data, layout, nullptr, s.pairs);
        Split found[2];
        for (const Params* params : {&free, &zero}) {
            SplitFinder finder(*s.data.mapper, layout, *params);
            finder.set_scale(s.scale);
            const auto node = finder.node(s.total, {});
            for (const int f : layout.features()) finder.scan(f, bins.data(), node, found[params == &zero]);
        }
        CHECK_EQUAL(found[0].found(), found[1].found());
        CHECK_CLOSE(found[0].gain, found[1].gain, 1e-9 * (1 + found[0].gain));
    }
}

TEST(nothing_to_gain_is_no_split) {
    Random random(4);
    Setting s(random, 100, {5, 50, 3}, 0.2, true);
    s.total = {};
    for (PackedPair& p : s.pairs) s.total += p = s.scale.encode(0.7f, 0.3f, 1); // all rows want the same
    for (const double reg_lambda : {0.0, 1.0}) {
        Params params;
        params.min_samples_leaf = 1;
        params.reg_lambda = reg_lambda;
        const HistogramLayout layout(*s.data.mapper, *s.data.binned);
        const auto bins = histogram(s.data, layout, nullptr, s.pairs);
        SplitFinder finder(*s.data.mapper, layout, params);
        finder.set_scale(s.scale);
        const auto node = finder.node(s.total, {});
        Split best;
        for (const int f : layout.features()) finder.scan(f, bins.data(), node, best);
        CHECK(!best.found());
    }
}

TEST(leaf_values_minimise_the_penalised_loss) {
    Random random(5);
    Setting s(random, 4, {2}, 0, true);
    const HistogramLayout layout(*s.data.mapper, *s.data.binned);
    for (int round = 0; round < 300; ++round) {
        const Params params = random_params(random);
        const SplitFinder finder(*s.data.mapper, layout, params);
        const Sums sums{20 * random.normal(), random.uniform(0.1, 30), 10};
        Bounds bounds;
        if (round % 3) bounds = {random.uniform(-2, 0), random.uniform(0, 2)};
        const double v = finder.leaf_value(sums, bounds), best = naive_score(params, sums, v);
        CHECK(v >= bounds.lower && v <= bounds.upper);
        for (int k = -300; k <= 300; ++k) {
            const double other = std::clamp(v + k * 0.01, bounds.lower, bounds.upper);
            CHECK(naive_score(params, sums, other) <= best + 1e-12 * (1 + std::abs(best)));
        }
        CHECK_EQUAL(finder.leaf_value({0, 0, 3}, bounds), 0.0); // no curvature at all
    }
}
