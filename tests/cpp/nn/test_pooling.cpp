// Pooling against loops over the windows, NaN and infinities, the same bits for any number of threads.
#include "check.hpp"

#include "core/context.hpp"
#include "nn/pooling.hpp"
#include "nn/twin.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr auto axis = twin::window_axis<PoolingAxis>;

void check_max_pool(const PoolingAxis& rows, const PoolingAxis& cols) {
    constexpr std::size_t planes = 3;
    const StandaloneRun run(2);
    const std::size_t n_in = rows.n_in * cols.n_in, n_out = rows.n_out * cols.n_out;
    auto x = twin::normal(planes * n_in, 1);
    x[n_in / 2] = NAN;
    x[n_in] = -std::numeric_limits<float>::infinity();
    std::vector<float> y(planes * n_out), dx(x.size(), NAN), expected(x.size());
    std::vector<std::int32_t> where(y.size());
    max_pool(run.context, planes, rows, cols, x.data(), y.data(), where.data());
    for (std::size_t p = 0; p < planes; ++p)
        for (std::size_t i = 0; i < rows.n_out; ++i)
            for (std::size_t j = 0; j < cols.n_out; ++j) {
                std::size_t best = n_in;
                for (std::size_t u = 0; u < rows.n_kernel; ++u)
                    for (std::size_t v = 0; v < cols.n_kernel; ++v) {
                        const std::size_t r = i * rows.stride + u * rows.dilation - rows.padding;
                        const std::size_t c = j * cols.stride + v * cols.dilation - cols.padding;
                        if (r >= rows.n_in || c >= cols.n_in) continue; // below 0 wraps around
                        const std::size_t at = p * n_in + r * cols.n_in + c;
                        if (best == n_in || x[at] > x[p * n_in + best] ||
                            (std::isnan(x[at]) && !std::isnan(x[p * n_in + best])))
                            best = at - p * n_in;
                    }
                const std::size_t out = p * n_out + i * cols.n_out + j;
                CHECK_EQUAL(where[out], static_cast<std::int32_t>(best));
                CHECK(y[out] == x[p * n_in + best] || std::isnan(x[p * n_in + best]));
                expected[p * n_in + best] += 1;
            }
    const std::vector<float> ones(y.size(), 1.0f);
    max_pool_backward(run.context, planes, n_in, n_out, ones.data(), where.data(), dx.data());
    CHECK(dx == expected);
}

} // namespace

TEST(max_pool_takes_the_first_of_the_largest) {
    for (const std::size_t size : {2u, 3u, 8u, 15u, 34u, 66u}) {
        check_max_pool(axis(size, 2, 2, 0, 1), axis(size, 2, 2, 0, 1));
        check_max_pool(axis(size, 2, 1, 1, 1), axis(size, 2, 2, 0, 1));
        if (size > 4) check_max_pool(axis(size, 3, 2, 1, 1), axis(size, 2, 3, 0, 4));
    }
    check_max_pool(axis(1, 1, 1, 0, 1), axis(40, 3, 2, 1, 1));
}

TEST(average_pool_sums_its_spans) {
    constexpr std::size_t planes = 5, height = 7, width = 20;
    const std::vector<PoolingSpan> rows{{0, 2, 2}, {1, 7, 6}, {3, 3, 1}}, cols{{0, 20, 20}, {5, 8, 4}};
    const auto x = twin::normal(planes * height * width, 1);
    std::vector<float> first;
    for (const int n_threads : {1, 2, 3}) {
        const StandaloneRun run(n_threads);
        std::vector<float> y(planes * 6), dx(x.size(), NAN);
        average_pool(run.context, planes, height, width, rows, cols, x.data(), y.data());
        average_pool_backward(run.context, planes, height, width, rows, cols, y.data(), dx.data());
        std::vector<double> expected(x.size());
        for (std::size_t p = 0; p < planes; ++p)
            for (std::size_t i = 0; i < rows.size(); ++i)
                for (std::size_t j = 0; j < cols.size(); ++j) {
                    const float got = y[(p * rows.size() + i) * cols.size() + j];
                    const float divisor = rows[i].divisor * cols[j].divisor;
                    double sum = 0;
                    for (std::size_t r = rows[i].begin; r < rows[i].end; ++r)
                        for (std::size_t c = cols[j].begin; c < cols[j].end; ++c) {
                            sum += x[(p * height + r) * width + c];
                            expected[(p * height + r) * width + c] += got / divisor;
                        }
                    CHECK_CLOSE(got, sum / divisor, 1e-5);
                }
        for (std::size_t i = 0; i < x.size(); ++i) CHECK_CLOSE(dx[i], expected[i], 1e-5);
        if (first.empty()) first = dx;
        CHECK(first == dx);
    }
}
