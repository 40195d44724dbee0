#include "svm/points.hpp"

#include "svm/kernel_values.hpp"

#include "core/parallel.hpp"
#include "linalg/gemm_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace mlcore::svm {
namespace {

using simd::lanes_of;

// ---- blocks of rows -------------------------------------------------------------------------------------------------

/// Rows that are multiplied at once: their sums fill the registers of the level, two vectors each.
inline constexpr std::size_t widest_block = simd::lanes == 16 ? 12 : 6;

/// The next block when `left` rows remain.
std::size_t block_size(std::size_t left) {
    if (left >= widest_block) return widest_block;
    return left >= 6 ? 6 : left >= 3 ? 3 : 1;
}

/// dots[i * panel_width + j] = row i . column j for m rows, interleaved feature by feature, and one panel.
template <class T>
void multiply(std::size_t m, const T* rows, const T* panel, std::size_t n_features, T* dots) {
    switch (m) {
    case 12:
        return linalg::multiply_tile<12, T, false>(rows, panel, n_features, dots, panel_width<T>, false);
    case 6:
        return linalg::multiply_tile<6, T, false>(rows, panel, n_features, dots, panel_width<T>, false);
    case 3:
        return linalg::multiply_tile<3, T, false>(rows, panel, n_features, dots, panel_width<T>, false);
    default:
        return linalg::multiply_tile<1, T, false>(rows, panel, n_features, dots, panel_width<T>, false);
    }
}

// ---- reading a table ------------------------------------------------------------------------------------------------

template <class View>
double squared_norm(const View& X, std::size_t i, const std::vector<double>& centre) {
    double sum = 0;
    if constexpr (is_dense<View>) {
        for (std::size_t k = 0; k < X.cols; ++k) {
            const double x = static_cast<double>(X(i, k)) - (centre.empty() ? 0 : centre[k]);
            sum += x * x;
        }
    } else {
        for (std::size_t t = X.begin(i); t < X.end(i); ++t) {
            const auto x = static_cast<double>(X.data[t]);
            sum += x * x;
        }
    }
    return sum;
}

/// The middle between the smallest and the largest value of each feature. Not the mean: it does not change with the
/// order of the rows, nor with copies of them.
template <class T>
std::vector<double> middles(const RunContext& ctx, const MatrixView<const T>& X) {
    struct Range {
        std::vector<T> low, high;
    };
    const Range all = parallel_reduce(
        ctx, X.rows, 2 * static_cast<double>(X.cols), Range{},
        [&](std::size_t begin, std::size_t end) {
            Range range;
            for (std::size_t k = 0; k < X.cols; ++k) range.low.push_back(X(begin, k));
            range.high = range.low;
            for (std::size_t i = begin + 1; i < end; ++i)
                for (std::size_t k = 0; k < X.cols; ++k) {
                    range.low[k] = std::min(range.low[k], X(i, k));
                    range.high[k] = std::max(range.high[k], X(i, k));
                }
            return range;
        },
        [](Range a, Range b) {
            if (a.low.empty()) return b;
            for (std::size_t k = 0; k < a.low.size(); ++k) {
                a.low[k] = std::min(a.low[k], b.low[k]);
                a.high[k] = std::max(a.high[k], b.high[k]);
            }
            return a;
        });
    std::vector<double> middle;
    for (std::size_t k = 0; k < X.cols; ++k)
        middle.push_back(static_cast<double>(all.low[k]) / 2 + static_cast<double>(all.high[k]) / 2);
    return middle;
}

/// Features of dense row i, centred, to out[0], out[stride], ...
template <class T, class View>
void copy_row(const View& X, std::size_t i, const std::vector<double>& centre, T* out, std::size_t stride) {
    if (centre.empty())
        for (std::size_t k = 0; k < X.cols; ++k) out[k * stride] = static_cast<T>(X(i, k));
    else
        for (std::size_t k = 0; k < X.cols; ++k)
            out[k * stride] = static_cast<T>(static_cast<double>(X(i, k)) - centre[k]);
}

} // namespace

// Squared norms out of this range could overflow float32, or leave none of its digits.
constexpr double least_float = 1e-30, most_float = 1e30;

// ---- Points ---------------------------------------------------------------------------------------------------------

Points::Points(const RunContext& ctx, const Table& X, const Kernel& kernel, View view) : table_(X), kernel_(kernel) {
    if (view == View::from_midst) look_from_midst(ctx);
    if (kernel.type == Kernel::Type::precomputed) return;
    if (kernel.type == Kernel::Type::rbf)
        std::visit(
            [&](const auto& dense) {
                if constexpr (is_dense<std::decay_t<decltype(dense)>>) centre_ = middles(ctx, dense);
            },
            X);
    const double largest = set_norms(ctx);
    constexpr double most_scaled = 64; // the error of an exponent, or of what is raised to a power, stays below 3e-5
    wide_ =
        wide_ || !(largest < most_float) || (largest > 0 && largest < least_float) ||
        (kernel.type != Kernel::Type::linear && (kernel.gamma * largest > most_scaled || !(kernel.gamma < most_float)));
}

Points::Points(const RunContext& ctx, const Table& X, const Points& like)
    : table_(X), kernel_(like.kernel_), centre_(like.centre_), wide_(like.wide_), reference_(like.reference_),
      point_(like.point_), subtracts_(like.subtracts_) {
    if (kernel_.type == Kernel::Type::precomputed) return;
    if (!like.offsets_.empty()) set_offsets(ctx);
    if (!(set_norms(ctx) < most_float)) wide_ = true;
}

void Points::look_from_midst(const RunContext& ctx) {
    reference_ = find_reference(table_, kernel_);
    const bool dense = std::visit([](const auto& view) { return is_dense<std::decay_t<decltype(view)>>; }, table_);
    const bool movable = kernel_.type == Kernel::Type::linear && dense; // by taking it off rows as they are copied
    // Of float32's 7 digits one or two may go to the distance from the origin, where moving costs time.
    const double most = movable ? 4 : 64;
    if (!(reference_.size > most * reference_.nearby)) return;
    subtracts_ = !movable;
    if (kernel_.type != Kernel::Type::precomputed) {
        point_ = ReferencePoint(table_);
        point_.set(table_, reference_.row);
        wide_ = subtracts_;
    }
    if (movable) centre_ = point_.values();
    set_offsets(ctx);
}

void Points::set_offsets(const RunContext& ctx) {
    offsets_.resize(size());
    const bool given = kernel_.type == Kernel::Type::precomputed, by_differences = kernel_.type == Kernel::Type::linear;
    self_ = given ? value(reference_.row, reference_.row) : point_.self(kernel_);
    parallel_ranges(ctx, size(), given ? 5.0 : 2.0 * static_cast<double>(n_cols(table_)),
                    [&](std::size_t begin, std::size_t end, int) {
                        for (std::size_t i = begin; i < end; ++i)
                            offsets_[i] = given            ? value(i, reference_.row) - self_
                                          : by_differences ? point_.product_with_difference(table_, i)
                                                           : point_.kernel_with(table_, kernel_, i) - self_;
                    });
}

double Points::set_norms(const RunContext& ctx) {
    norms_.resize(size());
    std::visit(
        [&](const auto& view) {
            parallel_ranges(ctx, size(), static_cast<double>(view.cols), [&](std::size_t begin, std::size_t end, int) {
                for (std::size_t i = begin; i < end; ++i) norms_[i] = squared_norm(view, i, centre_);
            });
        },
        table_);
    return norms_.empty() ? 0 : *std::max_element(norms_.begin(), norms_.end());
}

double Points::value(std::size_t i, std::size_t j) const {
    return std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>) return static_cast<double>(view(i, j));
            return 0.0;
        },
        table_);
}

double Points::diagonal(std::size_t i) const {
    const double self = kernel_.type == Kernel::Type::precomputed
                            ? value(i, i)
                            : kernel_value(kernel_, norms_[i], norms_[i], norms_[i]);
    return subtracts_ ? (self - self_) - 2 * offsets_[i] : self;
}

// ---- Columns --------------------------------------------------------------------------------------------------------

namespace {

/// Squared norms, and offsets that are to be subtracted, of the points listed; `size` >= their number.
template <class T>
void store_norms(const Points& points, std::span<const std::int32_t> ids, std::size_t size, PointValues<T>& out) {
    out.norms = Buffer<T>(size, T{0});
    for (std::size_t j = 0; j < ids.size(); ++j)
        out.norms[j] = static_cast<T>(points.norm(static_cast<std::size_t>(ids[j])));
    if (!points.subtracts()) return;
    out.offsets = Buffer<double>(size, 0.0);
    for (std::size_t j = 0; j < ids.size(); ++j) out.offsets[j] = points.offsets()[static_cast<std::size_t>(ids[j])];
}

/// Kernel values of row i of `rows` with one panel of `cols` that begins at column `first`.
template <class T>
void finish(const Points& points, std::size_t width, const T* dots, const PointValues<T>& rows, std::size_t i,
            const PointValues<T>& cols, std::size_t first, float* out) {
    if constexpr (std::is_same_v<T, double>)
        if (points.subtracts())
            return kernel_values(points.kernel(), width, dots, rows.norms[i], cols.norms.data() + first,
                                 Moved{points.self(), rows.offsets[i], cols.offsets.data() + first}, out);
    kernel_values(points.kernel(), width, dots, rows.norms[i], cols.norms.data() + first, out);
}

template <class T>
PointValues<T> store_columns(const RunContext& ctx, const Points& points, std::span<const std::int32_t> ids) {
    constexpr std::size_t width = panel_width<T>;
    const std::size_t n_panels = (ids.size() + width - 1) / width;
    PointValues<T> stored;
    store_norms(points, ids, n_panels * width, stored);
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                stored.values = Buffer<T>(n_panels * width * view.cols);
                const double ns = static_cast<double>(width * view.cols);
                parallel_tasks(ctx, n_panels, ns, [&](std::size_t panel, int) {
                    T* out = stored.values.data() + panel * width * view.cols;
                    for (std::size_t j = 0; j < width; ++j) {
                        if (const std::size_t at = panel * width + j; at < ids.size())
                            copy_row(view, static_cast<std::size_t>(ids[at]), points.centre(), out + j, width);
                        else
                            for (std::size_t k = 0; k < view.cols; ++k) out[k * width + j] = 0;
                    }
                });
            }
        },
        points.table());
    return stored;
}

} // namespace

Columns::Columns(const RunContext& ctx, const Points& points, std::vector<std::int32_t> ids)
    : points_(&points), ids_(std::move(ids)), width_(points.wide() ? panel_width<double> : panel_width<float>) {
    if (points.kernel().type == Kernel::Type::precomputed) return;
    if (points.wide())
        stored_ = store_columns<double>(ctx, points, ids_);
    else
        stored_ = store_columns<float>(ctx, points, ids_);
}

std::size_t Columns::bytes() const {
    return std::visit(
        [](const auto& stored) {
            return (stored.values.size() + stored.norms.size()) *
                   sizeof(typename std::decay_t<decltype(stored.norms)>::value_type);
        },
        stored_);
}

// ---- RowBatch -------------------------------------------------------------------------------------------------------

RowBatch::RowBatch(const RunContext& ctx, const Points& points, std::span<const std::int32_t> ids)
    : points_(&points), ids_(ids) {
    if (points.kernel().type == Kernel::Type::precomputed) return;
    const auto store = [&]<class T>(PointValues<T> stored) {
        store_norms(points, ids, ids.size(), stored);
        std::visit(
            [&](const auto& view) {
                if constexpr (is_dense<std::decay_t<decltype(view)>>) {
                    stored.values = Buffer<T>(ids.size() * view.cols);
                    std::vector<std::size_t> begins;
                    for (std::size_t at = 0; at < ids.size(); at += block_size(ids.size() - at)) begins.push_back(at);
                    const double ns = static_cast<double>(widest_block * view.cols);
                    parallel_tasks(ctx, begins.size(), ns, [&](std::size_t block, int) {
                        const std::size_t begin = begins[block], m = block_size(ids.size() - begin);
                        T* out = stored.values.data() + begin * view.cols;
                        for (std::size_t i = 0; i < m; ++i)
                            copy_row(view, static_cast<std::size_t>(ids[begin + i]), points.centre(), out + i, m);
                    });
                } else {
                    begin_.assign(1, 0);
                    for (const std::int32_t id : ids) {
                        const auto row = static_cast<std::size_t>(id);
                        begin_.push_back(begin_.back() + view.end(row) - view.begin(row));
                    }
                    stored.values = Buffer<T>(begin_.back());
                    features_.resize(begin_.back());
                    for (std::size_t i = 0; i < ids.size(); ++i)
                        for (std::size_t from = view.begin(static_cast<std::size_t>(ids[i])), to = begin_[i];
                             to < begin_[i + 1]; ++from, ++to) {
                            stored.values[to] = static_cast<T>(view.data[from]);
                            features_[to] = static_cast<std::int32_t>(view.indices[from]);
                        }
                }
            },
            points.table());
        stored_ = std::move(stored);
    };
    if (points.wide())
        store(PointValues<double>());
    else
        store(PointValues<float>());
}

template <class T>
void RowBatch::dense_panel(const Columns& columns, std::size_t panel, float* const* out) const {
    constexpr std::size_t width = panel_width<T>;
    const auto& rows = std::get<PointValues<T>>(stored_);
    const auto& cols = std::get<PointValues<T>>(columns.stored_);
    const std::size_t n_features = n_cols(points_->table());
    alignas(cache_line) T dots[widest_block * width];
    for (std::size_t begin = 0, m = 0; begin < size(); begin += m) {
        m = block_size(size() - begin);
        multiply<T>(m, rows.values.data() + begin * n_features, cols.values.data() + panel * width * n_features,
                    n_features, dots);
        for (std::size_t i = 0; i < m; ++i)
            finish(*points_, width, dots + i * width, rows, begin + i, cols, panel * width, out[begin + i]);
    }
}

template <class T, class View>
void RowBatch::sparse_panel(const View& X, const Columns& columns, std::size_t panel, float* const* out,
                            Scratch& scratch) const {
    constexpr std::size_t L = lanes_of<T>, width = 2 * L;
    const auto& rows = std::get<PointValues<T>>(stored_);
    const auto& cols = std::get<PointValues<T>>(columns.stored_);
    using Vector = decltype(simd::load(rows.values.data()));

    // The panel over the features that occur in it. Slot 0 stays zero, for features that do not.
    const std::size_t first = panel * width, last = std::min(first + width, columns.size());
    std::size_t most_slots = 1;
    for (std::size_t j = first; j < last; ++j) {
        const auto id = static_cast<std::size_t>(columns.ids_[j]);
        most_slots += X.end(id) - X.begin(id);
    }
    most_slots = std::min(most_slots, X.cols + 1);
    if (scratch.panel.size() < most_slots * width * sizeof(T))
        scratch.panel = Buffer<std::byte>(2 * most_slots * width * sizeof(T));
    if (scratch.slot_of.size() < X.cols) scratch.slot_of.assign(X.cols, 0);
    T* laid_out = reinterpret_cast<T*>(scratch.panel.data());
    std::fill_n(laid_out, width, T{0});
    for (std::size_t j = first; j < last; ++j) {
        const auto id = static_cast<std::size_t>(columns.ids_[j]);
        for (std::size_t t = X.begin(id); t < X.end(id); ++t) {
            std::int32_t& slot = scratch.slot_of[static_cast<std::size_t>(X.indices[t])];
            if (slot == 0) {
                scratch.used.push_back(static_cast<std::int32_t>(X.indices[t]));
                slot = static_cast<std::int32_t>(scratch.used.size());
                std::fill_n(laid_out + static_cast<std::size_t>(slot) * width, width, T{0});
            }
            laid_out[static_cast<std::size_t>(slot) * width + (j - first)] += static_cast<T>(X.data[t]);
        }
    }

    alignas(cache_line) T dots[width];
    for (std::size_t i = 0; i < size(); ++i) {
        Vector sums[2] = {};
        for (std::size_t t = begin_[i]; t < begin_[i + 1]; ++t) {
            const T* column =
                laid_out + static_cast<std::size_t>(scratch.slot_of[static_cast<std::size_t>(features_[t])]) * width;
            const Vector x = simd::broadcast(rows.values[t]);
            sums[0] = simd::fma(x, simd::load(column), sums[0]);
            sums[1] = simd::fma(x, simd::load(column + L), sums[1]);
        }
        simd::store(dots, sums[0]);
        simd::store(dots + L, sums[1]);
        finish(*points_, width, dots, rows, i, cols, first, out[i]);
    }
    for (const std::int32_t feature : scratch.used) scratch.slot_of[static_cast<std::size_t>(feature)] = 0;
    scratch.used.clear();
}

void RowBatch::precomputed_panel(const Columns& columns, std::size_t panel, float* const* out) const {
    const std::size_t first = panel * columns.width_, last = std::min(first + columns.width_, columns.size());
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                for (std::size_t i = 0; i < size(); ++i) {
                    const auto row = static_cast<std::size_t>(ids_[i]);
                    const Moved moved{points_->self(), points_->subtracts() ? points_->offsets()[row] : 0,
                                      points_->offsets().data()};
                    for (std::size_t j = first; j < last; ++j) {
                        const auto column = static_cast<std::size_t>(columns.ids_[j]);
                        const auto value = static_cast<double>(view(row, column));
                        out[i][j - first] = static_cast<float>(points_->subtracts() ? moved.of(value, column) : value);
                    }
                }
        },
        points_->table());
}

void RowBatch::values(const Columns& columns, std::size_t panel, float* const* out, Scratch& scratch) const {
    if (points_->kernel().type == Kernel::Type::precomputed) return precomputed_panel(columns, panel, out);
    std::visit(
        [&](const auto& X) {
            if constexpr (is_dense<std::decay_t<decltype(X)>>) {
                if (points_->wide())
                    dense_panel<double>(columns, panel, out);
                else
                    dense_panel<float>(columns, panel, out);
            } else {
                if (points_->wide())
                    sparse_panel<double>(X, columns, panel, out, scratch);
                else
                    sparse_panel<float>(X, columns, panel, out, scratch);
            }
        },
        columns.points_->table());
}

double RowBatch::panel_ns(const Columns& columns) const {
    const double terms =
        begin_.empty() ? static_cast<double>(size() * n_cols(points_->table())) : static_cast<double>(begin_.back());
    return static_cast<double>(columns.width()) *
           (terms * (points_->wide() ? 0.04 : 0.02) + static_cast<double>(size()) * 0.5);
}

void kernel_rows(const RunContext& ctx, const RowBatch& rows, const Columns& columns, float* const* out) {
    const double ns = rows.panel_ns(columns);
    std::vector<RowBatch::Scratch> scratch(
        static_cast<std::size_t>(threads_for(ctx, ns * static_cast<double>(columns.n_panels()))));
    std::vector<std::vector<float*>> pointers(scratch.size(), std::vector<float*>(rows.size()));
    parallel_tasks(ctx, columns.n_panels(), ns, [&](std::size_t panel, int thread) {
        auto& at = pointers[static_cast<std::size_t>(thread)];
        for (std::size_t i = 0; i < rows.size(); ++i) at[i] = out[i] + panel * columns.width();
        rows.values(columns, panel, at.data(), scratch[static_cast<std::size_t>(thread)]);
    });
}

} // namespace mlcore::svm
