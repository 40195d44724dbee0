// Symmetric positive definite systems.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"

#include <cstddef>

namespace mlcore::linalg {

/// The factor of one matrix. A matrix that is not positive definite, by rounding or because some directions have no
/// curvature at all, gets the least share of its diagonal added that makes it so, of 0, 1e-12, 1e-10,
/// ... Throws ValueError where an entry is not finite.
class Cholesky {
  public:
    Cholesky() = default;
    /// matrix (n, n): the lower triangle is read, and overwritten by the factor.
    Cholesky(const RunContext& ctx, Buffer<double> matrix, std::size_t n);

    std::size_t size() const { return n_; }
    /// v (n_vectors, n) in, the solutions out.
    void solve(double* v, std::size_t n_vectors = 1) const;

  private:
    Buffer<double> factor_;
    std::size_t n_ = 0;
};

} // namespace mlcore::linalg
