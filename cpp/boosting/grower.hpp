// Grows one tree. What a node goes through is the same for every style (partition, histogram of the smaller child,
// subtraction, split search); only the order in which nodes are opened differs:
//
//     leaf    best-first (Shi 2007, LightGBM): the open node with the largest gain next
//     depth   level by level (XGBoost): the oldest open node next
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boosting/histogram.hpp"
#include "boosting/params.hpp"
#include "boosting/partition.hpp"
#include "boosting/split.hpp"
#include "boosting/tree.hpp"
#include "core/context.hpp"

namespace mlcore::boosting {

class Grower {
  public:
    // step_share: see LeafRule. largest_weight: of a row, or more; a whole-numbered weight counts as so many rows.
    Grower(const BinMapper& mapper, const BinnedMatrix& data, const Params& params, double step_share = 0.0,
           double largest_weight = 1.0);

    // Grows on the rows that `partition` holds. pairs: one a row of the data. tree_number keys the feature draws.
    // Leaf values are not yet multiplied by the learning rate.
    Tree grow(const RunContext& ctx, Partition& partition, const PackedPair* pairs, const FixedPoint& scale,
              std::uint64_t tree_number);

  private:
    struct Open {
        int node = 0;
        int depth = 0;
        PackedPair total{};
        Bounds bounds;
        std::vector<int> groups;            // interaction groups that the path has left open
        bool wanted = false;                // look for a split
        std::vector<std::uint8_t> features; // one flag a feature: may split here; empty: all of the tree
        Histogram histogram;
        Split split;

        bool may_use(int f) const { return wanted && (features.empty() || features[static_cast<std::size_t>(f)]); }
    };

    class Frontier;

    void draw_tree_features(std::uint64_t tree_number);
    void choose_searched();
    std::vector<std::uint8_t> node_features(const Open& node, std::uint64_t tree_number) const;
    bool may_split(const Open& node, int n_leaves) const;
    Open open_root(const RunContext& ctx, const Partition& partition, const PackedPair* pairs, Tree& tree);
    Open child(const Open& parent, Tree& tree, int node, const PackedPair& total) const;
    void write_split(const Open& parent, Tree& tree) const;
    void open_children(const RunContext& ctx, Partition& partition, const PackedPair* pairs, Open& parent, Open& left,
                       Open& right, Tree& tree);
    // Whether a split may leave each side enough rows; asked of sparse features, before their bins are looked at.
    bool may_divide(int f, const PackedPair* histogram, const PackedPair& total) const;
    void set_values(const Open& parent, Open& left, Open& right, Tree& tree) const;

    // The parallel parts of a split. divide: rows of the pieces to left and right, those of one side counted on the
    // way. search: pieces copied back, and feature by feature: counters collected, sibling subtracted, both searched.
    void count_root(const RunContext& ctx, const Partition& partition, const PackedPair* pairs);
    void divide(const RunContext& ctx, Partition& partition, std::size_t n_pieces, const Split& split,
                const PackedPair* pairs, const bool* count_left);
    void count_stripes(const RunContext& ctx, std::span<const std::uint32_t> rows, const PackedPair* pairs,
                       Histogram& histogram);
    void search(const RunContext& ctx, Partition& partition, std::size_t n_pieces, bool collect, Open& counted,
                Open* sibling);

    const BinMapper& mapper_;
    const BinnedMatrix& data_;
    const Params& params_;
    HistogramLayout layout_;
    HistogramBuilder builder_;
    SplitFinder finder_;
    std::vector<int> tree_features_;     // drawn for the tree
    std::vector<int> searched_features_; // those of them that have a histogram
    Buffer<std::uint8_t> column_;        // a sparse column with all its rows
};

} // namespace mlcore::boosting
