#include "text/vectorizer/tfidf.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace mlcore::text {

template <class T, class Index>
void tfidf(const RunContext& ctx, std::span<T> data, std::span<const Index> indices, std::span<const Index> indptr,
           std::span<const T> idf, bool sublinear, Norm norm) {
    const std::size_t n_rows = indptr.size() - 1;
    const double ns_per_row = 20 + (sublinear ? 15.0 : 4.0) * static_cast<double>(data.size()) /
                                       static_cast<double>(std::max<std::size_t>(n_rows, 1));
    parallel_ranges(ctx, n_rows, ns_per_row, [&](std::size_t first, std::size_t last, int) {
        for (std::size_t row = first; row < last; ++row) {
            const auto begin = static_cast<std::size_t>(indptr[row]), end = static_cast<std::size_t>(indptr[row + 1]);
            if (sublinear)
                for (std::size_t i = begin; i < end; ++i) data[i] = std::log(data[i]) + 1;
            if (!idf.empty())
                for (std::size_t i = begin; i < end; ++i) data[i] *= idf[static_cast<std::size_t>(indices[i])];
            if (norm == Norm::none) continue;
            double sum = 0;
            if (norm == Norm::l1)
                for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(std::abs(data[i]));
            else
                for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(data[i] * data[i]);
            if (sum == 0) continue;
            const double length = norm == Norm::l1 ? sum : std::sqrt(sum);
            for (std::size_t i = begin; i < end; ++i) data[i] = static_cast<T>(static_cast<double>(data[i]) / length);
        }
    });
}

#define MLCORE_INSTANTIATE(T, Index)                                                                                   \
    template void tfidf(const RunContext&, std::span<T>, std::span<const Index>, std::span<const Index>,               \
                        std::span<const T>, bool, Norm);
MLCORE_INSTANTIATE(float, std::int32_t)
MLCORE_INSTANTIATE(float, std::int64_t)
MLCORE_INSTANTIATE(double, std::int32_t)
MLCORE_INSTANTIATE(double, std::int64_t)
#undef MLCORE_INSTANTIATE

} // namespace mlcore::text
