// A trained model: all trees as plain arrays (what Python reads, pickles and saves), and what is asked of them.
//
// Numeric split: NaN takes the default direction, else x <= threshold goes left. Categorical split: a code whose bit is
// set goes left; NaN and codes outside the set's range take the default direction.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "boosting/bin_mapper.hpp"
#include "boosting/bit_scorer.hpp"
#include "boosting/category_classes.hpp"
#include "boosting/feature_slots.hpp"
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

    // Categorical split `node` (numbered in the forest) for this code.
    bool category_goes_left(std::size_t node, double code) const {
        if (!(code >= 0.0 && code < category_size[node] * 32.0)) return default_left[node] != 0;
        const auto bit = static_cast<std::size_t>(code);
        return (category_words[static_cast<std::size_t>(category_offset[node]) + bit / 32] >> (bit % 32)) & 1;
    }

    // Throws ValueError unless every index is in range and every path ends: a damaged file must not crash a prediction.
    void validate() const;
};

// The largest T not above x, so that a value of type T compares with it as with x.
template <class T>
T round_down(double x) {
    const T t = static_cast<T>(x);
    return static_cast<double>(t) > x ? std::nextafter(t, -std::numeric_limits<T>::infinity()) : t;
}

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

    // out (n, T): the leaf of each tree that each row reaches.
    void apply(const RunContext& ctx, const Table& X, std::int32_t* out) const;

    // Per feature: total gain, number of splits or total cover of its splits.
    std::vector<double> importance(Importance kind) const;

  private:
    template <class T>
    const BitScorer<T>& bit_scorer() const;

    ForestArrays arrays_;
    FeatureSlots slots_;
    Predictor predictor_;
    CategoryClasses categories_;
    BitScorer<float> bit_scorer_float_;
    BitScorer<double> bit_scorer_double_;
};

} // namespace mlcore::boosting
