// Any rows of a table, gathered so that they lie side by side.
#pragma once

#include "core/table.hpp"
#include "linalg/design.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace mlcore::linalg {

class Batch {
  public:
    /// Room for `size` rows of X, which must outlive the batch.
    Batch(const Table& X, std::size_t size);

    /// Takes these rows, at most `size` of them; the design is valid until the next call.
    const Design& gather(std::span<const std::size_t> rows);

  private:
    const Table& X_;
    Buffer<double> values_;
    std::vector<std::int64_t> indices_, indptr_;
    std::vector<double> stored_;
    std::unique_ptr<Design> design_;
};

} // namespace mlcore::linalg
