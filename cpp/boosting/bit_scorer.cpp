#include "boosting/bit_scorer.hpp"

#include "boosting/feature_slots.hpp"
#include "boosting/forest.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace mlcore::boosting {
namespace {

// Vectors of the compiler: as wide as this ISA level's registers.
#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX__)
constexpr std::size_t vector_bytes = 32;
#else
constexpr std::size_t vector_bytes = 16;
#endif

template <class T, std::size_t Lanes>
struct VectorOf {
    typedef T type __attribute__((vector_size(Lanes * sizeof(T)), may_alias, aligned(alignof(T))));
};
template <class T, std::size_t Lanes>
using Vector = typename VectorOf<T, Lanes>::type;
template <class T>
using SignedWord = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

} // namespace

template <class T>
BitScorer<T>::BitScorer(const ForestArrays& forest, const CategoryClasses& categories, const FeatureSlots& slots)
    : categories_(&categories), slots_(&slots), trees_(forest.n_trees()) {
    for (std::size_t t = 0; t < forest.n_trees(); ++t) compile(forest, t);
}

template <class T>
void BitScorer<T>::compile(const ForestArrays& forest, std::size_t t) {
    const auto base = static_cast<std::size_t>(forest.tree_offset[t]);
    const auto size = static_cast<std::size_t>(forest.tree_offset[t + 1]) - base;
    Tree& tree = trees_[t];
    if ((size + 1) / 2 > max_leaves) return;

    // Depth first, left before right: leaves are numbered in the order met. A split's left subtree is the leaves
    // numbered between going down and coming back.
    struct Visit {
        std::size_t node;
        int stage; // 0: new, 1: left subtree done
        std::uint32_t first_leaf;
    };
    std::vector<Visit> stack{{base, 0, 0}};
    std::vector<Split> right_default, left_default;
    tree.first_value = static_cast<std::uint32_t>(values_.size());
    tree.first_table = static_cast<std::uint32_t>(tables_.size());
    const auto table_of = [&](std::uint32_t feature) {
        const auto index = static_cast<std::uint32_t>(categories_->index(feature));
        for (std::size_t k = tree.first_table; k < tables_.size(); ++k)
            if (tables_[k].index == index) return tables_[k];
        tables_.push_back({index, static_cast<std::uint32_t>(category_words_.size())});
        category_words_.resize(category_words_.size() + categories_->n_classes(index), ~std::uint64_t{0});
        return tables_.back();
    };
    std::uint32_t leaf = 0;
    while (!stack.empty()) {
        Visit& visit = stack.back();
        const std::size_t i = visit.node;
        if (forest.feature[i] < 0) {
            values_.push_back(forest.value[i]);
            ++leaf;
            stack.pop_back();
        } else if (visit.stage == 0) {
            visit.stage = 1;
            visit.first_leaf = leaf;
            stack.push_back({base + static_cast<std::size_t>(forest.left[i]), 0, 0});
        } else {
            const std::uint32_t width = leaf - visit.first_leaf; // < 64: the right subtree has a leaf as well
            const std::uint64_t keep = ~(((std::uint64_t{1} << width) - 1) << visit.first_leaf);
            const auto feature = static_cast<std::uint32_t>(forest.feature[i]);
            if (forest.category_offset[i] >= 0) {
                const CategoryTable table = table_of(feature);
                for (std::size_t c = 0; c < categories_->n_classes(table.index); ++c)
                    if (!forest.category_goes_left(i, categories_->representative(table.index, c)))
                        category_words_[table.offset + c] &= keep;
            } else {
                (forest.default_left[i] ? left_default : right_default)
                    .push_back(
                        {round_down<T>(forest.threshold[i]), static_cast<std::uint32_t>(slots_->slot(feature)), keep});
            }
            const std::size_t right = base + static_cast<std::size_t>(forest.right[i]);
            stack.pop_back();
            stack.push_back({right, 0, 0});
        }
    }
    tree.n_leaves = leaf;
    tree.last_table = static_cast<std::uint32_t>(tables_.size());
    tree.first = static_cast<std::uint32_t>(splits_.size());
    splits_.insert(splits_.end(), right_default.begin(), right_default.end());
    tree.middle = static_cast<std::uint32_t>(splits_.size());
    splits_.insert(splits_.end(), left_default.begin(), left_default.end());
    tree.last = static_cast<std::uint32_t>(splits_.size());
}

// The words of a block's rows after all splits. Four vectors of words stay in registers across the splits.
template <class T>
template <class Word>
void BitScorer<T>::leaves(const T* x, const std::uint32_t* classes, const Tree& tree, Word* words) const {
    constexpr std::size_t lanes = vector_bytes / std::max(sizeof(T), sizeof(Word)), group = 4;
    using Values = Vector<T, lanes>;
    using Narrow = Vector<SignedWord<T>, lanes>; // what comparing Values gives
    using Words = Vector<Word, lanes>;

    for (std::size_t r = 0; r < block_rows; r += lanes * group) {
        Words w[group];
        for (std::size_t j = 0; j < group; ++j) w[j] = ~Words{};
        const auto clear = [&](const Split& split, auto&& goes_right) {
            const T* column = x + split.slot * block_rows + r;
            const Word keep = static_cast<Word>(split.keep);
#pragma GCC unroll 4
            for (std::size_t j = 0; j < group; ++j) {
                const Values value = *reinterpret_cast<const Values*>(column + j * lanes);
                const Narrow right = goes_right(value, split.threshold);
                const Words mask = (Words) __builtin_convertvector(right, Words);
                w[j] &= keep | ~mask;
            }
        };
        for (std::uint32_t s = tree.first; s < tree.middle; ++s)
            clear(splits_[s], [](const Values& v, T threshold) -> Narrow { return ~(v <= threshold); });
        for (std::uint32_t s = tree.middle; s < tree.last; ++s)
            clear(splits_[s], [](const Values& v, T threshold) -> Narrow { return v > threshold; });
#pragma GCC unroll 4
        for (std::size_t j = 0; j < group; ++j) *reinterpret_cast<Words*>(words + r + j * lanes) = w[j];
    }
    for (std::uint32_t k = tree.first_table; k < tree.last_table; ++k) {
        const std::uint32_t* row_class = classes + tables_[k].index * block_rows;
        const std::uint64_t* table = category_words_.data() + tables_[k].offset;
        for (std::size_t r = 0; r < block_rows; ++r) words[r] &= static_cast<Word>(table[row_class[r]]);
    }
}

template <class T>
void BitScorer<T>::classify(const T* x, std::vector<std::uint32_t>& classes) const {
    const auto& features = categories_->features();
    classes.resize(features.size() * block_rows);
    for (std::size_t k = 0; k < features.size(); ++k) {
        const T* column = x + slots_->slot(features[k]) * block_rows;
        for (std::size_t r = 0; r < block_rows; ++r)
            classes[k * block_rows + r] = categories_->class_of(k, static_cast<double>(column[r]));
    }
}

template <class T>
void BitScorer<T>::add(const T* x, const std::vector<std::uint32_t>& classes, std::size_t n_rows, std::size_t t,
                       double* out, std::size_t out_stride) const {
    const Tree& tree = trees_[t];
    const double* value = values_.data() + tree.first_value;
    const auto add_values = [&](const auto* words) {
        for (std::size_t r = 0; r < n_rows; ++r) out[r * out_stride] += value[std::countr_zero(words[r])];
    };
    if (sizeof(T) == 4 && tree.n_leaves <= 32) {
        std::uint32_t words[block_rows];
        leaves(x, classes.data(), tree, words);
        add_values(words);
    } else {
        std::uint64_t words[block_rows];
        leaves(x, classes.data(), tree, words);
        add_values(words);
    }
}

template class BitScorer<float>;
template class BitScorer<double>;

} // namespace mlcore::boosting
