// The pieces that kernels over rows are made of, against plain loops, on lengths around vectors and blocks: vectors of
// which the first entries count, sums in a fixed order, the two passes of a softmax.
#include "check.hpp"

#include "nn/row_sums.hpp"
#include "nn/softmax_row.hpp"
#include "nn/twin.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity(), NaN = std::numeric_limits<float>::quiet_NaN();

std::vector<std::size_t> lengths() {
    std::vector<std::size_t> all;
    for (std::size_t n = 0; n <= 4 * simd::lanes + 1; ++n) all.push_back(n);
    for (const std::size_t n : {sum_block - 1, sum_block, sum_block + 1, 3 * sum_block + 17}) all.push_back(n);
    return all;
}

} // namespace

TEST(vectors_of_few_entries_touch_no_others) {
    const twin::Values from = twin::normal(simd::lanes + 2, 1);
    for (std::size_t count = 1; count <= simd::lanes; ++count) {
        const simd::Floats v = load_count(from.data() + 1, count);
        for (std::size_t l = 0; l < simd::lanes; ++l) CHECK_EQUAL(v[l], l < count ? from[l + 1] : 0.0f);
        twin::Values to(simd::lanes + 2, 9);
        store_count(to.data() + 1, v, count);
        for (std::size_t l = 0; l < simd::lanes; ++l) CHECK_EQUAL(to[l + 1], l < count ? from[l + 1] : 9.0f);
        CHECK(to.front() == 9 && to.back() == 9);
    }
}

TEST(every_entry_is_in_one_vector) {
    for (const std::size_t n : lengths()) {
        std::size_t next = 3;
        for_vectors(3, 3 + n, [&](std::size_t j, std::size_t count) {
            CHECK_EQUAL(j, next);
            CHECK(count > 0 && count <= simd::lanes);
            next += count;
        });
        CHECK_EQUAL(next, n + 3);
    }
}

TEST(sums_of_rows_follow_their_twin) {
    for (const std::size_t n : lengths()) {
        const twin::Values x = twin::normal(n + 1, 2);
        double sum = 0, squares = 0, size = 0;
        for (std::size_t j = 0; j < n; ++j) {
            const auto v = static_cast<double>(x[j + 1]);
            sum += v;
            squares += v * v;
            size += std::abs(v);
        }
        const std::array<double, 2> got = row_sums<2>(n, [&](std::size_t j, std::size_t count) {
            const simd::Floats v = load_count(x.data() + 1 + j, count);
            return std::array{v, v * v};
        });
        CHECK_CLOSE(got[0], sum, 1e-6 * size);
        CHECK_CLOSE(got[1], squares, 1e-6 * squares);
    }
}

TEST(the_lanes_of_a_vector_are_summed) {
    simd::Floats v{};
    for (std::size_t l = 0; l < simd::lanes; ++l) v[l] = static_cast<float>(l + 1);
    CHECK_EQUAL(sum_lanes(v), static_cast<float>(simd::lanes * (simd::lanes + 1) / 2));
}

TEST(the_largest_of_a_row_is_found_anywhere) {
    CHECK_EQUAL(row_max(nullptr, 0), -inf);
    for (const std::size_t n : lengths()) {
        twin::Values x = twin::normal(n + 1, 3);
        for (std::size_t j = 0; j < n; j += n < 100 ? 1 : 97) {
            const float before = x[j + 1];
            x[j + 1] = 10;
            CHECK_EQUAL(row_max(x.data() + 1, n), 10.0f);
            x[j + 1] = before;
        }
        if (n > 0) CHECK_EQUAL(row_max(x.data() + 1, n), *std::max_element(x.begin() + 1, x.end()));
    }
}

TEST(sums_of_exponentials_follow_their_twin) {
    for (const std::size_t n : lengths()) {
        const twin::Values x = twin::normal(n + 1, 4, 3);
        const float most = row_max(x.data() + 1, n);
        twin::Values e(n + 2, -1);
        const double sum = sum_exp(x.data() + 1, n, most, [&](std::size_t j, simd::Floats v, std::size_t count) {
            store_count(e.data() + 1 + j, v, count);
            return v;
        });
        double expected = 0;
        for (std::size_t j = 0; j < n; ++j) {
            const double one = std::exp(static_cast<double>(x[j + 1] - most)); // a difference of floats
            CHECK_CLOSE(e[j + 1], one, 3e-7 * one);
            expected += one;
        }
        CHECK_CLOSE(sum, expected, 1e-6 * expected);
        CHECK(e.front() == -1 && e.back() == -1);
    }
}

TEST(a_row_without_a_finite_maximum_has_a_value) {
    const float none[] = {-inf, -inf}, broken[] = {-inf, NaN};
    CHECK_EQUAL(empty_row_value(none, 2, 0.5f), 0.5f);
    CHECK_EQUAL(empty_row_value(nullptr, 0, 0.5f), 0.5f);
    CHECK(std::isnan(empty_row_value(broken, 2, 0.5f)));
}
