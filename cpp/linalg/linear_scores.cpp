#include "linalg/linear_scores.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "linalg/design.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace mlcore::linalg {

void linear_scores(const RunContext& ctx, const Table& X, MatrixView<const double> coef,
                   VectorView<const double> intercept, double* scores) {
    const auto design = make_design(X);
    const std::size_t n = design->n_rows(), B = design->block_rows(), K = coef.rows;
    if (coef.cols != design->n_cols())
        throw ValueError("X has " + std::to_string(design->n_cols()) + " columns, but coef has " +
                         std::to_string(coef.cols));
    if (intercept.size != K)
        throw ValueError("intercept must have " + std::to_string(K) + " entries, got " +
                         std::to_string(intercept.size));
    if (K == 0) return;
    const Coefficients w = design->coefficients(coef, intercept);
    struct Local {
        Design::Scratch design;
        Buffer<double> z;
    };
    std::vector<Local> local(static_cast<std::size_t>(ctx.n_threads));
    const double stored = static_cast<double>(design->n_stored()) / static_cast<double>(std::max<std::size_t>(n, 1));
    const double ns = static_cast<double>(B * K) * (0.2 * stored + 2);
    parallel_tasks(ctx, (n + B - 1) / B, ns, [&](std::size_t block, int thread) {
        Local& mine = local[static_cast<std::size_t>(thread)];
        const std::size_t begin = block * B, end = std::min(begin + B, n);
        if (K == 1) return design->scores(begin, end, w, scores + begin, mine.design);
        if (mine.z.empty()) mine.z = Buffer<double>(K * B);
        design->scores(begin, end, w, mine.z.data(), mine.design);
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t k = 0; k < K; ++k) scores[i * K + k] = mine.z[k * B + i - begin];
    });
}

} // namespace mlcore::linalg
