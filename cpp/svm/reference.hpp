// A row in the midst of the others, and how large kernel values and distances are there.
//
// Where rows lie far from the origin of feature space and close to each other, kernel values are large and alike, and
// float32 keeps nothing of what tells them apart. In a sum with coefficients c that add up to S (0 in most machines),
//
//     K(x, z) = K'(x, z) + b(x) + b(z) + K(r, r)                     b(x) = K(x, r) - K(r, r)
//     sum_j c_j K(x_j, x) = sum_j c_j K'(x_j, x) + S b(x) + sum_j c_j b(x_j) + S K(r, r)
//
// K' is the kernel seen from r instead of the origin, (phi(x) - phi(r)) . (phi(z) - phi(r)): its values are as large as
// the distances to r, whichever kernel it is.
//
// The size of kernel values and distances is also what the tolerance of the solver is measured by (tolerance.hpp).
#pragma once

#include "core/table.hpp"
#include "svm/kernel.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::svm {

struct Reference {
    std::size_t row = 0; // r: of some rows the one that is closest to the others
    double size = 0;     // K(x, x), the median of these rows
    double spread = 0;   // |phi(x) - phi(z)|^2 / 2, the median of their pairs
    double nearby = 0;   // |phi(x) - phi(r)|^2, the median of them
};

/// Looks at few rows, evenly spaced; X has one row at least.
Reference find_reference(const Table& X, const Kernel& kernel);

/// A row as a dense point in float64, and what other rows have to do with it. Not for a precomputed kernel.
class ReferencePoint {
  public:
    ReferencePoint() = default;
    /// Zero, with as many features as X.
    explicit ReferencePoint(const Table& X);
    /// From zero to a row of X, and back: no more work than the row has entries.
    void set(const Table& X, std::size_t row);
    void clear(const Table& X, std::size_t row);

    const std::vector<double>& values() const { return x_; }
    /// Kernel of the point with itself.
    double self(const Kernel& kernel) const { return kernel_value(kernel, square_, square_, square_); }
    /// Kernel of row i with it.
    double kernel_with(const Table& X, const Kernel& kernel, std::size_t i) const;
    /// r . (x_i - r), where rows are dense without the cancellation of r . x_i - r . r.
    double product_with_difference(const Table& X, std::size_t i) const;

  private:
    std::vector<double> x_;
    double square_ = 0;
};

} // namespace mlcore::svm
