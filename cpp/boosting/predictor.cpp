#include "boosting/predictor.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "boosting/feature_slots.hpp"
#include "boosting/forest.hpp"

namespace mlcore::boosting {
Predictor::Predictor(const ForestArrays& forest, const FeatureSlots& slots) : forest_(&forest) {
    has_categories_ = std::any_of(forest.category_offset.begin(), forest.category_offset.end(),
                                  [](std::int64_t offset) { return offset >= 0; });
    root_.assign(forest.tree_offset.begin(), forest.tree_offset.end() - 1);
    compile(forest, slots, nodes_float_);
    compile(forest, slots, nodes_double_);
}

template <>
const std::vector<Predictor::Node<float>>& Predictor::nodes<float>() const {
    return nodes_float_;
}
template <>
const std::vector<Predictor::Node<double>>& Predictor::nodes<double>() const {
    return nodes_double_;
}

template <class T>
void Predictor::compile(const ForestArrays& forest, const FeatureSlots& slots, std::vector<Node<T>>& nodes) {
    nodes.resize(forest.n_nodes());
    for (std::size_t t = 0; t + 1 < forest.tree_offset.size(); ++t) {
        const auto base = static_cast<std::int32_t>(forest.tree_offset[t]);
        for (auto i = static_cast<std::size_t>(forest.tree_offset[t]);
             i < static_cast<std::size_t>(forest.tree_offset[t + 1]); ++i) {
            if (forest.feature[i] < 0) {
                // Every value, NaN included, goes left: to the leaf itself.
                nodes[i] = {std::numeric_limits<T>::infinity(), default_left, static_cast<std::int32_t>(i)};
                continue;
            }
            auto slot = static_cast<std::uint32_t>(slots.slot(static_cast<std::size_t>(forest.feature[i])));
            if (forest.default_left[i]) slot |= default_left;
            if (forest.category_offset[i] >= 0) slot |= categorical;
            nodes[i] = {round_down<T>(forest.threshold[i]), slot, base + forest.left[i]};
        }
    }
}

template <class T, bool HasCategories, std::size_t Stride, std::size_t Lanes>
void Predictor::step_until_leaves(const T* const (&x)[Lanes], std::int32_t (&at)[Lanes]) const {
    const Node<T>* nodes = this->nodes<T>().data();
    for (std::int32_t moved = 1; moved != 0;) {
        moved = 0;
        for (std::size_t j = 0; j < Lanes; ++j) {
            const Node<T> node = nodes[at[j]];
            const T value = x[j][(node.slot & slot_mask) * Stride];
            // NaN is neither above nor at most the threshold.
            const bool above = value > node.threshold, at_most = value <= node.threshold;
            std::int32_t right = above | (!at_most & !(node.slot & default_left));
            if constexpr (HasCategories)
                if (node.slot & categorical)
                    right = !forest_->category_goes_left(static_cast<std::size_t>(at[j]), static_cast<double>(value));
            std::int32_t next = node.left + right;
            asm("" : "+r"(next)); // keeps the lanes scalar: as gathers they take twice the time
            moved |= next ^ at[j];
            at[j] = next;
        }
    }
}

template <class T>
void Predictor::walk(const T* x, std::size_t n_rows, std::size_t t, std::int32_t* leaf) const {
    constexpr std::size_t stride = BitScorer<T>::block_rows;
    for (std::size_t r = 0; r < n_rows; r += lanes) {
        const T* row[lanes];
        std::int32_t at[lanes];
        for (std::size_t j = 0; j < lanes; ++j) {
            row[j] = x + std::min(r + j, n_rows - 1);
            at[j] = root_[t];
        }
        if (has_categories_)
            step_until_leaves<T, true, stride>(row, at);
        else
            step_until_leaves<T, false, stride>(row, at);
        std::copy_n(at, std::min(lanes, n_rows - r), leaf + r);
    }
}

void Predictor::walk_trees(const double* x, std::size_t first, std::size_t last, std::int32_t* leaf) const {
    for (std::size_t t = first; t < last; t += lanes) {
        const double* row[lanes];
        std::int32_t at[lanes];
        for (std::size_t j = 0; j < lanes; ++j) {
            row[j] = x;
            at[j] = root_[std::min(t + j, last - 1)];
        }
        if (has_categories_)
            step_until_leaves<double, true, 1>(row, at);
        else
            step_until_leaves<double, false, 1>(row, at);
        std::copy_n(at, std::min(lanes, last - t), leaf + (t - first));
    }
}

template void Predictor::walk(const float*, std::size_t, std::size_t, std::int32_t*) const;
template void Predictor::walk(const double*, std::size_t, std::size_t, std::int32_t*) const;

} // namespace mlcore::boosting
