// Prediction of many rows without walking: every split of a tree is tested for a block of rows at once.
//
// Number a tree's leaves from left to right and give each row a word with one bit a leaf, all set. A split that sends
// the row right clears the bits of its left subtree. When all splits have been tested, in any order, the lowest bit
// left is the row's leaf (QuickScorer: Lucchese et al. 2015; over several rows at once: Lucchese et al. 2016). There is
// no dependent load and no branch, only comparisons and ANDs on whole vectors; at 31 or 63 leaves that beats a walk of
// their depth by far. Trees with more than 64 leaves are left to Predictor.
//
// The categorical splits of a tree on one feature are folded into one table: class of the row's category -> bits left.
#pragma once

#include "boosting/category_classes.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace mlcore::boosting {

struct ForestArrays;
class FeatureSlots;

template <class T>
class BitScorer {
  public:
    static constexpr std::size_t max_leaves = 64;
    static constexpr std::size_t block_rows = 64;

    BitScorer(const ForestArrays& forest, const CategoryClasses& categories, const FeatureSlots& slots);

    bool has(std::size_t tree) const { return trees_[tree].n_leaves > 0; }

    // x: a block of rows, a slot of features after the other, x[slot * block_rows + r]; all block_rows entries are
    // readable, n_rows of them count. Category classes of the block, once for all trees: classes[index * block_rows +
    // r].
    void classify(const T* x, std::vector<std::uint32_t>& classes) const;
    // out[r * out_stride] += value of tree t.
    void add(const T* x, const std::vector<std::uint32_t>& classes, std::size_t n_rows, std::size_t tree, double* out,
             std::size_t out_stride) const;

  private:
    // float values are compared 32 bits a row, so trees of up to 32 leaves keep their words in 32 bits as well.
    struct Split {
        T threshold;
        std::uint32_t slot;
        std::uint64_t keep; // bits left when the row goes right
    };
    struct CategoryTable {
        std::uint32_t index;  // of the feature in categories_
        std::uint32_t offset; // in category_words_
    };
    struct Tree {
        // splits_[first, middle): NaN goes right; [middle, last): NaN goes left; tables_[first_table, last_table)
        std::uint32_t first = 0, middle = 0, last = 0, first_table = 0, last_table = 0;
        std::uint32_t first_value = 0;
        std::uint32_t n_leaves = 0; // 0: too many
    };

    void compile(const ForestArrays& forest, std::size_t tree);
    template <class Word>
    void leaves(const T* x, const std::uint32_t* classes, const Tree& tree, Word* words) const;

    const CategoryClasses* categories_;
    const FeatureSlots* slots_;
    std::vector<Tree> trees_;
    std::vector<Split> splits_;
    std::vector<CategoryTable> tables_;
    std::vector<std::uint64_t> category_words_;
    std::vector<double> values_; // leaf values from left to right, tree by tree
};

} // namespace mlcore::boosting
