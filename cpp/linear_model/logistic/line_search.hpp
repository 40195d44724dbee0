// Steps along a line, for the methods that choose a direction first, and the few operations on vectors that they share.
// The line search brackets the weak Wolfe conditions, with the approximate form of the first one (Hager and Zhang, "A
// new conjugate gradient method with guaranteed descent and an efficient line search", 2005) where differences of the
// function are down at its rounding errors.
#pragma once

#include "core/context.hpp"
#include "linear_model/logistic/outcome.hpp"

#include <cstddef>
#include <functional>
#include <vector>

namespace mlcore::linear_model {

using Vector = std::vector<double>;

/// theta (n) in, gradient (n) out; returns the value.
using SmoothFunction = std::function<double(const double* theta, double* gradient)>;

/// The same bits whatever the width of vectors.
double dot(const Vector& a, const Vector& b);
/// to += scale * from
void add(double scale, const Vector& from, Vector& to);
/// Largest absolute value; NaN if there is one.
double largest(const Vector& v);

struct Point {
    Vector theta, gradient;
    double value = 0;
};

/// The start of a minimisation of f from theta on, with room for the next point.
Point point_at(const SmoothFunction& f, Vector theta);

/// The point along `towards` that the line search accepts, in `to`; step 1 is tried first. slope: the product of
/// towards and the gradient, < 0. False where no lower point is found.
bool search_line(const SmoothFunction& f, const Point& from, const Vector& towards, double slope, Point& to);

} // namespace mlcore::linear_model
