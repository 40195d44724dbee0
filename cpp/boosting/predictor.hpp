// Prediction: trees packed into 16-byte nodes, walked by several rows (or trees) at once.
//
// Walking a tree is a chain of dependent loads; one row alone waits for each. Eight walks side by side hide that, and
// blocks of rows against one tree after another keep the tree in the L1 cache. A leaf's children are the leaf itself,
// so a walk that has ended takes harmless steps until its neighbours end too. The right child follows the left one, so
// a step is an addition of a comparison: no branch to mispredict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::boosting {

struct ForestArrays;

class Predictor {
  public:
    static constexpr std::size_t block_rows = 64;

    explicit Predictor(const ForestArrays& forest);

    // leaf[r] = node number (in the whole forest) where row r of x (rows x stride, C order) ends in tree t.
    template <class T>
    void walk(const T* x, std::ptrdiff_t stride, std::size_t n_rows, std::size_t t, std::int32_t* leaf) const;

    // leaf[t - first] for one row and trees [first, last).
    template <class T>
    void walk_trees(const T* x, std::size_t first, std::size_t last, std::int32_t* leaf) const;

  private:
    template <class T>
    struct Node {
        T threshold;
        std::uint32_t feature; // upper bits: flags
        std::int32_t left;     // right child = left + 1; a leaf points to itself
    };
    static constexpr std::uint32_t default_left = 1u << 31, categorical = 1u << 30, feature_mask = categorical - 1;

    template <class T>
    const std::vector<Node<T>>& nodes() const;
    template <class T>
    void compile(const ForestArrays& forest, std::vector<Node<T>>& nodes);
    template <class T, bool HasCategories, std::size_t Lanes>
    void step_until_leaves(const T* const (&x)[Lanes], std::int32_t (&at)[Lanes]) const;
    bool category_goes_left(std::int32_t node, double code, bool otherwise) const;

    const ForestArrays* forest_;
    bool has_categories_ = false;
    std::vector<std::int32_t> root_;
    std::vector<Node<float>> nodes_float_;
    std::vector<Node<double>> nodes_double_;
};

} // namespace mlcore::boosting
