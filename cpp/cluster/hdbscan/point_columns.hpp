// Distances from one point to many, which lie feature by feature so that a register takes several points at once.
#pragma once

#include "core/view.hpp"
#include "neighbors/metric.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::cluster {

class PointColumns {
  public:
    static constexpr std::size_t block = 128; // points of which the distances stay in the first-level cache

    /// Copies the rows `members` of the points (n, d). With "cosine" rows have length 1 or are zero.
    PointColumns(MatrixView<const double> points, std::span<const std::int64_t> members, neighbors::Metric metric);

    std::size_t size() const { return size_; }

    /// Distances from x (d) to the members of one block, to out: members block * b .. Returns their number.
    std::size_t distances(const double* x, std::size_t b, double* out) const;
    std::size_t n_blocks() const { return (size_ + block - 1) / block; }

  private:
    std::size_t size_, d_;
    neighbors::Metric metric_;
    std::vector<double> columns_; // (n_blocks, d, block), the last block filled up with zeros
};

} // namespace mlcore::cluster
