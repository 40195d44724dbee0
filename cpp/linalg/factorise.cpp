#include "linalg/factorise.hpp"

#include "core/eigen.hpp"
#include "core/parallel.hpp"

#include <Eigen/Cholesky>

#include <algorithm>

namespace mlcore::linalg {
namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index small = 512; // Eigen alone is as good: milliseconds
constexpr Index panel = 128; // columns that are factorised before the rest hears of them
constexpr Index tile = 256;  // side of a piece of the rest

double product_ns(Index rows, Index columns) { return 0.1 * static_cast<double>(rows * columns * panel); }

} // namespace

bool factorise(const RunContext& ctx, double* data, std::size_t size) {
    const auto n = static_cast<Index>(size);
    Eigen::Map<Matrix> a(data, n, n);
    if (n <= small) return Eigen::LLT<Eigen::Ref<Matrix>>(a).info() == Eigen::Success;
    for (Index first = 0; first < n; first += panel) {
        ctx.checkpoint();
        const Index width = std::min(panel, n - first), next = first + width, rest = n - next;
        auto corner = a.block(first, first, width, width);
        if (Eigen::LLT<Eigen::Ref<Matrix>>(corner).info() != Eigen::Success) return false;
        const auto n_tiles = static_cast<std::size_t>((rest + tile - 1) / tile);
        const auto rows_of = [&](std::size_t t) {
            const Index from = next + static_cast<Index>(t) * tile;
            return std::pair(from, std::min(tile, n - from));
        };
        parallel_tasks(ctx, n_tiles, product_ns(tile, panel), [&](std::size_t t, int) {
            const auto [from, rows] = rows_of(t);
            auto below = a.block(from, first, rows, width);
            corner.triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(below);
        });
        parallel_tasks(ctx, n_tiles * (n_tiles + 1) / 2, product_ns(tile, tile), [&](std::size_t task, int) {
            std::size_t s = 0, t = task; // tiles s >= t of the lower triangle
            while (t > s) t -= ++s;
            const auto [row, rows] = rows_of(s);
            const auto [column, columns] = rows_of(t);
            const auto left = a.block(row, first, rows, width), right = a.block(column, first, columns, width);
            auto target = a.block(row, column, rows, columns);
            if (s == t)
                target.selfadjointView<Eigen::Lower>().rankUpdate(left, -1);
            else
                target.noalias() -= left * right.transpose();
        });
    }
    return true;
}

} // namespace mlcore::linalg
