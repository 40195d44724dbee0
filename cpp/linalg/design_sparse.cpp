#include "linalg/design_sparse.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace mlcore::linalg {
namespace {

using simd::broadcast, simd::Doubles, simd::fma, simd::load, simd::store;
constexpr std::size_t lanes = simd::lanes_of<double>;
constexpr std::size_t sparse_block = 256; // rows

template <class T, class Index>
class SparseDesign final : public Design {
  public:
    explicit SparseDesign(const CsrView<T, Index>& X) : Design(X.rows, X.cols, sparse_block), X_(X) {}

    std::size_t n_stored() const override { return X_.n_stored(); }

    void scores(std::size_t begin, std::size_t end, const Coefficients& w, double* z, Scratch&) const override {
        const std::size_t K = w.n_outputs, padded = w.padded_outputs;
        if (K == 1) {
            for (std::size_t i = begin; i < end; ++i) {
                double even = w.intercept[0], odd = 0; // two chains: the additions of one would wait for each other
                std::size_t p = X_.begin(i);
                const std::size_t last = X_.end(i);
                for (; p + 2 <= last; p += 2) {
                    even = fma(value(p), w.by_column[column(p)], even);
                    odd = fma(value(p + 1), w.by_column[column(p + 1)], odd);
                }
                if (p < last) even = fma(value(p), w.by_column[column(p)], even);
                z[i - begin] = even + odd;
            }
            return;
        }
        for (std::size_t k = 0; k < padded; k += lanes)
            for (std::size_t i = begin; i < end; ++i) {
                Doubles total = load(&w.intercept[k]);
                for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                    total = fma(broadcast(value(p)), load(&w.by_column[column(p) * padded + k]), total);
                for (std::size_t l = 0; l < std::min(lanes, K - k); ++l)
                    z[(k + l) * sparse_block + i - begin] = total[l];
            }
    }

    /// One output: (d), twice, for rows of even and of odd number: an addition need not wait for that of the row before
    /// where both have the same columns. More outputs: (d, K padded).
    std::size_t gradient_size(std::size_t K) const override {
        return K == 1 ? 2 * padded_cols() : n_cols() * simd::round_up(K, lanes);
    }

    void add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t K, double* sum,
                      Scratch& scratch) const override {
        if (K == 1) {
            for (std::size_t i = begin; i < end; ++i) {
                double* to = sum + i % 2 * padded_cols();
                for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                    to[column(p)] = fma(value(p), r[i - begin], to[column(p)]);
            }
            return;
        }
        const std::size_t padded = simd::round_up(K, lanes);
        if (scratch.panel.size() < padded) scratch.panel = Buffer<double>(padded);
        double* mine = scratch.panel.data();
        std::fill_n(mine, padded, 0.0);
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t k = 0; k < K; ++k) mine[k] = r[k * sparse_block + i - begin];
            for (std::size_t p = X_.begin(i); p < X_.end(i); ++p) {
                const Doubles v = broadcast(value(p));
                double* to = sum + column(p) * padded;
                for (std::size_t k = 0; k < padded; k += lanes) store(to + k, fma(v, load(mine + k), load(to + k)));
            }
        }
    }

    void read_gradient(const double* sum, std::size_t K, double* gradient) const override {
        const std::size_t d = n_cols(), padded = simd::round_up(K, lanes);
        if (K == 1) {
            for (std::size_t j = 0; j < d; ++j) gradient[j] = sum[j] + sum[padded_cols() + j];
            return;
        }
        for (std::size_t k = 0; k < K; ++k)
            for (std::size_t j = 0; j < d; ++j) gradient[k * (d + 1) + j] = sum[j * padded + k];
    }

    void add_products(std::size_t begin, std::size_t end, const double* h, const ColumnSet& rows,
                      const ColumnSet& columns, double* sum, Scratch&) const override {
        const std::size_t stride = columns.stride();
        const bool ascending = facts().ascending;
        if (!same_columns(rows, columns)) {
            std::vector<Entry> left, right;
            for (std::size_t i = begin; i < end; ++i) {
                collect(i, rows, ascending, left);
                collect(i, columns, ascending, right);
                for (const Entry& a : left) {
                    const double scaled = h[i - begin] * a.value;
                    for (const Entry& b : right) {
                        double& to = sum[a.column * stride + b.column];
                        to = fma(scaled, b.value, to);
                    }
                }
            }
            return;
        }
        std::vector<Entry> entries;
        for (std::size_t i = begin; i < end; ++i) {
            collect(i, columns, ascending, entries);
            for (std::size_t p = 0; p < entries.size(); ++p) {
                double* to = sum + entries[p].column * stride;
                const double scaled = h[i - begin] * entries[p].value;
                for (std::size_t q = p; q < entries.size(); ++q)
                    to[entries[q].column] = fma(scaled, entries[q].value, to[entries[q].column]);
            }
        }
    }

    void add_squares(std::size_t begin, std::size_t end, const double* h, double* sum, Scratch&) const override {
        const bool ascending = facts().ascending;
        std::vector<Entry> entries;
        for (std::size_t i = begin; i < end; ++i) {
            collect(i, ascending, entries);
            for (const Entry& entry : entries)
                sum[entry.column] = fma(h[i - begin] * entry.value, entry.value, sum[entry.column]);
        }
    }

    void row_squares(std::size_t begin, std::size_t end, const Coordinates& in, double* squares) const override {
        const bool ascending = facts().ascending;
        double of_zeros = 0;
        for (std::size_t j = 0; j < in.inverse.size(); ++j) of_zeros += in.value(j, 0) * in.value(j, 0);
        std::vector<Entry> entries;
        for (std::size_t i = begin; i < end; ++i) {
            collect(i, ascending, entries);
            double total = of_zeros;
            for (const Entry& entry : entries) {
                const double value = in.value(entry.column, entry.value), zero = in.value(entry.column, 0);
                total += value * value - zero * zero;
            }
            squares[i - begin] = std::max(total, 0.0);
        }
    }

    double products_ns(const ColumnSet&, const ColumnSet&) const override {
        return 1.5 * facts().pairs / static_cast<double>(std::max<std::size_t>(n_rows(), 1));
    }

  private:
    struct Entry {
        std::size_t column;
        double value;
    };
    struct Facts {
        double pairs = 0;      // of entries in one row, over all rows
        bool ascending = true; // columns within each row, none twice
    };

    /// From a pass over the entries, when they are first asked for: products with coefficients alone do without.
    const Facts& facts() const {
        std::call_once(scanned_, [this] {
            for (std::size_t i = 0; i < n_rows(); ++i) {
                const double length = static_cast<double>(X_.end(i) - X_.begin(i));
                facts_.pairs += length * length / 2;
                for (std::size_t p = X_.begin(i) + 1; p < X_.end(i); ++p)
                    facts_.ascending = facts_.ascending && column(p - 1) < column(p);
            }
        });
        return facts_;
    }

    /// What row i holds, each column once.
    void collect(std::size_t i, bool ascending, std::vector<Entry>& entries) const {
        entries.clear();
        for (std::size_t p = X_.begin(i); p < X_.end(i); ++p) entries.push_back({column(p), value(p)});
        if (!ascending) sum_up(entries);
    }
    /// What row i holds in some columns, each once, and the 1 of the intercept.
    void collect(std::size_t i, const ColumnSet& columns, bool ascending, std::vector<Entry>& entries) const {
        entries.clear();
        for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
            if (const std::int32_t at = columns.position(column(p)); at >= 0)
                entries.push_back({static_cast<std::size_t>(at), value(p)});
        if (!ascending) sum_up(entries);
        entries.push_back({columns.size() - 1, 1.0});
    }

    /// Sorts by column, and adds up the values of columns that come several times.
    static void sum_up(std::vector<Entry>& entries) {
        std::stable_sort(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.column < b.column; });
        if (entries.empty()) return;
        std::size_t last = 0;
        for (std::size_t p = 1; p < entries.size(); ++p)
            if (entries[p].column == entries[last].column)
                entries[last].value += entries[p].value;
            else
                entries[++last] = entries[p];
        entries.resize(last + 1);
    }

    double value(std::size_t p) const { return static_cast<double>(X_.data[p]); }
    std::size_t column(std::size_t p) const { return static_cast<std::size_t>(X_.indices[p]); }

    CsrView<T, Index> X_;
    mutable std::once_flag scanned_;
    mutable Facts facts_;
};

} // namespace

template <class T, class Index>
std::unique_ptr<Design> make_sparse_design(const CsrView<T, Index>& X) {
    return std::make_unique<SparseDesign<T, Index>>(X);
}

template std::unique_ptr<Design> make_sparse_design(const CsrView<float, std::int32_t>&);
template std::unique_ptr<Design> make_sparse_design(const CsrView<float, std::int64_t>&);
template std::unique_ptr<Design> make_sparse_design(const CsrView<double, std::int32_t>&);
template std::unique_ptr<Design> make_sparse_design(const CsrView<double, std::int64_t>&);

} // namespace mlcore::linalg
