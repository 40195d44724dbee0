// From raw feature values to bins 0..255.
//
// A numeric feature with at most max_bins distinct values gets one bin a value (edges half-way between neighbours);
// with more, bins of about equal weight, where a value heavy enough to fill a bin alone keeps one of its own. A
// categorical feature comes as codes sorted by descending frequency: each code is a bin, and all codes from max_bins -
// 1 on share the last one. NaN is a bin of its own, the one after the last: n_bins(f).
//
// Edges are found on at most 200,000 rows drawn without replacement; the weights count as repeats of a row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/context.hpp"
#include "core/table.hpp"

namespace mlcore::boosting {

// A feature's edges, ready to be counted: a value is compared with the last edge of each block of 16, then with the 16
// edges of one block. Two vector comparisons, no branch and no chain of loads as in a binary search.
template <class T>
class EdgeTable {
  public:
    explicit EdgeTable(const std::vector<double>& edges);
    int count_below(T v) const; // number of edges < v; at most 255 edges, v not infinite

  private:
    static constexpr std::size_t width = 16;
    std::size_t n_blocks_;
    std::vector<T> edge_; // padded with infinity
    T last_[width];
};

class BinMapper {
  public:
    static constexpr std::size_t sample_rows = 200'000;
    static constexpr int max_max_bins = 255;

    // n_categories[f]: 0 for a numeric feature, else the number of category codes. weight: empty or one a row.
    static BinMapper fit(const RunContext& ctx, const Table& X, std::span<const double> weight,
                         std::span<const int> n_categories, int max_bins);

    int n_features() const { return static_cast<int>(edges_.size()); }
    int max_bins() const { return max_bins_; }
    bool is_categorical(int f) const { return n_categories_[f] > 0; }
    int n_categories(int f) const { return n_categories_[f]; }

    // Bins of non-missing values; the missing bin has this number.
    int n_bins(int f) const { return n_bins_[f]; }
    int missing_bin(int f) const { return n_bins_[f]; }

    // Upper bounds (inclusive) of all bins but the last.
    const std::vector<double>& edges(int f) const { return edges_[f]; }

    std::uint8_t bin(int f, double value) const;

  private:
    int max_bins_ = 0;
    std::vector<int> n_categories_;
    std::vector<int> n_bins_;
    std::vector<std::vector<double>> edges_;
};

// The mapper for long columns of values of type T: makes a table of each feature's edges first.
template <class T>
class ColumnBinner {
  public:
    explicit ColumnBinner(const BinMapper& mapper);

    // bins[i] = bin of feature f for value[i * stride].
    void bin(int f, const T* value, std::ptrdiff_t stride, std::size_t n, std::uint8_t* bins) const;

  private:
    const BinMapper& mapper_;
    std::vector<EdgeTable<T>> tables_;
};

// The edges of one feature from its sorted distinct values and their weights. Exposed for tests.
std::vector<double> find_edges(std::span<const double> distinct, std::span<const double> weight, int max_bins);

} // namespace mlcore::boosting
