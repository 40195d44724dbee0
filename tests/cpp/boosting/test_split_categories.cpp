#include "check.hpp"

#include "boosting/twin.hpp"

#include "boosting/split.hpp"

#include <algorithm>

using namespace twin;

namespace {

/// One categorical feature of a node with all rows. Codes beyond `seen` exist, but not here.
struct Setting : GradientTable {
    int missing_bin;

    Setting(Random& random, std::size_t rows, int seen, int n_categories, double missing, int max_bins = 255)
        : GradientTable(integer_data(random, rows, {seen}, missing, {n_categories}),
                        FixedPoint(rows, rows, 4.0, 2.0 * static_cast<double>(rows))) {
        data.bin(max_bins);
        missing_bin = data.mapper->missing_bin(0);
        std::vector<double> mean(static_cast<std::size_t>(n_categories) + 1);
        for (double& m : mean) m = random.uniform(-2, 2);
        for (std::size_t i = 0; i < rows; ++i) {
            const double g = mean[bin(i)] + random.uniform(-1, 1);
            add(g, random.uniform(0.5, 1.5));
        }
    }
    std::size_t bin(std::size_t row) const { return data.binned->column(0)[row]; }
    std::size_t n_bins() const { return static_cast<std::size_t>(missing_bin) + 1; }

    std::vector<Sums> by_bin() const {
        std::vector<PackedPair> sums(n_bins());
        for (std::size_t i = 0; i < data.rows; ++i) sums[bin(i)] += pairs[i];
        std::vector<Sums> decoded;
        for (const PackedPair& p : sums) decoded.push_back(scale.decode(p));
        return decoded;
    }

    Split find(const Params& params) const {
        const HistogramLayout layout(*data.mapper, *data.binned);
        const auto bins = histogram(data, layout, nullptr, pairs);
        SplitFinder finder(*data.mapper, layout, params);
        finder.set_scale(scale);
        const auto node = finder.node(total, {});
        Split best;
        for (const int f : layout.features()) finder.scan(f, bins.data(), node, best);
        return best;
    }
};

double score(const Sums& s, double lambda) { return s.h + lambda > 0 ? s.g * s.g / (s.h + lambda) : 0; }

Params loose() {
    Params p;
    p.min_samples_leaf = 1;
    p.cat_smooth = p.cat_l2 = 0;
    p.min_data_per_group = 1;
    return p;
}

/// What must hold for any categorical split: it is the partition of the rows that it says it is.
void check_split(const Setting& s, const Params& params, const Split& split) {
    CHECK(split.categorical && split.feature == 0);
    CHECK_EQUAL(split.missing_left, contains(split.left_bins, s.missing_bin));
    PackedPair left{};
    for (std::size_t i = 0; i < s.data.rows; ++i)
        if (contains(split.left_bins, static_cast<int>(s.bin(i)))) left += s.pairs[i];
    CHECK(left == split.left);
    const Sums l = s.scale.decode(left), r = s.scale.decode(s.total - left);
    CHECK(std::min(l.n, r.n) >= std::max(1.0, params.min_samples_leaf));
    CHECK(std::min(l.h, r.h) >= params.min_child_weight);
    CHECK(split.gain > params.min_split_gain);
    // What the node did not see goes where missing values go, and those to the larger child if there were none.
    const auto bins = s.by_bin();
    for (int b = 0; b <= s.missing_bin; ++b)
        if (bins[static_cast<std::size_t>(b)].n == 0) CHECK_EQUAL(contains(split.left_bins, b), split.missing_left);
    if (bins.back().n == 0) CHECK_EQUAL(split.missing_left, l.n > r.n);
}

} // namespace

TEST(one_hot_is_the_best_category_against_the_rest) {
    Random random(1);
    int found = 0;
    for (int round = 0; round < 500; ++round) {
        const int n_categories = random.integer(2, 4);
        const Setting s(random, static_cast<std::size_t>(random.integer(2, 60)), random.integer(1, n_categories),
                        n_categories, round % 2 ? 0.3 : 0);
        if (s.data.binned->stripes().empty()) continue;
        Params params = loose();
        params.min_samples_leaf = random.integer(1, 8);
        params.reg_lambda = random.chance(0.5) ? 0 : 2;
        const Split split = s.find(params);
        const Sums all = s.scale.decode(s.total);
        double highest = 0;
        const auto bins = s.by_bin();
        for (const Sums& l : bins) {
            const Sums r = all - l;
            if (std::min(l.n, r.n) < params.min_samples_leaf) continue;
            highest = std::max(highest, score(l, params.reg_lambda) + score(r, params.reg_lambda) -
                                            score(all, params.reg_lambda));
        }
        CHECK_CLOSE(split.gain, highest, 1e-9);
        if (!split.found()) continue;
        ++found;
        check_split(s, params, split);
        int n_left = 0;
        for (int b = 0; b <= s.missing_bin; ++b)
            if (bins[static_cast<std::size_t>(b)].n > 0) n_left += contains(split.left_bins, b);
        CHECK_EQUAL(n_left, 1);
    }
    CHECK(found > 200);
}

TEST(sorted_categories_are_the_best_of_all_partitions) {
    // Fisher: without penalty and smoothing no subset does better than a cut of the categories sorted by g / h.
    Random random(2);
    for (int round = 0; round < 200; ++round) {
        const int n_categories = random.integer(5, 8);
        const Setting s(random, 300, n_categories, n_categories, round % 2 ? 0.1 : 0);
        const Split split = s.find(loose());
        const auto bins = s.by_bin();
        const Sums all = s.scale.decode(s.total);
        double highest = 0;
        for (unsigned subset = 1; subset < 1u << bins.size(); ++subset) {
            Sums l;
            for (std::size_t b = 0; b < bins.size(); ++b)
                if (subset >> b & 1) l = l + bins[b];
            const Sums r = all - l;
            if (l.n > 0 && r.n > 0) highest = std::max(highest, score(l, 0) + score(r, 0) - score(all, 0));
        }
        CHECK(split.found());
        CHECK_CLOSE(split.gain, highest, 1e-9 * highest);
        check_split(s, loose(), split);
    }
}

TEST(sorted_categories_keep_their_promises) {
    Random random(3);
    int found = 0;
    for (int round = 0; round < 600; ++round) {
        const int n_categories = random.integer(5, round % 3 ? 40 : 600), seen = random.integer(2, n_categories);
        const Setting s(random, static_cast<std::size_t>(random.integer(20, 3000)), seen, n_categories,
                        round % 2 ? 0.1 : 0, round % 5 ? 255 : 16);
        if (s.data.binned->stripes().empty()) continue;
        Params params;
        params.min_samples_leaf = random.integer(1, 50);
        params.reg_lambda = random.chance(0.5) ? 0 : 2;
        params.cat_smooth = random.integer(0, 20);
        params.cat_l2 = random.integer(0, 20);
        params.max_cat_threshold = random.chance(0.3) ? random.integer(1, 5) : 0;
        params.min_data_per_group = random.integer(1, 200);
        const Split split = s.find(params);
        if (!split.found()) continue;
        ++found;
        check_split(s, params, split);
        const auto bins = s.by_bin();
        const Sums l = s.scale.decode(split.left), all = s.scale.decode(s.total), r = all - l;
        CHECK(std::min(l.n, r.n) >= params.min_data_per_group);
        const double mean_hessian = all.h / all.n;
        const double lambda = params.reg_lambda + params.cat_l2 * mean_hessian;
        CHECK_CLOSE(split.gain, score(l, lambda) + score(r, lambda) - score(all, lambda), 1e-9 * (1 + split.gain));
        bool together = true, any_rare = false, rare_left = false;
        int n_left = 0, n_right = 0;
        double top_left = -inf, low_right = inf;
        for (int b = 0; b < s.missing_bin; ++b) {
            const Sums& sums = bins[static_cast<std::size_t>(b)];
            const bool left = contains(split.left_bins, b);
            if (sums.n == 0) continue;
            if (sums.n < params.cat_smooth) { // rare: one group
                together &= !any_rare || left == rare_left;
                any_rare = true;
                rare_left = left;
                continue;
            }
            ++(left ? n_left : n_right);
            const double key = sums.g / (sums.h + params.cat_smooth * mean_hessian);
            (left ? top_left : low_right) = left ? std::max(top_left, key) : std::min(low_right, key);
        }
        CHECK(top_left <= low_right);
        CHECK(together);
        if (bins.back().n > 0) {
            if (any_rare) CHECK_EQUAL(split.missing_left, rare_left);
            any_rare = true;
            rare_left = split.missing_left;
        }
        if (any_rare) ++(rare_left ? n_left : n_right);
        if (params.max_cat_threshold > 0) CHECK(std::min(n_left, n_right) <= params.max_cat_threshold);
    }
    CHECK(found > 200);
}

TEST(nodes_of_any_size_are_split_between_clear_categories) {
    Random random(5);
    for (const int n_categories : {5, 8, 20, 100})
        for (const int rows_each : {1, 2, 4, 8, 30, 300}) {
            const auto rows = static_cast<std::size_t>(n_categories * rows_each);
            Data data = integer_data(random, rows, {n_categories}, 0, {n_categories});
            for (std::size_t i = 0; i < rows; ++i) data.at(i, 0) = static_cast<int>(i) % n_categories;
            data.bin();
            // The same for any unit of the gradient and of the weights.
            for (const auto& [unit, weight] : {std::pair{1.0, 1.0}, {1e-8, 1.0}, {1e8, 1.0}, {1.0, 1e-8}, {1.0, 1e8}}) {
                const FixedPoint scale(rows, rows, 2.0 * unit * weight, weight * static_cast<double>(rows));
                std::vector<PackedPair> pairs;
                PackedPair total{};
                for (std::size_t i = 0; i < rows; ++i) {
                    const double g = (data.at(i, 0) < 2 ? 1.0 : -1.0) * unit * weight;
                    pairs.push_back(scale.encode(static_cast<float>(g), static_cast<float>(weight), 1));
                    total += pairs.back();
                }
                const HistogramLayout layout(*data.mapper, *data.binned);
                const auto bins = histogram(data, layout, nullptr, pairs);
                Params params;
                params.min_samples_leaf = std::min(20, rows_each);
                params.min_child_weight = 0;
                SplitFinder finder(*data.mapper, layout, params);
                finder.set_scale(scale);
                Split best;
                finder.scan(0, bins.data(), finder.node(total, {}), best);
                CHECK(best.found());
                CHECK_CLOSE(scale.decode(best.left).n, static_cast<double>(rows) - 2 * rows_each, 0.5);
            }
        }
}

TEST(numeric_and_categorical_features_compete) {
    Random random(4);
    for (int round = 0; round < 100; ++round) {
        const int n_categories = round % 2 ? 3 : 12;
        Data data =
            integer_data(random, 400, {10, n_categories, 10, n_categories}, 0.1, {0, n_categories, 0, n_categories});
        const FixedPoint scale(400, 400, 8.0, 400.0);
        std::vector<PackedPair> pairs;
        PackedPair total{};
        const std::size_t informative = random.below(4);
        for (std::size_t i = 0; i < 400; ++i) {
            const double v = data.at(i, informative);
            const double g = (v == 1 || v == 2 ? 3.0 : -1.0) + random.uniform(-0.5, 0.5);
            pairs.push_back(scale.encode(static_cast<float>(g), 1.0f, 1));
            total += pairs.back();
        }
        const HistogramLayout layout(*data.mapper, *data.binned);
        const auto bins = histogram(data, layout, nullptr, pairs);
        const Params params = loose();
        SplitFinder finder(*data.mapper, layout, params);
        finder.set_scale(scale);
        const auto node = finder.node(total, {});
        Split best;
        double highest = 0;
        int of_feature = -1;
        for (int f = 0; f < 4; ++f) {
            Split alone;
            finder.scan(f, bins.data(), node, best);
            finder.scan(f, bins.data(), node, alone);
            if (alone.gain > highest) highest = alone.gain, of_feature = f;
        }
        CHECK_EQUAL(best.feature, of_feature);
        CHECK_EQUAL(best.gain, highest);
        CHECK_EQUAL(best.feature, static_cast<int>(informative));
        CHECK_EQUAL(best.categorical, informative % 2 == 1);
    }
}
