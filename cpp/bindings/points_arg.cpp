#include "bindings/points_arg.hpp"

#include "bindings/numpy_args.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace mlcore::bindings {

MatrixView<const double> points_arg(const char* name, pybind11::handle object, std::optional<std::size_t> dim) {
    const MatrixView<const double> points = matrix_arg<double>(name, object, dim);
    if (!dim && (points.rows == 0 || points.cols == 0))
        throw ValueError(std::string(name) + " must have rows and columns");
    if (!points.rows_contiguous() || (points.rows > 1 && points.row_stride != static_cast<std::ptrdiff_t>(points.cols)))
        detail::wrong_value(name, "an array in C order", object);
    const std::size_t size = points.rows * points.cols;
    if (!std::all_of(points.data, points.data + size, [](double x) { return std::isfinite(x); }))
        throw ValueError(std::string(name) + " must be finite");
    return points;
}

} // namespace mlcore::bindings
