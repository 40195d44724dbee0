// Kernel functions: from the inner product (and squared norms) of two points to the kernel between them.
#pragma once

#include <algorithm>
#include <cmath>

namespace mlcore::svm {

struct Kernel {
    enum class Type { linear, poly, rbf, sigmoid, precomputed };
    Type type = Type::rbf;
    double gamma = 1;
    double coef0 = 0;
    int degree = 3;
};

/// By squaring, degree >= 0.
inline double power(double x, int degree) {
    double result = 1;
    for (; degree > 0; degree /= 2, x *= x)
        if (degree % 2 == 1) result *= x;
    return result;
}

/// The kernel between two points with this inner product and these squared norms, in float64.
inline double kernel_value(const Kernel& kernel, double dot, double norm, double other_norm) {
    switch (kernel.type) {
    case Kernel::Type::poly:
        return power(kernel.gamma * dot + kernel.coef0, kernel.degree);
    case Kernel::Type::rbf:
        return std::exp(-kernel.gamma * std::max(norm + other_norm - 2 * dot, 0.0));
    case Kernel::Type::sigmoid:
        return std::tanh(kernel.gamma * dot + kernel.coef0);
    default:
        return dot;
    }
}

} // namespace mlcore::svm
