// A trained model: all trees as plain arrays (what Python reads, pickles and saves), and what is asked of them.
//
// Numeric split: NaN takes the default direction, else x <= threshold goes left. Categorical split: a code whose bit is
// set goes left; NaN and codes outside the set's range take the default direction.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "boosting/bin_mapper.hpp"
#include "boosting/predictor.hpp"
#include "boosting/tree.hpp"
#include "core/context.hpp"
#include "core/table.hpp"

namespace mlcore::boosting {

// Node numbers start at 0 in each tree; node i of tree t stands at tree_offset[t] + i. Trees come iteration by
// iteration, one an output.
struct ForestArrays {
    std::int64_t n_features = 0;
    std::vector<double> baseline;                // (K) raw score before the first tree
    std::vector<std::int64_t> tree_offset = {0}; // (T + 1)
    // one entry a node:
    std::vector<std::int32_t> feature; // -1: leaf
    std::vector<double> threshold;
    std::vector<std::int32_t> left, right;
    std::vector<std::uint8_t> default_left;
    std::vector<std::int64_t> category_offset; // into category_words, -1: numeric split
    std::vector<std::int32_t> category_size;   // words
    std::vector<double> value, gain, cover, count;
    std::vector<std::uint32_t> category_words;

    std::size_t n_outputs() const { return baseline.size(); }
    std::size_t n_trees() const { return tree_offset.size() - 1; }
    std::size_t n_iterations() const { return n_outputs() == 0 ? 0 : n_trees() / n_outputs(); }
    std::size_t n_nodes() const { return feature.size(); }

    void append(const Tree& tree, const BinMapper& mapper);
    void append(const ForestArrays& other); // the trees of a model with the same outputs and features
    void truncate(std::size_t n_iterations);

    // Throws ValueError unless every index is in range and every path ends: a damaged file must not crash a prediction.
    void validate() const;
};

enum class Importance { gain, split, cover };

class Forest {
  public:
    explicit Forest(ForestArrays arrays); // validates

    Forest(const Forest&) = delete; // the predictor refers to the arrays
    Forest& operator=(const Forest&) = delete;

    const ForestArrays& arrays() const { return arrays_; }

    // out (n, K), row-major, += the trees of iterations [first, last).
    void add_scores(const RunContext& ctx, const Table& X, std::size_t first, std::size_t last, double* out) const;

    // out (K) = raw score of one row: all trees, on the calling thread.
    void score_row(const double* x, double* out) const;

    // out (n, T): the leaf of each tree that each row falls into.
    void apply(const RunContext& ctx, const Table& X, std::int32_t* out) const;

    // Per feature: total gain, number of splits or total cover of its splits.
    std::vector<double> importance(Importance kind) const;

  private:
    ForestArrays arrays_;
    Predictor predictor_;
};

} // namespace mlcore::boosting
