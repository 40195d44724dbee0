#include "check.hpp"

#include "core/memory.hpp"
#include "core/random.hpp"
#include "linalg/factorise.hpp"

#include <cstring>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

/// B B' + I, with a mark above the diagonal.
constexpr double mark = 1e300;
Buffer<double> positive_definite(std::size_t n) {
    const Philox random(1, 2);
    constexpr std::size_t rank = 20;
    std::vector<double> b(n * rank);
    for (std::size_t k = 0; k < b.size(); ++k) b[k] = static_cast<double>(random.u32(k)) / 4294967296.0 - 0.5;
    Buffer<double> a(n * n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            double sum = i == j;
            for (std::size_t k = 0; k < rank; ++k) sum += b[i * rank + k] * b[j * rank + k];
            a[i * n + j] = j > i ? mark : sum;
        }
    return a;
}

} // namespace

TEST(factor_times_its_transpose_is_the_matrix) {
    StandaloneRun run(2);
    for (std::size_t n : {0, 1, 2, 127, 512, 513, 700, 1025}) {
        const Buffer<double> a = positive_definite(n);
        Buffer<double> factor = positive_definite(n);
        CHECK(factorise(run.context, factor.data(), n));
        double worst = 0;
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = i + 1; j < n; ++j) CHECK(factor[i * n + j] == mark);
            for (std::size_t j = 0; j <= i; j += n / 50 + 1) {
                double sum = 0;
                for (std::size_t k = 0; k <= j; ++k) sum += factor[i * n + k] * factor[j * n + k];
                worst = std::max(worst, std::abs(sum - a[i * n + j]));
            }
        }
        CHECK(worst < 1e-13); // entries of some units, sums of n terms in double
    }
}

TEST(factor_has_the_same_bits_for_any_number_of_threads) {
    constexpr std::size_t n = 900;
    Buffer<double> expected = positive_definite(n);
    StandaloneRun serial(1);
    CHECK(factorise(serial.context, expected.data(), n));
    for (int n_threads : {2, 3, 8}) {
        StandaloneRun run(n_threads);
        Buffer<double> factor = positive_definite(n);
        CHECK(factorise(run.context, factor.data(), n));
        CHECK_EQUAL(std::memcmp(factor.data(), expected.data(), n * n * sizeof(double)), 0);
    }
}

TEST(matrix_without_a_factor_is_told) {
    StandaloneRun run(2);
    for (std::size_t n : {1, 40, 600, 900})
        for (std::size_t bad : {std::size_t{0}, n / 2, n - 1}) {
            Buffer<double> a = positive_definite(n);
            a[bad * n + bad] = -1;
            CHECK(!factorise(run.context, a.data(), n));
        }
}

TEST(factorisation_stops_when_asked_to) {
    StandaloneRun run(2);
    run.stop.request();
    Buffer<double> a = positive_definite(700);
    CHECK_THROWS(Interrupted, factorise(run.context, a.data(), 700));
}
