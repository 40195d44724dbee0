#include "svm/decision.hpp"

#include "core/parallel.hpp"
#include "svm/weighted_rows.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

namespace mlcore::svm {
namespace {

/// Position of the pair (i, j), i < j, of k classes.
std::size_t pair_index(std::size_t i, std::size_t j, std::size_t k) { return i * (2 * k - i - 1) / 2 + j - i - 1; }

/// The pair in which support vectors of class c have their coefficients of row o: with the o-th of the other classes.
std::size_t pair_of(std::size_t c, std::size_t o, std::size_t k) {
    if (k < 2) return 0;
    return o < c ? pair_index(o, c, k) : pair_index(c, o + 1, k);
}

std::vector<std::int32_t> counting(std::size_t n) {
    std::vector<std::int32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

/// With a precomputed kernel, points are its rows and support vectors its columns: plain products.
void precomputed(const RunContext& ctx, const Table& X, const DecisionModel& model, std::size_t k, double* out) {
    const std::size_t n_pairs = model.intercept.size(), n_sv = n_cols(X);
    std::visit(
        [&](const auto& view) {
            if constexpr (is_dense<std::decay_t<decltype(view)>>)
                parallel_tasks(ctx, view.rows, 2.0 * static_cast<double>(n_sv * std::max<std::size_t>(k - 1, 1)),
                               [&](std::size_t r, int) {
                                   double* row = out + r * n_pairs;
                                   std::copy(model.intercept.begin(), model.intercept.end(), row);
                                   std::size_t sv = 0;
                                   for (std::size_t c = 0; c < k; ++c)
                                       for (const std::size_t end = sv + static_cast<std::size_t>(model.n_support[c]);
                                            sv < end; ++sv) {
                                           const auto value = static_cast<double>(view(r, sv));
                                           for (std::size_t o = 0; o < std::max<std::size_t>(k - 1, 1); ++o) {
                                               const std::size_t p = pair_of(c, o, k);
                                               row[p] += model.dual_coef[o * n_sv + sv] * value;
                                           }
                                       }
                               });
        },
        X);
}

} // namespace

void decision_function(const RunContext& ctx, const Table& X, const DecisionModel& model, double* out) {
    const std::size_t n = n_rows(X), n_pairs = model.intercept.size(), k = n_pairs > 1 ? model.n_support.size() : 1;
    const std::size_t n_outputs = std::max<std::size_t>(k - 1, 1);
    if (model.kernel.type == Kernel::Type::precomputed) return precomputed(ctx, X, model, model.n_support.size(), out);

    const std::size_t n_sv = n_rows(model.support_vectors);
    if (n_sv == 0) {
        for (std::size_t r = 0; r < n; ++r)
            std::copy(model.intercept.begin(), model.intercept.end(), out + r * n_pairs);
        return;
    }
    Points support(ctx, model.support_vectors, model.kernel, Points::View::from_midst);
    const Points points(ctx, X, support);
    if (points.wide()) support.widen();
    const std::vector<std::int32_t> sv_ids = counting(n_sv);
    std::vector<WeightedRows> parts; // by class
    for (std::size_t c = 0, first = 0; c < k; ++c) {
        const std::size_t count = k > 1 ? static_cast<std::size_t>(model.n_support[c]) : n_sv;
        parts.emplace_back(ctx, support, std::span(sv_ids).subspan(first, count), model.dual_coef + first, n_sv,
                           n_outputs);
        first += count;
    }
    // What sums of kernel values lack that are seen from the midst of the support vectors, by pair: reference.hpp.
    std::vector<double> level(model.intercept.begin(), model.intercept.end()), sum(n_pairs);
    const bool moved = !support.offsets().empty();
    if (moved)
        for (std::size_t c = 0, sv = 0; c < k; ++c)
            for (const std::size_t end = k > 1 ? sv + static_cast<std::size_t>(model.n_support[c]) : n_sv; sv < end;
                 ++sv)
                for (std::size_t o = 0; o < n_outputs; ++o) {
                    const double coef = model.dual_coef[o * n_sv + sv];
                    sum[pair_of(c, o, k)] += coef;
                    level[pair_of(c, o, k)] += coef * support.offsets()[sv];
                }
    for (std::size_t p = 0; p < n_pairs; ++p) level[p] += sum[p] * support.self();
    // Points are the columns, in blocks so that their copy stays small.
    constexpr std::size_t block = 8192;
    for (std::size_t begin = 0; begin < n; begin += block) {
        std::vector<std::int32_t> ids(std::min(block, n - begin));
        std::iota(ids.begin(), ids.end(), static_cast<std::int32_t>(begin));
        const Columns columns(ctx, points, std::move(ids));
        double ns = 0;
        for (const WeightedRows& part : parts) ns += part.panel_ns(columns);
        const std::size_t width = columns.width();
        struct Memory {
            Buffer<double> sums;
            WeightedRows::Scratch scratch;
        };
        std::vector<Memory> memory(
            static_cast<std::size_t>(threads_for(ctx, ns * static_cast<double>(columns.n_panels()))));
        parallel_tasks(ctx, columns.n_panels(), ns, [&](std::size_t panel, int thread) {
            Memory& own = memory[static_cast<std::size_t>(thread)];
            if (own.sums.empty()) own.sums = Buffer<double>(n_outputs * width);
            const std::size_t first = panel * width, last = std::min(first + width, columns.size());
            for (std::size_t j = first; j < last; ++j)
                for (std::size_t p = 0; p < n_pairs; ++p)
                    out[(begin + j) * n_pairs + p] = moved ? level[p] + sum[p] * points.offsets()[begin + j] : level[p];
            for (std::size_t c = 0; c < k; ++c) {
                parts[c].panel(columns, panel, own.sums.data(), own.scratch);
                for (std::size_t o = 0; o < n_outputs; ++o) {
                    const std::size_t p = pair_of(c, o, k);
                    for (std::size_t j = first; j < last; ++j)
                        out[(begin + j) * n_pairs + p] += own.sums[o * width + j - first];
                }
            }
        });
    }
}

} // namespace mlcore::svm
