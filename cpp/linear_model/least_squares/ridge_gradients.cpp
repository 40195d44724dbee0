#include "linear_model/least_squares/ridge_gradients.hpp"

#include "linalg/row_products.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mlcore::linear_model {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
    return sum;
}

class System {
  public:
    System(const RunContext& ctx, const Table& X, std::span<const double> mean, std::span<const double> weight,
           double alpha)
        : ctx_(ctx), X_(X), mean_(mean), weight_(weight), alpha_(alpha) {}

    int n_iter() const { return n_iter_; }

    /// X~' S y
    Vector correlation(const double* y) const {
        Vector out(mean_.size());
        linalg::residual_correlation(ctx_, X_, mean_, weight_, y, nullptr, out.data());
        return out;
    }

    Vector product(const Vector& v) const {
        Vector out(v.size());
        linalg::residual_correlation(ctx_, X_, mean_, weight_, nullptr, v.data(), out.data());
        for (std::size_t j = 0; j < v.size(); ++j) out[j] = alpha_ * v[j] - out[j];
        return out;
    }

    /// The length that descend measures r by.
    static double length(const Vector& inverse, const Vector& r) {
        double sum = 0;
        for (std::size_t j = 0; j < r.size(); ++j) sum += inverse[j] * r[j] * r[j];
        return std::sqrt(sum);
    }

    /// From w with the residual r on, until its length is `tol` times `whole`; returns what is left, over `whole`.
    double descend(const Vector& inverse, double whole, double tol, int max_iter, Vector& w, Vector r) {
        Vector z(r.size());
        const auto precondition = [&] {
            for (std::size_t j = 0; j < r.size(); ++j) z[j] = inverse[j] * r[j];
            return dot(r, z);
        };
        double rz = precondition();
        const auto share = [&] { return rz > 0 ? std::sqrt(rz) / whole : 0; };
        Vector direction = z;
        double left = share();
        for (int iteration = 0; left > tol && iteration < max_iter; ++iteration) {
            ctx_.checkpoint();
            const Vector image = product(direction);
            const double curvature = dot(direction, image);
            if (!(curvature > 0)) break;
            const double step = rz / curvature;
            for (std::size_t j = 0; j < r.size(); ++j) {
                w[j] += step * direction[j];
                r[j] -= step * image[j];
            }
            const double before = rz;
            rz = precondition();
            for (std::size_t j = 0; j < r.size(); ++j) direction[j] = z[j] + rz / before * direction[j];
            left = share();
            ctx_.progress.iteration(static_cast<std::uint64_t>(++n_iter_), left);
        }
        return left;
    }

  private:
    const RunContext& ctx_;
    const Table& X_;
    std::span<const double> mean_, weight_;
    double alpha_;
    int n_iter_ = 0;
};

bool is_uneven(const Vector& inverse) {
    double low = 0, high = 0;
    for (const double x : inverse) {
        if (x == 0) continue;
        low = low == 0 ? x : std::min(low, x);
        high = std::max(high, x);
    }
    return high > low * (1 + 1e-9);
}

/// Whether w has a part in the null space. It has none in the metric of the preconditioner, so that w has one without
/// it exactly if P w, with P the preconditioner, has one in this metric: which is where descent from P w to zero ends.
bool has_null_part(System& system, const Vector& inverse, double tol, int max_iter, const Vector& w) {
    Vector a(w.size());
    for (std::size_t j = 0; j < w.size(); ++j) a[j] = inverse[j] * w[j];
    const auto size = [&] {
        double sum = 0;
        for (std::size_t j = 0; j < a.size(); ++j)
            if (inverse[j] > 0) sum += a[j] * a[j] / inverse[j];
        return std::sqrt(sum);
    };
    const double whole = size();
    Vector r = system.product(a);
    for (double& x : r) x = -x;
    system.descend(inverse, System::length(inverse, r), 0.1 * tol, max_iter, a, r);
    return size() > 10 * std::clamp(tol, 1e-10, 1e-4) * whole;
}

} // namespace

GradientsResult ridge_gradients(const RunContext& ctx, const Table& X, std::span<const double> mean,
                                std::span<const double> squares, std::span<const double> weight, const double* y,
                                double alpha, double tol, int max_iter, double* w) {
    const std::size_t d = mean.size();
    Vector inverse(d), found(d);
    for (std::size_t j = 0; j < d; ++j) inverse[j] = squares[j] > 0 ? 1 / (squares[j] + alpha) : 0;
    System system(ctx, X, mean, weight, alpha);
    const Vector correlation = system.correlation(y);
    const double whole = System::length(inverse, correlation);
    double left = system.descend(inverse, whole, tol, max_iter, found, correlation);
    if (alpha == 0 && left <= tol && is_uneven(inverse) && has_null_part(system, inverse, tol, max_iter, found)) {
        Vector ones(d), least(d);
        for (std::size_t j = 0; j < d; ++j) ones[j] = inverse[j] > 0 ? 1 : 0;
        Vector rest = system.product(found);
        left = system.descend(ones, System::length(ones, rest), tol, max_iter, least, rest);
        rest = system.product(least); // small columns may have been hidden by large ones: once more in their metric
        for (std::size_t j = 0; j < d; ++j) rest[j] = correlation[j] - rest[j];
        left = std::max(left, system.descend(inverse, whole, tol, max_iter, least, rest));
        found = least;
    }
    std::copy(found.begin(), found.end(), w);
    return {system.n_iter(), left};
}

} // namespace mlcore::linear_model
