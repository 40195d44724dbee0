#include "boosting/split.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mlcore::boosting {
namespace {

constexpr int max_bins_and_missing = 256;
constexpr double never = -std::numeric_limits<double>::infinity();

// One candidate child an entry, in arrays so that the arithmetic vectorises.
struct Children {
    double g[max_bins_and_missing], h[max_bins_and_missing], n[max_bins_and_missing];
    void set(int i, const Sums& s) {
        g[i] = s.g;
        h[i] = s.h;
        n[i] = s.n;
    }
};

} // namespace

SplitFinder::SplitFinder(const BinMapper& mapper, const HistogramLayout& layout, const Params& params,
                         double step_share)
    : mapper_(mapper), layout_(layout), params_(params), rule_(params, step_share) {}

double SplitFinder::score(const Sums& s, const Bounds& bounds) const {
    return params_.monotonic_cst.empty() ? rule_.score(s.g, s.h, params_.reg_lambda)
                                         : rule_.score_at(s, leaf_value(s, bounds));
}

template <bool limited>
void SplitFinder::scan_numeric(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int n_bins = mapper_.n_bins(f);
    const PackedPair missing = bins[mapper_.missing_bin(f)];
    const bool has_missing = scale_.decode(missing).n > 0;
    const double lambda = params_.reg_lambda, alpha = params_.reg_alpha;
    const double min_n = params_.min_samples_leaf, min_h = params_.min_child_weight;
    const Sums all = node.sums;

    Children left;
    PackedPair prefix[max_bins_and_missing];
    double gain[max_bins_and_missing];

    const auto evaluate = [&](int count) {
        for (int t = 0; t < count; ++t) {
            const double gl = LeafRule::soft_threshold(left.g[t], alpha);
            const double gr = LeafRule::soft_threshold(all.g - left.g[t], alpha);
            const double hl = left.h[t], hr = all.h - left.h[t];
            const double nl = left.n[t], nr = all.n - left.n[t];
            const double dl = hl + lambda, dr = hr + lambda;
            const double sl = limited ? rule_.score_limited(gl, dl) : (dl > 0.0 ? gl * gl / dl : 0.0);
            const double sr = limited ? rule_.score_limited(gr, dr) : (dr > 0.0 ? gr * gr / dr : 0.0);
            const bool ok = (nl >= min_n) & (nr >= min_n) & (hl >= min_h) & (hr >= min_h);
            gain[t] = ok ? sl + sr - node.gain : never;
        }
    };
    const auto take = [&](int t, bool missing_left) {
        if (!(gain[t] > best.gain)) return;
        best.gain = gain[t];
        best.feature = f;
        best.bin = t;
        best.categorical = false;
        best.missing_left = missing_left;
        best.left = missing_left ? prefix[t] + missing : prefix[t];
    };

    // Missing right. Where there are missing values, "all others left" is a split too.
    const int n_right = has_missing ? n_bins : n_bins - 1;
    PackedPair sum{};
    for (int t = 0; t < n_right; ++t) prefix[t] = sum += bins[t];
    for (int t = 0; t < n_right; ++t) left.set(t, scale_.decode(prefix[t]));
    evaluate(n_right);
    for (int t = 0; t < n_right; ++t) take(t, false);
    if (has_missing) {
        for (int t = 0; t < n_bins - 1; ++t) left.set(t, scale_.decode(prefix[t] + missing));
        evaluate(n_bins - 1);
        for (int t = n_bins - 2; t >= 0; --t) take(t, true);
    } else if (best.feature == f) {
        const Sums l = scale_.decode(best.left);
        best.missing_left = l.n > all.n - l.n;
    }
}

void SplitFinder::scan_monotonic(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int n_bins = mapper_.n_bins(f);
    const PackedPair missing = bins[mapper_.missing_bin(f)];
    const bool has_missing = scale_.decode(missing).n > 0;
    const int direction = monotonic(f);

    const auto consider = [&](int t, const PackedPair& packed, bool missing_left) {
        const Sums l = scale_.decode(packed), r = node.sums - l;
        if (!big_enough(l) || !big_enough(r)) return;
        const double value_l = leaf_value(l, node.bounds), value_r = leaf_value(r, node.bounds);
        if (direction * (value_r - value_l) < 0) return;
        const double gain = rule_.score_at(l, value_l) + rule_.score_at(r, value_r) - node.gain;
        if (!(gain > best.gain)) return;
        best.gain = gain;
        best.feature = f;
        best.bin = t;
        best.categorical = false;
        best.missing_left = has_missing ? missing_left : l.n > r.n;
        best.left = packed;
    };
    PackedPair prefix[max_bins_and_missing];
    PackedPair sum{};
    for (int t = 0; t < n_bins; ++t) prefix[t] = sum += bins[t];
    for (int t = 0; t < (has_missing ? n_bins : n_bins - 1); ++t) consider(t, prefix[t], false);
    if (!has_missing) return;
    for (int t = n_bins - 2; t >= 0; --t) consider(t, prefix[t] + missing, true);
    // "Missing against all others" once more, the other way round: unlike without constraints it is another split.
    consider(-1, missing, true);
}

void SplitFinder::scan_one_hot(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int missing_bin = mapper_.missing_bin(f);
    for (int b = 0; b <= missing_bin; ++b) {
        const Sums l = scale_.decode(bins[b]), r = node.sums - l;
        if (l.n <= 0 || r.n <= 0 || !big_enough(l) || !big_enough(r)) continue;
        const double gain = score(l, node.bounds) + score(r, node.bounds) - node.gain;
        if (!(gain > best.gain)) continue;
        best = Split{};
        best.gain = gain;
        best.feature = f;
        best.categorical = true;
        best.left = bins[b];
        insert(best.left_bins, b);
        // One category against the rest: what the node did not see belongs to the rest.
        best.missing_left = b == missing_bin;
    }
}

void SplitFinder::scan_sorted_categories(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int missing_bin = mapper_.missing_bin(f);
    const double lambda = params_.reg_lambda + params_.cat_lambda;

    // Categories with enough rows stand alone; the others and the missing values form one group.
    struct Group {
        double key;
        int bin; // -1: the group of rare and missing
        PackedPair sum;
        double n;
    };
    std::vector<Group> groups;
    PackedPair rare{};
    bool any_rare = false;
    BinSet is_rare{};
    for (int b = 0; b <= missing_bin; ++b) {
        const Sums s = scale_.decode(bins[b]);
        if (s.n <= 0) continue;
        if (b == missing_bin || s.n < params_.min_rows_category) {
            rare += bins[b];
            any_rare = true;
            insert(is_rare, b);
        } else {
            groups.push_back({s.g / (s.h + params_.cat_smooth), b, bins[b], s.n});
        }
    }
    if (any_rare) {
        const Sums s = scale_.decode(rare);
        groups.push_back({s.g / (s.h + params_.cat_smooth), -1, rare, s.n});
    }
    std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.key < b.key; });

    const double node_gain = rule_.score(node.sums.g, node.sums.h, lambda);
    PackedPair left{};
    double since_cut = 0.0;
    int cut = -1;
    for (std::size_t t = 0; t + 1 < groups.size(); ++t) {
        left += groups[t].sum;
        since_cut += groups[t].n;
        const Sums l = scale_.decode(left), r = node.sums - l;
        if (!big_enough(l) || !big_enough(r)) continue;
        if (since_cut < params_.min_rows_cat_group || r.n < params_.min_rows_cat_group) continue;
        since_cut = 0.0;
        const double gain = rule_.score(l.g, l.h, lambda) + rule_.score(r.g, r.h, lambda) - node_gain;
        if (!(gain > best.gain)) continue;
        best.gain = gain;
        best.feature = f;
        best.left = left;
        cut = static_cast<int>(t);
    }
    if (cut < 0) return;

    best.categorical = true;
    best.left_bins = BinSet{};
    const Sums l = scale_.decode(best.left);
    best.missing_left = l.n > node.sums.n - l.n;
    BinSet seen = is_rare;
    for (std::size_t t = 0; t < groups.size(); ++t) {
        const bool goes_left = static_cast<int>(t) <= cut;
        if (groups[t].bin < 0)
            best.missing_left = goes_left;
        else
            insert(seen, groups[t].bin);
        if (goes_left && groups[t].bin >= 0) insert(best.left_bins, groups[t].bin);
    }
    // Rare ones, and those that this node did not see, go where missing values go.
    if (best.missing_left)
        for (int b = 0; b <= missing_bin; ++b)
            if (!contains(seen, b) || contains(is_rare, b)) insert(best.left_bins, b);
}

SplitFinder::Node SplitFinder::node(const PackedPair& total, const Bounds& bounds) const {
    Node node{scale_.decode(total), bounds, 0.0, 0.0};
    node.gain = score(node.sums, bounds);
    // Rounding can make a worthless split look a few ulps better than none.
    node.least_gain = std::max(params_.min_split_gain, 1e-12 * std::abs(node.gain));
    return node;
}

void SplitFinder::scan(int f, const PackedPair* histogram, const Node& node, Split& best) const {
    const PackedPair* bins = histogram + layout_.offset(f);
    if (!best.found()) best.gain = node.least_gain;
    if (mapper_.is_categorical(f)) {
        if (mapper_.n_categories(f) <= params_.max_onehot)
            scan_one_hot(f, bins, node, best);
        else
            scan_sorted_categories(f, bins, node, best);
    } else if (!params_.monotonic_cst.empty()) {
        scan_monotonic(f, bins, node, best);
    } else if (rule_.is_limited()) {
        scan_numeric<true>(f, bins, node, best);
    } else {
        scan_numeric<false>(f, bins, node, best);
    }
}

} // namespace mlcore::boosting
