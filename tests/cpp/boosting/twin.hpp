// What the tests of the boosting engine share: random tables, and slow, obvious twins of its kernels.
#pragma once

#include "boosting/binned_matrix.hpp"
#include "boosting/forest.hpp"
#include "boosting/histogram.hpp"
#include "core/random.hpp"

#include <limits>
#include <memory>
#include <numeric>
#include <vector>

namespace twin {

using namespace mlcore;
using namespace mlcore::boosting;

inline constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double inf = std::numeric_limits<double>::infinity();

/// One random number after the other.
class Random {
  public:
    explicit Random(std::uint64_t seed) : philox_(seed, 0x7465737473) {}
    double uniform() { return philox_.uniform(counter_++); }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    double normal() { return philox_.normal(counter_++); }
    bool chance(double p) { return uniform() < p; }
    /// In [low, high].
    int integer(int low, int high) {
        return low + static_cast<int>(philox_.below(counter_++, static_cast<std::uint64_t>(high - low + 1)));
    }
    std::size_t below(std::size_t n) { return philox_.below(counter_++, n); }
    template <class T>
    void shuffle(std::vector<T>& values) {
        for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
    }

  private:
    Philox philox_;
    std::uint64_t counter_ = 0;
};

/// A row-major table and its bins. n_categories: 0 for numeric features.
struct Data {
    std::size_t rows = 0, cols = 0;
    std::vector<double> x;
    std::vector<int> n_categories;
    std::shared_ptr<const BinMapper> mapper;
    std::shared_ptr<const BinnedMatrix> binned;

    double& at(std::size_t i, std::size_t j) { return x[i * cols + j]; }
    double at(std::size_t i, std::size_t j) const { return x[i * cols + j]; }
    Table table() const { return row_major<const double>(x.data(), rows, cols); }

    void bin(int max_bins = 255) {
        StandaloneRun run;
        mapper = std::make_shared<BinMapper>(BinMapper::fit(run.context, table(), {}, n_categories, max_bins));
        binned = std::make_shared<BinnedMatrix>(run.context, table(), *mapper, true);
    }
};

/// Whole numbers 0..n_values[j]-1, so that with all of them present a value is its own bin; a share is missing.
inline Data integer_data(Random& random, std::size_t rows, const std::vector<int>& n_values, double missing,
                         std::vector<int> n_categories = {}) {
    Data data;
    data.rows = rows;
    data.cols = n_values.size();
    data.n_categories = n_categories.empty() ? std::vector<int>(data.cols, 0) : std::move(n_categories);
    data.x.resize(rows * data.cols);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < data.cols; ++j)
            data.at(i, j) = random.chance(missing) ? NaN : random.integer(0, n_values[j] - 1);
    data.bin();
    return data;
}

/// A table with the gradient and the hessian of each row, and their sum.
struct GradientTable {
    Data data;
    FixedPoint scale;
    std::vector<PackedPair> pairs;
    PackedPair total{};

    GradientTable(Data table, const FixedPoint& units) : data(std::move(table)), scale(units) {}

    /// The next row counts n times.
    void add(double gradient, double hessian, int n = 1) {
        pairs.push_back(scale.encode(static_cast<float>(gradient), static_cast<float>(hessian), n));
        total += pairs.back();
    }
};

/// Sums over rows, feature by feature; rows == nullptr: all.
inline std::vector<PackedPair> histogram(const Data& data, const HistogramLayout& layout,
                                         const std::vector<std::uint32_t>* rows, const std::vector<PackedPair>& pairs) {
    std::vector<PackedPair> sums(layout.n_entries());
    for (const int f : layout.features()) {
        if (!layout.has(f)) continue;
        const auto add = [&](std::size_t row) {
            sums[layout.offset(f) + static_cast<std::size_t>(data.binned->bin(f, row))] += pairs[row];
        };
        if (rows)
            for (const std::uint32_t row : *rows) add(row);
        else
            for (std::size_t row = 0; row < data.rows; ++row) add(row);
    }
    return sums;
}

/// How a random tree grows: any leaf is split next, or always the leftmost, the rightmost or the oldest.
enum class Shape { any, left_chain, right_chain, level };

/// Adds a random tree. Even features are numeric, odd ones hold category codes.
inline void add_random_tree(Random& random, ForestArrays& forest, int n_leaves, Shape shape, bool categories) {
    const std::size_t base = forest.n_nodes();
    const auto add_leaf = [&] {
        forest.feature.push_back(-1);
        forest.threshold.push_back(0);
        forest.left.push_back(-1);
        forest.right.push_back(-1);
        forest.default_left.push_back(0);
        forest.category_offset.push_back(-1);
        forest.category_size.push_back(0);
        forest.value.push_back(random.normal());
        forest.gain.push_back(random.uniform());
        forest.cover.push_back(random.uniform());
        forest.count.push_back(1);
    };
    add_leaf();
    std::vector<std::size_t> leaves{0};
    for (int n = 1; n < n_leaves; ++n) {
        std::size_t which = random.below(leaves.size());
        if (shape == Shape::left_chain || shape == Shape::level) which = 0;
        if (shape == Shape::right_chain) which = leaves.size() - 1;
        const std::size_t node = base + leaves[which];
        const auto left = static_cast<std::int32_t>(forest.n_nodes() - base);
        const int f = random.integer(0, static_cast<int>(forest.n_features) - 1);
        forest.feature[node] = f;
        forest.default_left[node] = random.chance(0.5);
        forest.left[node] = left;
        forest.right[node] = left + 1;
        if (categories && f % 2 == 1) {
            forest.category_offset[node] = static_cast<std::int64_t>(forest.category_words.size());
            forest.category_size[node] = random.integer(0, 3);
            for (int word = 0; word < forest.category_size[node]; ++word)
                forest.category_words.push_back(static_cast<std::uint32_t>(random.below(std::size_t{1} << 32)));
        } else {
            constexpr double special[] = {0.0, -0.0, inf, -inf, 1e-320, 1e300, -1e300, 3.0};
            forest.threshold[node] = random.chance(0.2) ? special[random.below(8)] : random.normal();
        }
        add_leaf();
        add_leaf();
        const auto first = static_cast<std::size_t>(left);
        if (shape == Shape::level) {
            leaves.erase(leaves.begin());
            leaves.insert(leaves.end(), {first, first + 1});
        } else {
            leaves[which] = first;
            leaves.insert(leaves.begin() + static_cast<std::ptrdiff_t>(which) + 1, first + 1);
        }
    }
    forest.tree_offset.push_back(static_cast<std::int64_t>(forest.n_nodes()));
}

inline ForestArrays random_forest(Random& random, int n_features, std::size_t n_outputs, int n_iterations,
                                  int max_leaves, bool categories) {
    ForestArrays forest;
    forest.n_features = n_features;
    for (std::size_t k = 0; k < n_outputs; ++k) forest.baseline.push_back(random.normal());
    for (std::size_t t = 0; t < static_cast<std::size_t>(n_iterations) * n_outputs; ++t)
        add_random_tree(random, forest, random.integer(1, max_leaves), static_cast<Shape>(random.below(4)), categories);
    return forest;
}

/// What a row may hold: numbers around the thresholds, codes known and unknown, and everything odd.
inline double odd_value(Random& random) {
    constexpr double odd[] = {NaN, inf, -inf, 0.0, -0.0, 1e300, -1e300, 1e-320, 0.5, 31.0, 32.0, 95.9, 96.0, 3e9, -1.0};
    if (random.chance(0.3)) return odd[random.below(15)];
    return random.chance(0.5) ? random.integer(-2, 100) : random.normal();
}

/// Node number, in the whole forest, of the leaf where a row ends. get(f): its value of feature f.
template <class Get>
std::size_t leaf_of(const ForestArrays& forest, std::size_t tree, Get&& get) {
    const auto base = static_cast<std::size_t>(forest.tree_offset[tree]);
    std::size_t at = base;
    while (forest.feature[at] >= 0) {
        const double value = get(static_cast<std::size_t>(forest.feature[at]));
        bool left = forest.default_left[at] != 0;
        if (forest.category_offset[at] < 0) {
            if (value <= forest.threshold[at]) left = true;
            if (value > forest.threshold[at]) left = false;
        } else if (value >= 0 && value < 32.0 * forest.category_size[at]) {
            const auto code = static_cast<std::size_t>(value);
            const auto word = static_cast<std::size_t>(forest.category_offset[at]) + code / 32;
            left = (forest.category_words[word] >> (code % 32)) % 2 == 1;
        }
        at = base + static_cast<std::size_t>(left ? forest.left[at] : forest.right[at]);
    }
    return at;
}

/// Raw scores (n, K) of a forest, walked row by row and tree by tree.
template <class GetRow>
std::vector<double> scores(const ForestArrays& forest, std::size_t n, GetRow&& row) {
    const std::size_t K = forest.n_outputs();
    std::vector<double> out(n * K);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < K; ++k) {
            out[i * K + k] = forest.baseline[k];
            for (std::size_t t = k; t < forest.n_trees(); t += K)
                out[i * K + k] += forest.value[leaf_of(forest, t, row(i))];
        }
    return out;
}

} // namespace twin
