// The best split of a node, read off its histogram.
//
// With G, H the sums of gradients and hessians, T(G) = sign(G) max(|G| - alpha, 0) and lambda = reg_lambda, the gain is
//
//     T(G_L)^2 / (H_L + lambda) + T(G_R)^2 / (H_R + lambda) - T(G)^2 / (H + lambda)        (Chen & Guestrin 2016,
//     without the 1/2)
//
// and with max_delta_step the gain that values up to that can have (leaf_value.hpp).
//
// A numeric feature is scanned twice where the node has missing values: once with them on the right (thresholds
// ascending), once on the left (thresholds descending). A missing value that the node did not see follows the larger
// child, and so does a category that it did not see: it goes where missing values go. Ties: lower feature, then missing
// right before left, then the first met in the scan.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "boosting/bin_mapper.hpp"
#include "boosting/gradient.hpp"
#include "boosting/histogram.hpp"
#include "boosting/leaf_value.hpp"
#include "boosting/params.hpp"

namespace mlcore::boosting {

// A set of bins; bit b set: rows of bin b go left.
using BinSet = std::array<std::uint32_t, 8>;
inline bool contains(const BinSet& set, int bin) { return (set[bin / 32] >> (bin % 32)) & 1; }
inline void insert(BinSet& set, int bin) { set[bin / 32] |= std::uint32_t{1} << (bin % 32); }

struct Split {
    double gain = 0.0;
    int feature = -1; // -1: no split is allowed or worth it
    int bin = 0;      // numeric: bins <= bin go left; -1: only missing ones do
    bool categorical = false;
    bool missing_left = false;
    BinSet left_bins{}; // categorical: all bins that go left, the missing bin included
    PackedPair left{};  // sums of the left child

    bool found() const { return feature >= 0; }
    bool goes_left(int b, int missing_bin) const {
        if (categorical) return contains(left_bins, b);
        return b == missing_bin ? missing_left : b <= bin;
    }
};

class SplitFinder {
  public:
    // step_share: see LeafRule.
    SplitFinder(const BinMapper& mapper, const HistogramLayout& layout, const Params& params, double step_share = 0.0);

    // The units of the integers of this tree.
    void set_scale(const FixedPoint& scale) {
        scale_ = scale;
        rule_.set_hessian_unit(scale.hessian_unit());
    }

    // What all features of a node share.
    struct Node {
        Sums sums;
        Bounds bounds;
        double gain = 0.0;       // of the node unsplit
        double least_gain = 0.0; // a split must gain more than this
    };
    Node node(const PackedPair& total, const Bounds& bounds) const;

    // Replaces `best` if feature f has a better split. Call with ascending f.
    void scan(int f, const PackedPair* histogram, const Node& node, Split& best) const;

    double leaf_value(const Sums& s, const Bounds& bounds) const { return rule_.value(s, bounds); }
    Sums decode(const PackedPair& p) const { return scale_.decode(p); }
    int monotonic(int f) const { return params_.monotonic_cst.empty() ? 0 : params_.monotonic_cst[f]; }

  private:
    template <bool limited>
    void scan_numeric(int f, const PackedPair* bins, const Node& node, Split& best) const;
    void scan_monotonic(int f, const PackedPair* bins, const Node& node, Split& best) const;
    void scan_one_hot(int f, const PackedPair* bins, const Node& node, Split& best) const;
    void scan_sorted_categories(int f, const PackedPair* bins, const Node& node, Split& best) const;

    // What keeps sorted categories from overfitting, for one feature of one node. What the user leaves open is relative
    // to half of an average category of the node, so that nodes of any size can be split: as many rows are added to
    // each category before they are sorted (10 at most; with fewer than 3, unless leaves may be as small, a category
    // tells nothing), and lie between two candidate cuts (100 at most).
    struct CategoryLimits {
        double smooth;      // rows; categories with fewer form one group with the missing values
        double apart;       // rows between two candidate cuts
        double key_hessian; // `smooth` mean rows of the node as a sum of hessians
        double lambda;      // reg_lambda and cat_l2 mean rows
    };
    CategoryLimits category_limits(int f, const PackedPair* bins, const Node& node) const;
    // Bins without rows in the node go where missing values go.
    void send_unseen(int f, const PackedPair* bins, Split& split) const;

    // The gain of the rows as a leaf; under monotone constraints by the value that the bounds leave them.
    double score(const Sums& s, const Bounds& bounds) const;
    bool big_enough(const Sums& s) const { return s.n >= params_.min_samples_leaf && s.h >= params_.min_child_weight; }

    const BinMapper& mapper_;
    const HistogramLayout& layout_;
    const Params& params_;
    LeafRule rule_;
    FixedPoint scale_;
};

} // namespace mlcore::boosting
