// The components of a Gaussian mixture, and their factors.
//
// Component c has the share weights_c of all rows and the density
//   N(x; m_c, S_c) = (2 pi)^(-d/2) |P_c| exp(-|(x - m_c) P_c|^2 / 2),   P_c P_c' = S_c^-1, P_c upper triangular:
// P_c = L_c^-T of the Cholesky factor L_c L_c' = S_c. Arrays have scikit-learn's shapes.
#pragma once

#include "core/context.hpp"

#include <cstddef>
#include <vector>

namespace mlcore::mixture {

enum class Shape {
    full,     // S_c (k, d, d)
    tied,     // S (d, d), the same for all
    diag,     // (k, d)
    spherical // (k)
};

/// Entries of all covariances together.
inline std::size_t covariance_entries(Shape shape, std::size_t k, std::size_t d) {
    switch (shape) {
    case Shape::full:
        return k * d * d;
    case Shape::tied:
        return d * d;
    case Shape::diag:
        return k * d;
    default:
        return k;
    }
}

struct Components {
    Shape shape = Shape::full;
    std::size_t k = 0, d = 0;
    std::vector<double> weights; // (k)
    std::vector<double> means;   // (k, d)
    std::vector<double> covariances;
    std::vector<double> precisions_cholesky; // like the covariances: P_c, or 1 / deviation
};

/// Fills precisions_cholesky from the covariances. Throws ValueError where one is not positive definite.
void factorise(const RunContext& ctx, Components& components);

} // namespace mlcore::mixture
