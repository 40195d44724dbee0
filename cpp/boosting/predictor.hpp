// Walking trees: for single rows, for trees too large for BitScorer, and to tell leaves apart.
//
// A walk is a chain of dependent loads; one alone waits for each. Eight side by side (eight rows of one tree, or one
// row in eight trees) hide that. A leaf's child is the leaf itself, so a walk that has ended takes harmless steps until
// its neighbours end too. The right child follows the left one, so a step is an addition of a comparison: no branch to
// mispredict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::boosting {

struct ForestArrays;
class FeatureSlots;

class Predictor {
  public:
    Predictor(const ForestArrays& forest, const FeatureSlots& slots);

    // leaf[r] = node number (in the whole forest) where row r of a block ends in tree t.
    // x: a slot of features after the other, x[slot * BitScorer::block_rows + r].
    template <class T>
    void walk(const T* x, std::size_t n_rows, std::size_t t, std::int32_t* leaf) const;

    // leaf[t - first] for the row x (n_slots) and trees [first, last).
    void walk_trees(const double* x, std::size_t first, std::size_t last, std::int32_t* leaf) const;

  private:
    static constexpr std::size_t lanes = 8;

    template <class T>
    struct Node {
        T threshold;
        std::uint32_t slot; // of the feature; upper bits: flags
        std::int32_t left;  // right child = left + 1; a leaf points to itself
    };
    static constexpr std::uint32_t default_left = 1u << 31, categorical = 1u << 30, slot_mask = categorical - 1;

    template <class T>
    const std::vector<Node<T>>& nodes() const;
    template <class T>
    void compile(const ForestArrays& forest, const FeatureSlots& slots, std::vector<Node<T>>& nodes);
    // at[j]: the walk of lane j, whose slot s is x[j][s * Stride].
    template <class T, bool HasCategories, std::size_t Stride, std::size_t Lanes>
    void step_until_leaves(const T* const (&x)[Lanes], std::int32_t (&at)[Lanes]) const;

    const ForestArrays* forest_;
    bool has_categories_ = false;
    std::vector<std::int32_t> root_;
    std::vector<Node<float>> nodes_float_;
    std::vector<Node<double>> nodes_double_;
};

} // namespace mlcore::boosting
