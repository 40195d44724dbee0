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

    // Categorical splits. Up to max_onehot categories each is tried alone against the rest; above that they are sorted
    // by smoothed gradient and split as if ordered (Fisher 1958). The three others keep that from overfitting.
    int max_onehot = 4;
    double cat_smooth = 10.0;        // added to the hessian in the sort key
    double cat_lambda = 10.0;        // added to reg_lambda in the gain of sorted splits
    double min_rows_category = 10;   // categories rarer than this in a node travel with the missing values
    double min_rows_cat_group = 100; // rows between two candidate cuts of the sorted categories
};

} // namespace mlcore::boosting
