#include "boosting/bin_mapper.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"

namespace mlcore::boosting {
namespace {

constexpr std::uint64_t stream_bin_sample = 0x62696e73; // random stream of the row sample

// Rows to look at: all, or sample_rows of them in ascending order (selection sampling, Knuth 3.4.2 S).
std::vector<std::size_t> sample(std::size_t n, std::uint64_t seed) {
    std::vector<std::size_t> rows;
    if (n <= BinMapper::sample_rows) {
        rows.resize(n);
        std::iota(rows.begin(), rows.end(), std::size_t{0});
        return rows;
    }
    rows.reserve(BinMapper::sample_rows);
    const Philox random(seed, stream_bin_sample);
    for (std::size_t i = 0; i < n && rows.size() < BinMapper::sample_rows; ++i) {
        const double wanted = static_cast<double>(BinMapper::sample_rows - rows.size());
        if (random.uniform(i) * static_cast<double>(n - i) < wanted) rows.push_back(i);
    }
    return rows;
}

// The sampled values of one feature, and their weights: none where all rows weigh one.
struct Column {
    std::vector<double> values, weights;
};

// Memory of a sort, kept from one feature to the next.
struct SortScratch {
    std::vector<std::uint64_t> keys, moved_keys;
    std::vector<double> moved_weights;
    std::vector<std::pair<double, double>> pairs;
};

// Radix sort of the values, weights along with them, through order-preserving integer keys. Passes in which all keys
// share the digit are skipped, which makes small integers and float32 values stored as double cheap.
void sort_column(Column& column, SortScratch& scratch) {
    auto& [values, weights] = column;
    auto& [keys, moved_keys, moved_weights, pairs] = scratch;
    const bool weighted = !weights.empty();
    if (values.size() < 256) { // the columns of wide sparse tables: too short to be worth the counters below
        if (!weighted) return std::sort(values.begin(), values.end());
        pairs.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) pairs[i] = {values[i], weights[i]};
        std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t i = 0; i < values.size(); ++i) std::tie(values[i], weights[i]) = pairs[i];
        return;
    }
    constexpr int digit_bits = 11, n_digits = 6;
    constexpr std::size_t n_buckets = std::size_t{1} << digit_bits;
    keys.resize(values.size());
    moved_keys.resize(values.size());
    if (weighted) moved_weights.resize(values.size());
    std::vector<std::array<std::uint32_t, n_buckets>> count(n_digits);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto u = std::bit_cast<std::uint64_t>(values[i] + 0.0); // -0 becomes +0
        const std::uint64_t key = (u >> 63) ? ~u : u | (std::uint64_t{1} << 63);
        keys[i] = key;
        for (int d = 0; d < n_digits; ++d) ++count[d][(key >> (d * digit_bits)) & (n_buckets - 1)];
    }
    for (int d = 0; d < n_digits; ++d) {
        auto& c = count[d];
        const auto digit = [&](std::uint64_t key) { return (key >> (d * digit_bits)) & (n_buckets - 1); };
        if (keys.empty() || c[digit(keys[0])] == keys.size()) continue;
        std::uint32_t start = 0;
        for (auto& bucket : c) start += std::exchange(bucket, start);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const std::uint32_t to = c[digit(keys[i])]++;
            moved_keys[to] = keys[i];
            if (weighted) moved_weights[to] = weights[i];
        }
        keys.swap(moved_keys);
        if (weighted) weights.swap(moved_weights);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint64_t key = keys[i];
        values[i] = std::bit_cast<double>((key >> 63) ? key & ~(std::uint64_t{1} << 63) : ~key);
    }
}

// A point a <= m < b that splits a from b.
double midpoint(double a, double b) {
    const double m = a / 2 + b / 2;
    return m >= a && m < b ? m : a;
}

// The sampled values of some features at a time.
class ColumnReader {
  public:
    ColumnReader(const Table& X, const std::vector<std::size_t>& rows, std::span<const double> weight)
        : X_(X), rows_(rows), weight_(weight) {
        std::visit([this](const auto& view) { index_sparse(view); }, X_);
    }

    // columns[j] = what is not missing of feature first + j. All at once, as neighbours share their cache lines.
    void read(std::size_t first, std::vector<Column>& columns) const {
        for (auto& [values, weights] : columns) {
            values.clear();
            weights.clear();
            if (offset_.empty()) values.reserve(rows_.size());
        }
        std::visit([&](const auto& view) { read_view(view, first, columns); }, X_);
    }

  private:
    template <class View>
    void index_sparse(const View& view) {
        if constexpr (!is_dense<View>) {
            offset_.assign(view.cols + 1, 0);
            for (const std::size_t i : rows_)
                for (std::size_t k = view.begin(i); k < view.end(i); ++k) ++offset_[view.indices[k] + 1];
            std::partial_sum(offset_.begin(), offset_.end(), offset_.begin());
            value_.resize(offset_.back());
            row_.resize(offset_.back());
            auto next = offset_;
            for (const std::size_t i : rows_)
                for (std::size_t k = view.begin(i); k < view.end(i); ++k) {
                    const std::size_t at = next[view.indices[k]]++;
                    value_[at] = static_cast<double>(view.data[k]);
                    row_[at] = i;
                }
            if (weight_.empty()) {
                total_ = static_cast<double>(rows_.size());
            } else {
                for (const std::size_t i : rows_) total_ += weight_[i];
            }
        }
    }

    template <class View>
    void read_view(const View& view, std::size_t first, std::vector<Column>& columns) const {
        if constexpr (is_dense<View>) {
            for (const std::size_t i : rows_)
                for (std::size_t j = 0; j < columns.size(); ++j) {
                    const auto v = static_cast<double>(view(i, first + j));
                    if (std::isnan(v)) continue;
                    columns[j].values.push_back(v);
                    if (!weight_.empty()) columns[j].weights.push_back(weight_[i]);
                }
        } else {
            for (std::size_t j = 0; j < columns.size(); ++j) read_sparse(first + j, columns[j]);
        }
    }

    void read_sparse(std::size_t f, Column& column) const {
        auto& [values, weights] = column;
        double stored = 0.0;
        for (std::size_t k = offset_[f]; k < offset_[f + 1]; ++k) {
            const double w = weight_.empty() ? 1.0 : weight_[row_[k]];
            stored += w;
            if (std::isnan(value_[k])) continue;
            values.push_back(value_[k]);
            weights.push_back(w);
        }
        if (offset_[f + 1] - offset_[f] < rows_.size()) {
            values.push_back(0.0);
            weights.push_back(std::max(total_ - stored, 0.0));
        }
    }

    const Table& X_;
    const std::vector<std::size_t>& rows_;
    std::span<const double> weight_;
    std::vector<std::size_t> offset_, row_; // sparse only: the sample by columns
    std::vector<double> value_;
    double total_ = 0.0;
};

// Sorts in place and merges equal values; each has a weight then.
void make_distinct(Column& column, SortScratch& scratch) {
    sort_column(column, scratch);
    auto& [values, weights] = column;
    if (weights.empty()) weights.assign(values.size(), 1.0);
    std::size_t last = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
        if (values[i] == values[last]) {
            weights[last] += weights[i];
        } else {
            ++last;
            values[last] = values[i];
            weights[last] = weights[i];
        }
    }
    if (!values.empty()) {
        values.resize(last + 1);
        weights.resize(last + 1);
    }
}

} // namespace

std::vector<double> find_edges(std::span<const double> distinct, std::span<const double> weight, int max_bins) {
    std::vector<double> edges;
    const std::size_t n = distinct.size();
    const auto bins = static_cast<std::size_t>(max_bins);
    if (n <= bins) {
        for (std::size_t i = 1; i < n; ++i) edges.push_back(midpoint(distinct[i - 1], distinct[i]));
        return edges;
    }
    // A value heavier than an average bin gets its own; what is left is dealt out evenly over the remaining bins.
    double rest = std::accumulate(weight.begin(), weight.end(), 0.0);
    const double heavy = rest / static_cast<double>(bins);
    std::size_t rest_bins = bins;
    for (const double w : weight)
        if (w >= heavy) {
            rest -= w;
            --rest_bins;
        }
    double in_bin = 0.0;
    for (std::size_t i = 0; i + 1 < n && edges.size() + 1 < bins; ++i) {
        const bool is_heavy = weight[i] >= heavy, next_is_heavy = weight[i + 1] >= heavy;
        in_bin += weight[i];
        if (!is_heavy) rest -= weight[i];
        const double target = (rest + in_bin) / static_cast<double>(std::max<std::size_t>(rest_bins, 1));
        if (is_heavy || in_bin >= target || (next_is_heavy && in_bin >= target / 2)) {
            edges.push_back(midpoint(distinct[i], distinct[i + 1]));
            if (!is_heavy && rest_bins > 1) --rest_bins;
            in_bin = 0.0;
        }
    }
    return edges;
}

template <class T>
EdgeTable<T>::EdgeTable(const std::vector<double>& edges) : n_blocks_(edges.size() / width + 1) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    edge_.assign(n_blocks_ * width, infinity);
    for (std::size_t k = 0; k < edges.size(); ++k) {
        // v <= edge must not change by rounding the edge to T: take the largest T not above it.
        T e = static_cast<T>(edges[k]);
        if (static_cast<double>(e) > edges[k]) e = std::nextafter(e, -infinity);
        edge_[k] = e;
    }
    std::fill_n(last_, width, infinity);
    for (std::size_t b = 0; b < n_blocks_; ++b) last_[b] = edge_[b * width + width - 1];
}

template <class T>
int EdgeTable<T>::count_below(T v) const {
    const auto count = [v](const T* block) {
        int n = 0;
        // Unasked, GCC unrolls this into scalar comparisons, at four times the cost.
#pragma omp simd reduction(+ : n)
        for (std::size_t k = 0; k < width; ++k) n += block[k] < v;
        return n;
    };
    const int block = n_blocks_ == 1 ? 0 : count(last_);
    return block * static_cast<int>(width) + count(edge_.data() + static_cast<std::size_t>(block) * width);
}

BinMapper BinMapper::fit(const RunContext& ctx, const Table& X, std::span<const double> weight,
                         std::span<const int> n_categories, int max_bins) {
    MLCORE_CHECK(max_bins >= 2 && max_bins <= max_max_bins, "max_bins must be 2..255");
    const std::size_t F = n_cols(X);
    MLCORE_CHECK(n_categories.size() == F, "one n_categories entry a feature");
    BinMapper mapper;
    mapper.max_bins_ = max_bins;
    mapper.n_categories_.assign(n_categories.begin(), n_categories.end());
    mapper.n_bins_.assign(F, 1);
    mapper.edges_.resize(F);

    const auto rows = sample(n_rows(X), ctx.seed);
    const ColumnReader reader(X, rows, weight);
    // Wide groups read fewer cache lines, but leave threads without work.
    const std::size_t group = std::clamp<std::size_t>(F / (2 * static_cast<std::size_t>(ctx.n_threads)), 1, 16);
    const double group_ns = 30.0 * static_cast<double>(rows.size() * group);
    parallel_tasks(ctx, (F + group - 1) / group, group_ns, [&](std::size_t task, int) {
        const std::size_t first = task * group;
        std::vector<Column> columns(std::min(group, F - first));
        SortScratch scratch;
        reader.read(first, columns);
        for (std::size_t j = 0; j < columns.size(); ++j) {
            const std::size_t f = first + j;
            if (n_categories[f] > 0) {
                mapper.n_bins_[f] = std::min(n_categories[f], max_bins);
                continue;
            }
            make_distinct(columns[j], scratch);
            mapper.edges_[f] = find_edges(columns[j].values, columns[j].weights, max_bins);
            mapper.n_bins_[f] = static_cast<int>(mapper.edges_[f].size()) + 1;
        }
    });
    return mapper;
}

std::uint8_t BinMapper::bin(int f, double value) const {
    if (is_categorical(f)) {
        const bool known = value >= 0 && value < n_categories_[f];
        return static_cast<std::uint8_t>(known ? std::min(static_cast<int>(value), n_bins_[f] - 1) : n_bins_[f]);
    }
    if (std::isnan(value)) return static_cast<std::uint8_t>(n_bins_[f]);
    const auto& edges = edges_[f];
    return static_cast<std::uint8_t>(std::lower_bound(edges.begin(), edges.end(), value) - edges.begin());
}

template <class T>
ColumnBinner<T>::ColumnBinner(const BinMapper& mapper) : mapper_(mapper) {
    tables_.reserve(static_cast<std::size_t>(mapper.n_features()));
    for (int f = 0; f < mapper.n_features(); ++f) tables_.emplace_back(mapper.edges(f));
}

template <class T>
void ColumnBinner<T>::bin(int f, const T* value, std::ptrdiff_t stride, std::size_t n, std::uint8_t* bins) const {
    if (mapper_.is_categorical(f)) {
        for (std::size_t i = 0; i < n; ++i)
            bins[i] = mapper_.bin(f, static_cast<double>(value[static_cast<std::ptrdiff_t>(i) * stride]));
        return;
    }
    const auto missing = static_cast<std::uint8_t>(mapper_.missing_bin(f));
    const EdgeTable<T>& edges = tables_[static_cast<std::size_t>(f)];
    for (std::size_t i = 0; i < n; ++i) {
        const T v = value[static_cast<std::ptrdiff_t>(i) * stride];
        bins[i] = v != v ? missing : static_cast<std::uint8_t>(edges.count_below(v));
    }
}

template class ColumnBinner<float>;
template class ColumnBinner<double>;

} // namespace mlcore::boosting
