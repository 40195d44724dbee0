#include "check.hpp"
#include "core/context.hpp"
#include "core/random.hpp"
#include "core/sums.hpp"

#include <cmath>
#include <numeric>
#include <vector>

using namespace mlcore;

TEST(sum_in_lanes_is_the_sum) {
    for (std::size_t n = 0; n < 100; ++n) {
        const auto square = [](std::size_t i) { return static_cast<double>(i * i); }; // exact in any order
        const double expected = n == 0 ? 0 : static_cast<double>((n - 1) * n * (2 * n - 1) / 6);
        CHECK_EQUAL(sum_in_lanes<1>(n, square), expected);
        CHECK_EQUAL(sum_in_lanes<8>(n, square), expected);
        CHECK_EQUAL(sum_in_lanes<32>(n, square), expected);
    }
    CHECK_EQUAL(sum_in_lanes<4>(3, [](std::size_t) { return 0.5f; }), 1.5f);
}

TEST(parallel_sums_adds_part_after_part_to_what_is_there) {
    const std::size_t n = 5000, size = 71;
    const Philox random(1, 0);
    for (const std::size_t n_parts : {1, 2, 7, 64}) {
        std::vector<double> expected(size, 0.25);
        const std::size_t each = (n + n_parts - 1) / n_parts;
        for (std::size_t part = 0; part < n_parts; ++part) {
            std::vector<double> sum(size, 0.0);
            std::vector<double>& to = n_parts == 1 ? expected : sum; // a single part adds to the result itself
            for (std::size_t i = part * each; i < std::min((part + 1) * each, n); ++i)
                for (std::size_t k = 0; k < size; ++k) to[k] += random.normal(i * size + k);
            if (n_parts > 1)
                for (std::size_t k = 0; k < size; ++k) expected[k] += sum[k];
        }
        for (const int n_threads : {1, 2, 3}) {
            StandaloneRun run(n_threads);
            std::vector<double> out(size, 0.25);
            parallel_sums_over(run.context, n, n_parts, 1e3, size, out.data(),
                               [&](std::size_t begin, std::size_t end, double* sum, int thread) {
                                   CHECK(thread >= 0 && thread < n_threads);
                                   for (std::size_t i = begin; i < end; ++i)
                                       for (std::size_t k = 0; k < size; ++k) sum[k] += random.normal(i * size + k);
                               });
            CHECK(out == expected);
        }
    }
}

TEST(nothing_to_add) {
    StandaloneRun run(2);
    std::vector<double> out(3, 2.0);
    parallel_sums(run.context, 4, 1, 3, out.data(), [](std::size_t, double*, int) {});
    parallel_sums(run.context, 4, 1, 0, nullptr, [](std::size_t, double*, int) {});
    CHECK(out == std::vector<double>(3, 2.0));
}
