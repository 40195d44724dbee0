#include "cluster/hdbscan/point_columns.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::cluster {
namespace {

template <class Add>
void add_up(const double* x, const double* columns, std::size_t d, double* out, Add&& add) {
    std::fill(out, out + PointColumns::block, 0.0);
    for (std::size_t j = 0; j < d; ++j, columns += PointColumns::block)
        for (std::size_t i = 0; i < PointColumns::block; ++i) out[i] = add(out[i], x[j], columns[i]);
}

} // namespace

PointColumns::PointColumns(MatrixView<const double> points, std::span<const std::int64_t> members,
                           neighbors::Metric metric)
    : size_(members.size()), d_(points.cols), metric_(metric), columns_(n_blocks() * d_ * block) {
    for (std::size_t i = 0; i < size_; ++i) {
        double* to = columns_.data() + i / block * d_ * block + i % block;
        for (std::size_t j = 0; j < d_; ++j) to[j * block] = points(static_cast<std::size_t>(members[i]), j);
    }
}

std::size_t PointColumns::distances(const double* x, std::size_t b, double* out) const {
    const double* columns = columns_.data() + b * d_ * block;
    switch (metric_) {
    case neighbors::Metric::euclidean:
        add_up(x, columns, d_, out, [](double sum, double a, double c) { return sum + (a - c) * (a - c); });
        for (std::size_t i = 0; i < block; ++i) out[i] = std::sqrt(out[i]);
        break;
    case neighbors::Metric::manhattan:
        add_up(x, columns, d_, out, [](double sum, double a, double c) { return sum + std::fabs(a - c); });
        break;
    case neighbors::Metric::chebyshev:
        add_up(x, columns, d_, out, [](double most, double a, double c) { return std::max(most, std::fabs(a - c)); });
        break;
    case neighbors::Metric::cosine:
        add_up(x, columns, d_, out, [](double sum, double a, double c) { return sum + a * c; });
        for (std::size_t i = 0; i < block; ++i) out[i] = std::max(0.0, 1 - out[i]);
        break;
    }
    return std::min(block, size_ - b * block);
}

} // namespace mlcore::cluster
