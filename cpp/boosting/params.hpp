// Parameters of the boosting engine: one plain struct, validated in Python, read everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mlcore::boosting {

enum class Growth { leaf, depth };

struct Params {
    Growth growth = Growth::leaf;   // best-first or level by level
    bool newton = true;             // second-order splits and leaves; false: first-order, line-searched leaves
    int max_leaf_nodes = 31;        // 0: no limit
    int max_depth = 0;              // 0: no limit
    double min_samples_leaf = 20;   // rows (repeats counted) in a leaf
    double min_child_weight = 1e-3; // sum of hessians in a leaf
    double min_split_gain = 0.0;    // a split must gain more than this
    double reg_lambda = 0.0;        // L2 penalty on leaf values
    double reg_alpha = 0.0;         // L1 penalty on leaf values
    double max_delta_step = 0.0;    // largest leaf value before the learning rate; 0: no limit of this kind
    double learning_rate = 0.1;     // factor on every leaf value
    double subsample = 1.0;         // share of rows drawn for a tree, without replacement
    double colsample_bytree = 1.0;  // share of features drawn for a tree,
    double colsample_bylevel = 1.0; // of those for a level,
    double colsample_bynode = 1.0;  // and of those for a node
    std::vector<int> monotonic_cst; // per feature -1, 0, +1; empty: none
    std::vector<std::vector<int>> interaction_cst; // groups of features that may meet on a path; empty: all
    std::uint64_t seed = 0;                        // of all random draws, together with the number of the iteration
    std::uint64_t first_iteration = 0; // of a model that is continued: its random draws go on where they stopped

    // Categorical splits. Up to max_cat_to_onehot categories each is tried alone against the rest; above that they are
    // sorted by smoothed gradient and split as if ordered (Fisher 1958). The others keep that from overfitting, and are
    // counted in rows, so that they mean the same for any units of y and of the weights. Negative: chosen by the size
    // of the node and the number of its categories, see SplitFinder.
    int max_cat_to_onehot = 4;
    int max_cat_threshold = 0; // most categories on the smaller side of a sorted split; 0: no limit
    double cat_smooth = -1.0;  // mean rows added to a category in its sort key; rarer ones travel with the missing
    double cat_l2 = -1.0;      // mean rows added to each side in the gain of sorted splits; negative: cat_smooth
    double min_data_per_group = -1.0; // rows between two candidate cuts of the sorted categories
};

} // namespace mlcore::boosting
