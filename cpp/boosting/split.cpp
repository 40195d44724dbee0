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
    // "Missing against all others" again, the other way round: unlike without constraints it is another split.
    consider(-1, missing, true);
}

void SplitFinder::scan_one_hot(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int missing_bin = mapper_.missing_bin(f);
    const bool has_missing = scale_.decode(bins[missing_bin]).n > 0;
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
        best.missing_left = has_missing ? b == missing_bin : l.n > r.n;
    }
    if (best.feature == f) send_unseen(f, bins, best);
}

SplitFinder::CategoryLimits SplitFinder::category_limits(int f, const PackedPair* bins, const Node& node) const {
    constexpr double most_smooth = 10.0, most_apart = 100.0, least_rows = 3.0;
    double n = 0.0, n_present = 0.0;
    for (int b = 0; b < mapper_.n_bins(f); ++b) {
        const double rows = scale_.decode(bins[b]).n;
        n += rows;
        n_present += rows > 0.0 ? 1.0 : 0.0;
    }
    const double half = n_present > 0.0 ? n / n_present / 2 : 0.0;
    CategoryLimits limits;
    limits.smooth = params_.cat_smooth;
    limits.apart = params_.min_data_per_group;
    if (limits.smooth < 0.0)
        limits.smooth = std::clamp(half, std::min(least_rows, params_.min_samples_leaf), most_smooth);
    if (limits.apart < 0.0) limits.apart = std::min(half, most_apart);
    const double mean_hessian = node.sums.n > 0.0 ? node.sums.h / node.sums.n : 0.0;
    limits.key_hessian = limits.smooth * mean_hessian;
    limits.lambda = params_.reg_lambda + (params_.cat_l2 < 0.0 ? limits.smooth : params_.cat_l2) * mean_hessian;
    return limits;
}

void SplitFinder::send_unseen(int f, const PackedPair* bins, Split& split) const {
    if (!split.missing_left) return;
    for (int b = 0; b <= mapper_.missing_bin(f); ++b)
        if (scale_.decode(bins[b]).n <= 0.0) insert(split.left_bins, b);
}

void SplitFinder::scan_sorted_categories(int f, const PackedPair* bins, const Node& node, Split& best) const {
    const int missing_bin = mapper_.missing_bin(f);
    const CategoryLimits limits = category_limits(f, bins, node);

    // Categories with enough rows stand alone; the others and the missing values form one group.
    struct Group {
        double key;
        int bin; // -1: the group of rare and missing
        PackedPair sum;
        double n;
    };
    std::vector<Group> groups;
    const auto add = [&](int bin, const PackedPair& sum) {
        const Sums s = scale_.decode(sum);
        const double h = s.h + limits.key_hessian;
        groups.push_back({h > 0.0 ? s.g / h : 0.0, bin, sum, s.n});
    };
    PackedPair rare{};
    BinSet is_rare{};
    bool any_rare = false;
    for (int b = 0; b <= missing_bin; ++b) {
        const double n = scale_.decode(bins[b]).n;
        if (n <= 0.0) continue;
        if (b == missing_bin || n < limits.smooth) {
            rare += bins[b];
            any_rare = true;
            insert(is_rare, b);
        } else {
            add(b, bins[b]);
        }
    }
    if (any_rare) add(-1, rare);
    std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.key < b.key; });

    const double node_gain = rule_.score(node.sums.g, node.sums.h, limits.lambda);
    const std::size_t most =
        params_.max_cat_threshold > 0 ? static_cast<std::size_t>(params_.max_cat_threshold) : groups.size();
    PackedPair left{};
    double since_cut = 0.0;
    int cut = -1;
    for (std::size_t t = 0; t + 1 < groups.size(); ++t) {
        left += groups[t].sum;
        since_cut += groups[t].n;
        const Sums l = scale_.decode(left), r = node.sums - l;
        if (!big_enough(l) || !big_enough(r)) continue;
        if (since_cut < limits.apart || r.n < limits.apart) continue;
        if (std::min(t + 1, groups.size() - t - 1) > most) continue;
        since_cut = 0.0;
        const double gain = rule_.score(l.g, l.h, limits.lambda) + rule_.score(r.g, r.h, limits.lambda) - node_gain;
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
    for (int t = 0; t < static_cast<int>(groups.size()); ++t) {
        const Group& group = groups[static_cast<std::size_t>(t)];
        if (group.bin < 0 && contains(is_rare, missing_bin)) best.missing_left = t <= cut;
        if (t > cut) continue;
        for (int b = 0; b <= missing_bin; ++b)
            if (group.bin < 0 ? contains(is_rare, b) : b == group.bin) insert(best.left_bins, b);
    }
    send_unseen(f, bins, best);
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
        if (mapper_.n_categories(f) <= params_.max_cat_to_onehot)
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
