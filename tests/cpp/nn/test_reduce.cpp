// Sums along an axis against long double, on shapes around the sizes of groups, blocks and tiles; the same bits for any
// number of threads.
#include "check.hpp"

#include "core/context.hpp"
#include "nn/elementwise.hpp"
#include "nn/embedding.hpp"
#include "nn/reduce.hpp"
#include "nn/twin.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

twin::Values far_from_zero(std::size_t n) { return twin::normal(n, 1, 10, 285); } // sums do not cancel

void check_sums(std::size_t outer, std::size_t n, std::size_t inner) {
    const auto x = far_from_zero(outer * n * inner);
    std::vector<float> sums(outer * inner, NAN), three(sums), so_far(x.size(), NAN), from_here(x.size(), NAN);
    const StandaloneRun run(1), more(3);
    sum_axis(run.context, x.data(), outer, n, inner, 0.5, sums.data());
    sum_axis(more.context, x.data(), outer, n, inner, 0.5, three.data());
    CHECK(sums == three);
    cumulate(more.context, x.data(), outer, n, inner, false, so_far.data());
    cumulate(run.context, x.data(), outer, n, inner, true, from_here.data());
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t j = 0; j < inner; ++j) {
            long double total = 0;
            for (std::size_t i = 0; i < n; ++i) {
                total += static_cast<long double>(x[(o * n + i) * inner + j]);
                CHECK_CLOSE(so_far[(o * n + i) * inner + j] / total, 1, 6.1e-8); // half a unit: rounded once
            }
            if (n == 0) CHECK_EQUAL(sums[o * inner + j], 0.0f);
            if (n == 0) continue;
            CHECK_CLOSE(sums[o * inner + j] / (0.5L * total), 1, 6.1e-8);
            CHECK_CLOSE(from_here[o * n * inner + j] / total, 1, 6.1e-8);
        }
}

} // namespace

TEST(shapes_against_the_formula) {
    for (const std::size_t outer : {1, 3})
        for (const std::size_t n : {0, 1, 2, 63, 64, 65, 200, 5000})
            for (const std::size_t inner : {1, 2, 5, 63, 64, 65}) check_sums(outer, n, inner);
    check_sums(1, 300, 1500);
    check_sums(2, 3, 2049);
    check_sums(2, 70000, 1);
    check_sums(0, 3, 3);
    check_sums(3, 3, 0);
}

TEST(what_is_no_number_stays_so) {
    const float inf = std::numeric_limits<float>::infinity();
    const float x[] = {1, inf, 1, 2, -inf, NAN};
    float sums[3];
    const StandaloneRun run(1);
    sum_axis(run.context, x, 1, 2, 3, 1, sums);
    CHECK_EQUAL(sums[0], 3.0f);
    CHECK(std::isnan(sums[1]) && std::isnan(sums[2]));
    const float large[] = {3e38f, 3e38f};
    sum_axis(run.context, large, 1, 2, 1, 0.5, sums);
    CHECK_EQUAL(sums[0], 3e38f);
}

TEST(sums_of_rows_and_of_one_id) {
    const std::size_t m = 200000;
    const auto x = far_from_zero(2 * m);
    std::vector<double> exact(2);
    for (std::size_t i = 0; i < 2 * m; ++i) exact[i % 2] += static_cast<double>(x[i]);
    float rows[2], table[4];
    const StandaloneRun run(2);
    sum_rows(run.context, x.data(), m, 2, rows);
    const std::vector<std::int64_t> ids(m, 1);
    scatter_add_rows(run.context, x.data(), ids.data(), m, 2, -1, table, 2);
    for (std::size_t j = 0; j < 2; ++j) {
        // Pieces of 64 rows are summed in float.
        CHECK_CLOSE(rows[j] / exact[j], 1, 3e-7);
        CHECK_CLOSE(table[2 + j] / exact[j], 1, 3e-7);
        CHECK_EQUAL(table[j], 0.0f);
    }
}
