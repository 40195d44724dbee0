#include "linalg/design.hpp"

#include "linalg/design_dense.hpp"
#include "linalg/design_sparse.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <variant>

namespace mlcore::linalg {

ColumnSet::ColumnSet(std::size_t n_cols) : chosen_(n_cols), position_(n_cols) {
    std::iota(chosen_.begin(), chosen_.end(), 0U);
    std::iota(position_.begin(), position_.end(), 0);
}

ColumnSet::ColumnSet(std::size_t n_cols, std::vector<std::uint32_t> chosen)
    : chosen_(std::move(chosen)), position_(n_cols, -1) {
    for (std::size_t i = 0; i < chosen_.size(); ++i) position_[chosen_[i]] = static_cast<std::int32_t>(i);
}

Coefficients Design::coefficients(MatrixView<const double> coef, VectorView<const double> intercept) const {
    const std::size_t d = n_cols(), K = coef.rows;
    Coefficients w;
    w.n_outputs = K;
    w.padded_outputs = K == 1 ? 1 : simd::round_up(K, simd::lanes_of<double>);
    w.intercept = Buffer<double>(w.padded_outputs, 0.0);
    for (std::size_t k = 0; k < K; ++k) w.intercept[k] = intercept[k];
    w.by_column = Buffer<double>(K == 1 ? padded_cols() : d * w.padded_outputs);
    double* to = w.by_column.data();
    if (K == 1 && coef.rows_contiguous()) {
        to = std::copy_n(coef.data, d, to);
    } else {
        const double* column = coef.data;
        for (std::size_t j = 0; j < d; ++j, column += coef.col_stride, to += w.padded_outputs) {
            for (std::size_t k = 0; k < K; ++k) to[k] = column[static_cast<std::ptrdiff_t>(k) * coef.row_stride];
            std::fill(to + K, to + w.padded_outputs, 0.0);
        }
    }
    std::fill(to, w.by_column.end(), 0.0);
    return w;
}

Coefficients Design::coefficients(const double* theta, std::size_t n_outputs) const {
    const auto stride = static_cast<std::ptrdiff_t>(n_cols() + 1);
    return coefficients({theta, n_outputs, n_cols(), stride, 1}, {theta + n_cols(), n_outputs, stride});
}

std::unique_ptr<Design> make_design(const Table& X) {
    return std::visit(
        [](const auto& view) -> std::unique_ptr<Design> {
            using View = std::decay_t<decltype(view)>;
            if constexpr (is_dense<View>)
                return std::make_unique<DenseDesign<typename ValueOf<View>::type>>(view);
            else
                return make_sparse_design(view);
        },
        X);
}

} // namespace mlcore::linalg
