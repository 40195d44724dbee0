// Points as the kernel wants them, in two roles: the few *rows* of the kernel matrix that are asked for, and the many
// *columns* that each row runs over. One panel of columns meets all rows in one small matrix product: that is where the
// time of a kernel machine goes.
//
// Dense columns are stored in panels of `panel_width` points, feature by feature, so that one load brings one feature
// of many points; rows are interleaved likewise in small blocks, and a block times a panel stays in registers. Sparse
// columns are not stored: a panel is laid out when its turn comes, over the features that occur in it, and sparse rows
// are multiplied with it term by term.
//
// Products are summed feature by feature in the order of the features, whatever the block: the kernel between two
// points has the same bits in every row, order and thread.
#pragma once

#include "core/context.hpp"
#include "core/memory.hpp"
#include "core/simd.hpp"
#include "core/table.hpp"
#include "svm/kernel.hpp"
#include "svm/reference.hpp"

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace mlcore::svm {

/// Points in one panel of columns: two vectors.
template <class T>
inline constexpr std::size_t panel_width = 2 * simd::lanes_of<T>;

/// Memory for a row of kernel values with `n` columns is padded to whole panels.
inline constexpr std::size_t padded(std::size_t n) {
    return (n + panel_width<float> - 1) / panel_width<float> * panel_width<float>;
}

/// A table as points: which kernel, what is subtracted, in which precision points are multiplied. Must outlive the
/// Columns and RowBatch made from it.
class Points {
  public:
    /// What kernel values are wanted: those of the kernel, or, where rows are far from the origin of feature space and
    /// close to each other, those seen from a row in their midst (reference.hpp). `offsets` say by how much they
    /// differ.
    enum class View { from_origin, from_midst };

    /// |x|^2 - 2 x.z + |z|^2 cancels: its error is some eps max |x|^2, and it matters on the scale of 1 / gamma. So
    /// dense points are centred for rbf, and multiplied in float64 if they are still far out.
    Points(const RunContext& ctx, const Table& X, const Kernel& kernel, View view = View::from_origin);
    /// Points of another table, to be multiplied with those of `like`: they are read alike. If these are so far out
    /// that they are wide and `like` is not, `like` must be widened.
    Points(const RunContext& ctx, const Table& X, const Points& like);
    void widen() { wide_ = true; }

    const Table& table() const { return table_; }
    const Kernel& kernel() const { return kernel_; }
    std::size_t size() const { return n_rows(table_); }
    bool wide() const { return wide_; }
    const std::vector<double>& centre() const { return centre_; }
    double norm(std::size_t i) const { return norms_.empty() ? 0 : norms_[i]; }
    /// Kernel of a point with itself, less what its values are less by.
    double diagonal(std::size_t i) const;
    /// b of reference.hpp for each point: the kernel is the value plus `self` and the offsets of both points. Empty: it
    /// is the value.
    const std::vector<double>& offsets() const { return offsets_; }
    double self() const { return self_; }
    /// Whether the offsets are taken off kernel values; else points were moved, and they need not be.
    bool subtracts() const { return subtracts_; }
    /// How large the kernel and distances are. Only of points that are seen from their midst.
    const Reference& reference() const { return reference_; }

  private:
    double set_norms(const RunContext& ctx); // returns the largest
    void look_from_midst(const RunContext& ctx);
    void set_offsets(const RunContext& ctx);
    double value(std::size_t i, std::size_t j) const; // of a precomputed kernel

    Table table_; // a view
    Kernel kernel_;
    std::vector<double> centre_; // empty: nothing is subtracted
    std::vector<double> norms_;  // |x - centre|^2; empty where no one asks
    bool wide_ = false;          // multiplied in float64
    Reference reference_;
    ReferencePoint point_; // the reference; empty for a precomputed kernel
    std::vector<double> offsets_;
    double self_ = 0; // kernel of the reference with itself
    bool subtracts_ = false;
};

/// Values with squared norms, in the precision of the products, and offsets where they are to be subtracted.
template <class T>
struct PointValues {
    Buffer<T> values, norms;
    Buffer<double> offsets;
};

/// Some points in the role of columns.
class Columns {
  public:
    Columns() = default;
    Columns(const RunContext& ctx, const Points& points, std::vector<std::int32_t> ids);

    std::size_t size() const { return ids_.size(); }
    const std::vector<std::int32_t>& ids() const { return ids_; }
    std::size_t n_panels() const { return (size() + width_ - 1) / width_; }
    std::size_t width() const { return width_; }
    /// Bytes of the copy of the points.
    std::size_t bytes() const;

  private:
    friend class RowBatch;
    const Points* points_ = nullptr;
    std::vector<std::int32_t> ids_;
    std::size_t width_ = 1; // points a panel
    std::variant<PointValues<float>, PointValues<double>> stored_;
};

/// Some points in the role of rows, ready to be multiplied with columns. Any thread may call `values`.
class RowBatch {
  public:
    /// ids: may repeat; must outlive the batch.
    RowBatch(const RunContext& ctx, const Points& points, std::span<const std::int32_t> ids);

    std::size_t size() const { return ids_.size(); }

    /// Memory that the calls from one thread share.
    struct Scratch {
        Buffer<std::byte> panel;           // sparse: the panel laid out
        std::vector<std::int32_t> slot_of; // sparse: feature -> its place in the panel, 0 for none
        std::vector<std::int32_t> used;    // sparse: features with a place
    };

    /// Kernel values of all rows with the columns of one panel: out[i][0, columns.width()), also beyond the last
    /// column.
    void values(const Columns& columns, std::size_t panel, float* const* out, Scratch& scratch) const;

    /// Estimated time of one call of `values`.
    double panel_ns(const Columns& columns) const;

  private:
    template <class T>
    void dense_panel(const Columns& columns, std::size_t panel, float* const* out) const;
    template <class T, class View>
    void sparse_panel(const View& X, const Columns& columns, std::size_t panel, float* const* out,
                      Scratch& scratch) const;
    void precomputed_panel(const Columns& columns, std::size_t panel, float* const* out) const;

    const Points* points_;
    std::span<const std::int32_t> ids_;
    std::variant<PointValues<float>, PointValues<double>> stored_;
    std::vector<std::size_t> begin_; // sparse: terms of row i are [begin_[i], begin_[i + 1]) of values and features
    std::vector<std::int32_t> features_;
};

/// out[i][j] = kernel of row i with column j, for all columns; rows of `out` have room for padded(columns.size()).
void kernel_rows(const RunContext& ctx, const RowBatch& rows, const Columns& columns, float* const* out);

} // namespace mlcore::svm
