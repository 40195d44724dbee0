#include "cluster/kmeans/points.hpp"

#include "cluster/kmeans/nearest_tile.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

namespace mlcore::kmeans {
namespace {

/// Parts of the sums over all points: their number depends on the data alone.
std::size_t parts_of(std::size_t n) { return std::clamp<std::size_t>(n / 4096, 1, 64); }

/// The power of two that brings `largest` into [0.5, 1).
double scale_for(double largest) {
    if (largest == 0) return 1;
    int exponent = 0;
    std::frexp(largest, &exponent);
    return std::ldexp(1.0, std::clamp(-exponent, -1000, 1000));
}

/// The norm of a point as a float that is not below it, and never so small that its square is lost.
float norm_above(double squared) {
    return static_cast<float>(std::sqrt(squared) * (1 + 0x1p-20)) + std::numeric_limits<float>::min();
}

/// f(view) with the table as it is stored.
template <class F>
auto visit_dense(const Table& table, F&& f) {
    if (const auto* narrow = std::get_if<MatrixView<const float>>(&table)) return f(*narrow);
    return f(std::get<MatrixView<const double>>(table));
}

/// f(view) with a sparse table.
template <class F>
auto visit_sparse(const Table& table, F&& f) {
    return std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                MLCORE_CHECK(false, "the table is dense");
                return f(CsrView<double, std::int64_t>{});
            } else {
                return f(view);
            }
        },
        table);
}

bool holds_sparse(const Table& table) {
    return std::visit([](const auto& view) { return !is_dense<std::decay_t<decltype(view)>>; }, table);
}

} // namespace

Points::Points(const RunContext& ctx, const Table& X, std::span<const double> weights, double reach)
    : table_(X), weights_(weights), n_(n_rows(X)), d_(n_cols(X)), sparse_(holds_sparse(X)), reach_(reach),
      mean_(d_, 0.0), norms_(simd::round_up(n_, panel_points)) {
    std::fill(norms_.begin() + static_cast<std::ptrdiff_t>(n_), norms_.end(), 0.0F);
    if (sparse_) {
        measure_sparse(ctx);
    } else {
        most_terms_ = d_;
        measure(ctx);
        pack(ctx);
    }
}

bool Points::serves(double reach) const noexcept {
    constexpr int range = 400; // 2^400 squared, times any number of features, is a float64, and so is 2^-400 squared
    if (reach == 0) return true;
    const double scaled = reach * scale_;
    return scaled < std::ldexp(1.0, range) && (largest_ > 0 || scaled > std::ldexp(1.0, -range));
}

void Points::measure(const RunContext& ctx) {
    std::vector<double> total(d_, 0.0);
    const double ns = 0.3 * static_cast<double>(d_) + 2;
    visit_dense(table_, [&](const auto& X) {
        parallel_sums_over(ctx, n_, parts_of(n_), ns, d_, total.data(),
                           [&](std::size_t begin, std::size_t end, double* sum, int) {
                               for (std::size_t i = begin; i < end; ++i) {
                                   const auto* x = X.row(i).data;
                                   for (std::size_t k = 0; k < d_; ++k) sum[k] += static_cast<double>(x[k]);
                               }
                           });
        for (std::size_t k = 0; k < d_; ++k) mean_[k] = total[k] / static_cast<double>(n_);
        largest_ = parallel_reduce(
            ctx, n_, ns, 0.0,
            [&](std::size_t begin, std::size_t end) {
                double most = 0;
                for (std::size_t i = begin; i < end; ++i) {
                    const auto* x = X.row(i).data;
                    for (std::size_t k = 0; k < d_; ++k)
                        most = std::max(most, std::abs(static_cast<double>(x[k]) - mean_[k]));
                }
                return most;
            },
            [](double a, double b) { return std::max(a, b); });
        for (const double m : mean_)
            if (!std::isfinite(m)) throw ValueError("X has values so large that their mean is infinite: scale X");
        if (!std::isfinite(largest_)) throw ValueError("X has values so large that differences are infinite: scale X");
        scale_ = scale_for(std::max(largest_, reach_));
    });
}

void Points::pack(const RunContext& ctx) {
    panel_size_ = d_ * panel_points;
    const std::size_t n_panels = (n_ + panel_points - 1) / panel_points;
    panels_ = Buffer<float>(n_panels * panel_size_);
    struct Moments {
        double weight = 0, square = 0;
    };
    std::vector<double> first(d_, 0.0); // weighted sums of the scaled points
    const double ns = 0.7 * static_cast<double>(d_) + 3;
    visit_dense(table_, [&](const auto& X) {
        const std::size_t blocks = (n_panels + 127) / 128;
        std::vector<Moments> moments(blocks);
        parallel_tasks(ctx, blocks, ns * 128 * panel_points, [&](std::size_t block, int) {
            Moments m;
            for (std::size_t p = block * 128; p < std::min(n_panels, (block + 1) * 128); ++p) {
                float* out = panels_.data() + p * panel_size_;
                const std::size_t begin = p * panel_points, end = std::min(begin + panel_points, n_);
                if (end - begin < panel_points) std::fill_n(out, panel_size_, 0.0F);
                for (std::size_t i = begin; i < end; ++i) {
                    const auto* x = X.row(i).data;
                    for (std::size_t k = 0; k < d_; ++k)
                        out[k * panel_points + i - begin] =
                            static_cast<float>((static_cast<double>(x[k]) - mean_[k]) * scale_);
                    const double square = sum_in_lanes<8>(d_, [&](std::size_t k) {
                        const double z = (static_cast<double>(x[k]) - mean_[k]) * scale_;
                        return z * z;
                    });
                    norms_[i] = norm_above(square);
                    m.weight += weight(i);
                    m.square += weight(i) * square;
                }
            }
            moments[block] = m;
        });
        Moments all;
        for (const Moments& m : moments) {
            all.weight += m.weight;
            all.square += m.square;
        }
        if (has_weights()) // else the mean is that of the points, and these sums are zero
            parallel_sums_over(ctx, n_, parts_of(n_), ns, d_, first.data(),
                               [&](std::size_t begin, std::size_t end, double* sum, int) {
                                   for (std::size_t i = begin; i < end; ++i) add_to(i, weight(i) * scale_, sum);
                               });
        if (all.weight == 0) return;
        double square = all.square / all.weight;
        for (const double f : first) square -= (f / all.weight) * (f / all.weight);
        variance_ = std::max(square, 0.0) / static_cast<double>(d_);
    });
}

void Points::measure_sparse(const RunContext& ctx) {
    visit_sparse(table_, [&](const auto& X) {
        for (std::size_t at = 0; at < X.n_stored(); ++at)
            largest_ = std::max(largest_, std::abs(static_cast<double>(X.data[at])));
        scale_ = scale_for(std::max(largest_, reach_));
        double total = 0, square = 0;
        std::vector<double> first(d_, 0.0);
        for (std::size_t i = 0; i < n_; ++i) {
            if (i % 4096 == 0) ctx.checkpoint();
            double norm = 0;
            most_terms_ = std::max(most_terms_, X.end(i) - X.begin(i));
            for (std::size_t at = X.begin(i); at < X.end(i); ++at) {
                const double z = static_cast<double>(X.data[at]) * scale_;
                norm += z * z;
                first[static_cast<std::size_t>(X.indices[at])] += weight(i) * z;
            }
            norms_[i] = norm_above(norm);
            total += weight(i);
            square += weight(i) * norm;
        }
        if (total == 0) return;
        square /= total;
        for (const double f : first) square -= (f / total) * (f / total);
        variance_ = std::max(square, 0.0) / static_cast<double>(d_);
    });
}

void Points::write_scaled(std::size_t i, float* out, std::size_t step) const {
    visit_dense(table_, [&](const auto& X) {
        const auto* x = X.row(i).data;
        for (std::size_t k = 0; k < d_; ++k)
            out[k * step] = static_cast<float>((static_cast<double>(x[k]) - mean_[k]) * scale_);
    });
}

double Points::squared_distance(std::size_t i, const double* c, double c_squared, double* dense) const {
    const auto between = [&](const auto* x) {
        return sum_in_lanes<8>(d_, [=, this](std::size_t k) {
            const double z = (static_cast<double>(x[k]) - c[k]) * scale_;
            return z * z;
        });
    };
    if (!sparse_) return visit_dense(table_, [&](const auto& X) { return between(X.row(i).data); });
    return visit_sparse(table_, [&](const auto& X) {
        double difference = 0;
        for (std::size_t at = X.begin(i); at < X.end(i); ++at) {
            const double x = static_cast<double>(X.data[at]) * scale_, y = c[X.indices[at]] * scale_;
            difference += x * (x - 2 * y);
        }
        if (c_squared + difference > 0x1p-20 * c_squared) return c_squared + difference;
        for (std::size_t at = X.begin(i); at < X.end(i); ++at) dense[X.indices[at]] = static_cast<double>(X.data[at]);
        const double squared = between(dense);
        for (std::size_t at = X.begin(i); at < X.end(i); ++at) dense[X.indices[at]] = 0;
        return squared;
    });
}

double Points::squared_norm(const double* c) const {
    if (!sparse_) return 0;
    return sum_in_lanes<8>(d_, [=, this](std::size_t k) { return (c[k] * scale_) * (c[k] * scale_); });
}

void Points::add_to(std::size_t i, double factor, double* sum) const {
    if (!sparse_)
        return visit_dense(table_, [&](const auto& X) {
            const auto* x = X.row(i).data;
            for (std::size_t k = 0; k < d_; ++k) sum[k] += factor * (static_cast<double>(x[k]) - mean_[k]);
        });
    visit_sparse(table_, [&](const auto& X) {
        for (std::size_t at = X.begin(i); at < X.end(i); ++at)
            sum[X.indices[at]] += factor * static_cast<double>(X.data[at]);
    });
}

void Points::copy(std::size_t i, double* out) const {
    if (!sparse_)
        return visit_dense(table_, [&](const auto& X) {
            for (std::size_t k = 0; k < d_; ++k) out[k] = static_cast<double>(X(i, k));
        });
    std::fill_n(out, d_, 0.0);
    visit_sparse(table_, [&](const auto& X) {
        for (std::size_t at = X.begin(i); at < X.end(i); ++at) out[X.indices[at]] = static_cast<double>(X.data[at]);
    });
}

} // namespace mlcore::kmeans
