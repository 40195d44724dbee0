#include "svm/kernel_matrix.hpp"

#include "core/memory.hpp"
#include "svm/points.hpp"

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace mlcore::svm {

void kernel_matrix(const RunContext& ctx, const Table& X, const Table& Z, const Kernel& kernel, double* out) {
    const std::size_t n = n_rows(X), m = n_rows(Z);
    if (n == 0 || m == 0) return;
    Points columns(ctx, Z, kernel);
    const Points points(ctx, X, columns);
    if (points.wide()) columns.widen();
    std::vector<std::int32_t> row_ids(n), col_ids(m);
    std::iota(row_ids.begin(), row_ids.end(), 0);
    std::iota(col_ids.begin(), col_ids.end(), 0);
    std::vector<Buffer<float>> values;
    std::vector<float*> pointers;
    for (std::size_t i = 0; i < n; ++i) pointers.push_back(values.emplace_back(padded(m)).data());
    kernel_rows(ctx, RowBatch(ctx, points, row_ids), Columns(ctx, columns, std::move(col_ids)), pointers.data());
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < m; ++j) out[i * m + j] = static_cast<double>(values[i][j]);
}

} // namespace mlcore::svm
