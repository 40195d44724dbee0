#include "nn/linear_cross_entropy.hpp"

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "linalg/gemm.hpp"
#include "nn/cross_entropy.hpp"
#include "nn/elementwise.hpp"

#include <algorithm>

namespace mlcore::nn {
namespace {

using linalg::gemm, linalg::PackedMatrix, linalg::transposed;

/// Rows of a chunk: its logits take about 16 MiB. With 256 rows and more, going over W once a chunk costs little beside
/// the products; twice as many are 4 % faster, for they share one packing of their gradients among more columns.
std::size_t chunk_rows(std::size_t n) { return std::max<std::size_t>((std::size_t{1} << 22) / n, 256); }

CrossEntropy targets_of(const LinearCrossEntropy& problem) {
    CrossEntropy targets;
    targets.target = problem.target;
    targets.m = problem.m;
    targets.n = problem.n;
    targets.ignore_index = problem.ignore_index;
    targets.label_smoothing = problem.label_smoothing;
    return targets;
}

/// The rows that count: which they are, and what belongs to those of a chunk, side by side.
class UsedRows {
  public:
    UsedRows(const LinearCrossEntropy& problem, const float* factors, std::size_t chunk)
        : p_(problem), row_factor_(factors), rows_(problem.m) {
        for (std::size_t i = 0; i < p_.m; ++i)
            if (p_.target[i] != p_.ignore_index) rows_[n_++] = i;
        if (all()) return;
        x_ = Scratch<float>(chunk * p_.k);
        target_ = Scratch<std::int64_t>(chunk);
        factor_ = Scratch<float>(factors ? chunk : 0);
    }

    std::size_t size() const { return n_; }
    bool all() const { return n_ == p_.m; }
    std::size_t operator[](std::size_t i) const { return rows_[i]; }

    /// Rows [begin, end) of those that count.
    void select(std::size_t begin, std::size_t end) {
        x = all() ? p_.x + begin * p_.k : x_.data();
        target = all() ? p_.target + begin : target_.data();
        row_factor = all() && row_factor_ ? row_factor_ + begin : row_factor_ ? factor_.data() : nullptr;
        if (all()) return;
        for (std::size_t i = begin; i < end; ++i) {
            std::copy_n(p_.x + rows_[i] * p_.k, p_.k, x_.data() + (i - begin) * p_.k);
            target_[i - begin] = p_.target[rows_[i]];
            if (row_factor_) factor_[i - begin] = row_factor_[rows_[i]];
        }
    }

    const float* x = nullptr;
    const std::int64_t* target = nullptr;
    const float* row_factor = nullptr;

  private:
    const LinearCrossEntropy& p_;
    const float* row_factor_;
    Scratch<std::size_t> rows_;
    std::size_t n_ = 0;
    Scratch<float> x_, factor_;
    Scratch<std::int64_t> target_;
};

} // namespace

std::size_t count_targets(const LinearCrossEntropy& problem) {
    check_targets(targets_of(problem));
    return problem.m -
           static_cast<std::size_t>(std::count(problem.target, problem.target + problem.m, problem.ignore_index));
}

double linear_cross_entropy(const RunContext& ctx, const LinearCrossEntropy& problem, float factor,
                            const float* row_factor, float* loss, const LinearCrossEntropyGradients& gradients) {
    const std::size_t n = problem.n, k = problem.k;
    UsedRows used(problem, row_factor, chunk_rows(n));
    const std::size_t chunk = std::min(chunk_rows(n), used.size());
    if (gradients.x && !used.all()) std::fill_n(gradients.x, problem.m * k, 0.0f);
    if (gradients.weight) std::fill_n(gradients.weight, n * k, 0.0f);
    if (gradients.bias) std::fill_n(gradients.bias, n, 0.0f);
    if (loss) std::fill_n(loss, problem.m, 0.0f);
    if (chunk == 0) return 0;

    const bool wants_gradient = gradients.x || gradients.weight || gradients.bias;
    const MatrixView<const float> W = row_major(problem.weight, n, k);
    const PackedMatrix to_logits(ctx, transposed(W));
    const PackedMatrix to_x = gradients.x ? PackedMatrix(ctx, W) : PackedMatrix();
    Scratch<float> logits(chunk * n), losses(loss ? chunk : 0), dx(used.all() || !gradients.x ? 0 : chunk * k);
    Scratch<float> db(gradients.bias ? n : 0);
    linalg::Epilogue add_bias;
    add_bias.bias = problem.bias;
    CrossEntropy rows = targets_of(problem);
    rows.x = logits.data();

    double total = 0;
    for (std::size_t begin = 0; begin < used.size(); begin += chunk) {
        const std::size_t end = std::min(begin + chunk, used.size()), m = end - begin;
        used.select(begin, end);
        const MatrixView<const float> X = row_major(used.x, m, k);
        const MatrixView<float> Z = row_major(logits.data(), m, n);
        gemm(ctx, X, to_logits, Z, false, add_bias);
        rows.target = used.target;
        rows.m = m;
        total +=
            cross_entropy(ctx, rows, factor, used.row_factor, losses.data(), wants_gradient ? logits.data() : nullptr);
        if (loss)
            for (std::size_t i = 0; i < m; ++i) loss[used[begin + i]] = losses[i];
        if (gradients.x) {
            float* to = used.all() ? gradients.x + begin * k : dx.data();
            gemm(ctx, Z, to_x, row_major(to, m, k));
            if (!used.all())
                for (std::size_t i = 0; i < m; ++i) std::copy_n(to + i * k, k, gradients.x + used[begin + i] * k);
        }
        if (gradients.weight) gemm(ctx, transposed(Z), X, row_major(gradients.weight, n, k), true);
        if (gradients.bias) {
            sum_rows(ctx, logits.data(), m, n, db.data());
            for (std::size_t j = 0; j < n; ++j) gradients.bias[j] += db[j];
        }
    }
    return total;
}

} // namespace mlcore::nn
