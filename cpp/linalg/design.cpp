#include "linalg/design.hpp"

#include "linalg/design_dense.hpp"
#include "linalg/design_sparse.hpp"

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

Coefficients Design::coefficients(const double* theta, std::size_t n_outputs) const {
    const std::size_t d = n_cols(), K = n_outputs;
    Coefficients w;
    w.n_outputs = K;
    w.padded_outputs = K == 1 ? 1 : simd::round_up(K, simd::lanes_of<double>);
    w.intercept = Buffer<double>(w.padded_outputs, 0.0);
    w.by_column = Buffer<double>(K == 1 ? padded_cols() : d * w.padded_outputs, 0.0);
    for (std::size_t k = 0; k < K; ++k) {
        const double* row = theta + k * (d + 1);
        for (std::size_t j = 0; j < d; ++j) w.by_column[j * w.padded_outputs + k] = row[j];
        w.intercept[k] = row[d];
    }
    return w;
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
