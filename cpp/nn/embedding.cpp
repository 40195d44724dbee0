#include "nn/embedding.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace mlcore::nn {
namespace {

constexpr std::size_t float_run = 64; // rows whose sum is kept in float

} // namespace

void check_ids(const std::int64_t* ids, std::size_t n, std::size_t n_rows) {
    for (std::size_t i = 0; i < n; ++i)
        if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= n_rows)
            throw ValueError("id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
                             " is outside the table of " + std::to_string(n_rows) + " rows");
}

void gather_rows(const RunContext& ctx, const float* table, const std::int64_t* ids, std::size_t n, std::size_t d,
                 float* out) {
    if (d == 0) return;
    parallel_tasks(ctx, n, 10 + 0.2 * static_cast<double>(d), [&](std::size_t i, int) {
        std::memcpy(out + i * d, table + static_cast<std::size_t>(ids[i]) * d, d * sizeof(float));
    });
}

void scatter_add_rows(const RunContext& ctx, const float* rows, const std::int64_t* ids, std::size_t n, std::size_t d,
                      std::int64_t skipped, float* out, std::size_t n_rows) {
    if (d == 0) return;
    Scratch<std::size_t> ends(n_rows + 1); // where the positions of row r end in `order`, once they are filled in
    Scratch<std::size_t> order(n + 1);
    std::fill_n(ends.data(), n_rows + 1, std::size_t{0});
    for (std::size_t i = 0; i < n; ++i) ++ends[static_cast<std::size_t>(ids[i]) + 1];
    for (std::size_t r = 0; r < n_rows; ++r) ends[r + 1] += ends[r];
    for (std::size_t i = 0; i < n; ++i) order[ends[static_cast<std::size_t>(ids[i])]++] = i;

    const double adds = static_cast<double>(n + n_rows) / static_cast<double>(n_rows + 1);
    parallel_tasks(ctx, n_rows, 10 + 0.3 * static_cast<double>(d) * adds, [&](std::size_t r, int) {
        float* to = out + r * d;
        std::size_t k = r == 0 ? 0 : ends[r - 1];
        if (k == ends[r] || static_cast<std::int64_t>(r) == skipped) return static_cast<void>(std::fill_n(to, d, 0.0f));
        // The sums of a few rows in float, theirs in double: a frequent id has millions.
        Scratch<double> totals(ends[r] - k > float_run ? d : 0);
        std::fill_n(totals.data(), totals.size(), 0.0);
        while (true) {
            const std::size_t end = std::min(k + float_run, ends[r]);
            std::memcpy(to, rows + order[k] * d, d * sizeof(float));
            for (++k; k < end; ++k) {
                const float* from = rows + order[k] * d;
                for (std::size_t j = 0; j < d; ++j) to[j] += from[j];
            }
            for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += static_cast<double>(to[j]);
            if (k == ends[r]) break;
        }
        for (std::size_t j = 0; j < totals.size(); ++j) to[j] = static_cast<float>(totals[j]);
    });
}

} // namespace mlcore::nn
