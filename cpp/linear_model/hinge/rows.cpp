#include "linear_model/hinge/rows.hpp"

#include <utility>

namespace mlcore::linear_model::hinge {

LinearRows::LinearRows(const RunContext& ctx, const Table& X, double bias) {
    std::visit(
        [&]<class View>(const View& x) {
            using T = typename ValueOf<View>::type;
            if constexpr (is_dense<View>) {
                if (x.rows_contiguous()) {
                    rows_ = DenseRows<T>{x.data, x.rows, x.cols, x.row_stride, bias};
                    return;
                }
                constexpr std::size_t tile = 64; // rows: their entries of a column share cache lines
                Buffer<T> copy(x.rows * x.cols);
                parallel_ranges(ctx, x.rows, 1.0 + static_cast<double>(x.cols),
                                [&](std::size_t begin, std::size_t end, int) {
                                    for (std::size_t first = begin; first < end; first += tile)
                                        for (std::size_t j = 0; j < x.cols; ++j)
                                            for (std::size_t i = first; i < std::min(first + tile, end); ++i)
                                                copy[i * x.cols + j] = x(i, j);
                                });
                rows_ = DenseRows<T>{copy.data(), x.rows, x.cols, static_cast<std::ptrdiff_t>(x.cols), bias};
                copy_ = std::move(copy);
            } else {
                using Index = std::remove_cvref_t<decltype(x.indices[0])>;
                rows_ = SparseRows<T, Index>{x, x.rows, x.cols, bias};
            }
        },
        X);
}

} // namespace mlcore::linear_model::hinge
