#include "linalg/batch.hpp"

#include <variant>

namespace mlcore::linalg {

Batch::Batch(const Table& X, std::size_t size) : X_(X), values_(X.index() < 2 ? size * n_cols(X) : 0) {}

const Design& Batch::gather(std::span<const std::size_t> rows) {
    std::visit(
        [&]<class View>(const View& X) {
            if constexpr (is_dense<View>) {
                double* to = values_.data();
                for (const std::size_t i : rows)
                    for (std::size_t j = 0; j < X.cols; ++j) *to++ = static_cast<double>(X(i, j));
                const MatrixView<double> view = row_major(values_.data(), rows.size(), X.cols);
                design_ = make_design(Table(MatrixView<const double>(view)));
            } else {
                indptr_.assign(1, 0);
                indices_.clear();
                stored_.clear();
                for (const std::size_t i : rows) {
                    for (std::size_t p = X.begin(i); p < X.end(i); ++p) {
                        indices_.push_back(static_cast<std::int64_t>(X.indices[p]));
                        stored_.push_back(static_cast<double>(X.data[p]));
                    }
                    indptr_.push_back(static_cast<std::int64_t>(indices_.size()));
                }
                design_ = make_design(Table(CsrView<double, std::int64_t>{stored_.data(), indices_.data(),
                                                                          indptr_.data(), rows.size(), X.cols}));
            }
        },
        X_);
    return *design_;
}

} // namespace mlcore::linalg
