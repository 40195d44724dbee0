#include "linear_model/design_sparse.hpp"

#include <algorithm>
#include <vector>

namespace mlcore::linear_model {
namespace {

constexpr std::size_t sparse_block = 256; // rows

template <class T, class Index>
class SparseDesign final : public Design {
  public:
    explicit SparseDesign(const CsrView<T, Index>& X) : Design(X.rows, X.cols, sparse_block), X_(X) {
        for (std::size_t i = 0; i < X.rows; ++i) {
            const double length = static_cast<double>(X.end(i) - X.begin(i));
            pairs_ += length * length / 2;
        }
    }

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
                for (std::size_t l = 0; l < std::min(lanes, K - k); ++l) z[(k + l) * sparse_block + i - begin] = total[l];
            }
    }

    /// One output: (d). More: (d, K padded).
    std::size_t gradient_size(std::size_t K) const override {
        return K == 1 ? padded_cols() : n_cols() * round_up(K);
    }

    void add_gradient(std::size_t begin, std::size_t end, const double* r, std::size_t K, double* sum,
                      Scratch& scratch) const override {
        if (K == 1) {
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                    sum[column(p)] = fma(value(p), r[i - begin], sum[column(p)]);
            return;
        }
        const std::size_t padded = round_up(K);
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
        const std::size_t d = n_cols(), padded = K == 1 ? 1 : round_up(K);
        for (std::size_t k = 0; k < K; ++k)
            for (std::size_t j = 0; j < d; ++j) gradient[k * (d + 1) + j] = sum[j * padded + k];
    }

    void add_products(std::size_t begin, std::size_t end, const double* h, const ColumnSet& rows, const ColumnSet& columns,
                      double* sum, Scratch&) const override {
        const std::size_t stride = columns.stride(), ones = columns.size() - 1;
        const bool same = &rows == &columns;
        std::vector<Entry> entries;
        for (std::size_t i = begin; i < end; ++i) {
            entries.clear();
            for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                if (const std::int32_t at = columns.position(column(p)); at >= 0)
                    entries.push_back({static_cast<std::size_t>(at), value(p)});
            entries.push_back({ones, 1.0});
            const auto add_row = [&](std::size_t at, double scaled) {
                double* to = sum + at * stride;
                for (const Entry& entry : entries)
                    if (!same || entry.column >= at) to[entry.column] = fma(scaled, entry.value, to[entry.column]);
            };
            for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                if (const std::int32_t at = rows.position(column(p)); at >= 0)
                    add_row(static_cast<std::size_t>(at), h[i - begin] * value(p));
            add_row(rows.size() - 1, h[i - begin]);
        }
    }

    void add_squares(std::size_t begin, std::size_t end, const double* h, double* sum, Scratch&) const override {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t p = X_.begin(i); p < X_.end(i); ++p)
                sum[column(p)] = fma(h[i - begin] * value(p), value(p), sum[column(p)]);
    }

    void row_squares(std::size_t begin, std::size_t end, double* squares) const override {
        for (std::size_t i = begin; i < end; ++i) {
            double total = 0;
            for (std::size_t p = X_.begin(i); p < X_.end(i); ++p) total += value(p) * value(p);
            squares[i - begin] = total;
        }
    }

    double products_ns(const ColumnSet&, const ColumnSet&) const override {
        return 1.5 * pairs_ / static_cast<double>(std::max<std::size_t>(n_rows(), 1));
    }

  private:
    struct Entry {
        std::size_t column;
        double value;
    };

    double value(std::size_t p) const { return static_cast<double>(X_.data[p]); }
    std::size_t column(std::size_t p) const { return static_cast<std::size_t>(X_.indices[p]); }

    CsrView<T, Index> X_;
    double pairs_ = 0; // of entries in one row, over all rows
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

} // namespace mlcore::linear_model
