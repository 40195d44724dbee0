#include "check.hpp"

#include "core/random.hpp"
#include "linalg/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlcore;
using namespace mlcore::linalg;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

std::vector<float> random_values(std::size_t n, std::uint64_t seed) {
    const Philox random(seed, 0);
    std::vector<float> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.u32(i)) * 0x1p-31F - 1;
    return values;
}

struct Vectors {
    std::vector<float> values, norms;
    UnitRows table;

    Vectors(std::vector<float> v, std::size_t dim) : values(std::move(v)), norms(values.size() / dim) {
        const StandaloneRun run;
        table = {row_major<const float>(values.data(), norms.size(), dim), norms.data()};
        inverse_norms(run.context, table.rows, norms.data());
    }
    std::size_t rows() const { return norms.size(); }
    std::size_t dim() const { return table.rows.cols; }
};

/// Queries that own their arrays.
struct Asked {
    std::vector<float> terms;
    std::vector<std::int32_t> excluded;
    std::vector<std::int64_t> offsets;
    std::size_t n_positive = 1, n_negative = 0;
    bool product = false;

    std::size_t size() const { return offsets.size() - 1; }
    Queries queries(std::size_t dim) const {
        return {.terms = row_major(terms.data(), terms.size() / dim, dim),
                .n_queries = size(),
                .n_positive = n_positive,
                .n_negative = n_negative,
                .product = product,
                .excluded = excluded,
                .excluded_offsets = offsets};
    }
};

Asked ask(std::size_t n, std::size_t dim, std::uint64_t seed, std::size_t n_positive = 0, std::size_t n_negative = 0) {
    Asked asked;
    asked.product = n_positive + n_negative > 0;
    if (asked.product) {
        asked.n_positive = n_positive;
        asked.n_negative = n_negative;
    }
    asked.terms = random_values(n * (asked.n_positive + asked.n_negative) * dim, seed);
    asked.offsets.assign(n + 1, 0);
    return asked;
}

double cosine(const float* a, const float* b, std::size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < n; ++i) {
        ab += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return aa > 0 && bb > 0 ? ab / (std::sqrt(aa) * std::sqrt(bb)) : 0;
}

/// The twin: all scores, sorted.
void check_against_naive(const Vectors& vectors, const Asked& asked, std::size_t k, const Nearest& found) {
    const std::size_t q = asked.size();
    for (std::size_t j = 0; j < q; ++j) {
        std::vector<double> scores(vectors.rows());
        for (std::size_t r = 0; r < vectors.rows(); ++r) {
            double score = 1, divisor = 1;
            for (std::size_t p = 0; p < asked.n_positive + asked.n_negative; ++p) {
                const double c = cosine(&asked.terms[(p * q + j) * vectors.dim()], &vectors.values[r * vectors.dim()],
                                        vectors.dim());
                if (!asked.product)
                    score = c;
                else
                    (p < asked.n_positive ? score : divisor) *= (1 + c) / 2;
            }
            scores[r] = asked.product ? score / (divisor + 1e-6) : score;
        }
        std::vector<std::int32_t> order(vectors.rows());
        std::iota(order.begin(), order.end(), 0);
        const auto begin = asked.excluded.begin() + asked.offsets[j],
                   end = asked.excluded.begin() + asked.offsets[j + 1];
        std::erase_if(order, [&](std::int32_t r) { return std::find(begin, end, r) != end; });
        std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
            return static_cast<float>(scores[a]) > static_cast<float>(scores[b]);
        });
        for (std::size_t i = 0; i < k; ++i) {
            const std::int32_t row = found.rows[j * k + i];
            if (i >= order.size()) {
                CHECK_EQUAL(row, -1);
                CHECK(std::isnan(found.scores[j * k + i]));
                continue;
            }
            CHECK(row >= 0);
            if (row < 0) return;
            const double tolerance = 1e-6 * std::max(1.0, std::abs(scores[order[i]]));
            CHECK_CLOSE(found.scores[j * k + i], scores[order[i]], tolerance);
            if (row != order[i])
                CHECK_CLOSE(scores[row], scores[order[i]], tolerance); // the last bit of the twin's sum
        }
    }
}

} // namespace

TEST(agrees_with_sorting_all_scores) {
    for (std::size_t dim : {1, 2, 7, 16, 31, 33, 100, 300})
        for (std::size_t rows : {1, 2, 7, 8, 9, 255, 256, 257, 700}) {
            const Vectors vectors(random_values(rows * dim, dim + rows), dim);
            for (std::size_t n : {1, 3, 4, 17, 200})
                for (std::size_t k : {1, 10}) {
                    if (n == 200 && (rows == 7 || dim == 31)) continue;
                    StandaloneRun run(2);
                    const Asked asked = ask(n, dim, 5);
                    check_against_naive(vectors, asked, k, nearest(run.context, vectors.table, asked.queries(dim), k));
                }
        }
}

TEST(product_of_cosines_agrees_with_naive) {
    const std::size_t dim = 20;
    const Vectors vectors(random_values(600 * dim, 1), dim);
    for (auto [positive, negative] : {std::pair{1, 0}, {2, 1}, {1, 1}, {3, 2}, {0, 1}, {20, 1}})
        for (std::size_t n : {1, 2, 40, 150}) {
            StandaloneRun run(3);
            const Asked asked = ask(n, dim, 7, positive, negative);
            check_against_naive(vectors, asked, 5, nearest(run.context, vectors.table, asked.queries(dim), 5));
        }
}

TEST(excluded_rows_are_left_out) {
    const std::size_t dim = 9;
    const Vectors vectors(random_values(300 * dim, 1), dim);
    StandaloneRun run(2);
    Asked asked = ask(30, dim, 3);
    const Nearest all = nearest(run.context, vectors.table, asked.queries(dim), 4);
    for (std::size_t j = 0; j < 30; ++j) { // all but the last of its best ones
        std::vector<std::int32_t> best(all.rows.begin() + static_cast<std::ptrdiff_t>(4 * j),
                                       all.rows.begin() + static_cast<std::ptrdiff_t>(4 * j + 3));
        std::sort(best.begin(), best.end());
        if (j % 3 != 0) asked.excluded.insert(asked.excluded.end(), best.begin(), best.end());
        asked.offsets[j + 1] = static_cast<std::int64_t>(asked.excluded.size());
    }
    const Nearest rest = nearest(run.context, vectors.table, asked.queries(dim), 4);
    check_against_naive(vectors, asked, 4, rest);
    for (std::size_t j = 0; j < 30; ++j) CHECK_EQUAL(rest.rows[4 * j], all.rows[4 * j + (j % 3 != 0 ? 3 : 0)]);
}

TEST(more_wanted_than_there_are) {
    const std::size_t dim = 5;
    const Vectors vectors(random_values(20 * dim, 1), dim);
    StandaloneRun run(2);
    Asked asked = ask(5, dim, 3);
    asked.excluded = {0, 19, 4};
    asked.offsets = {0, 2, 2, 2, 3, 3};
    for (std::size_t k : {18, 20, 25, 1000})
        check_against_naive(vectors, asked, k, nearest(run.context, vectors.table, asked.queries(dim), k));
    CHECK(nearest(run.context, vectors.table, asked.queries(dim), 0).rows.empty());
    CHECK_EQUAL(nearest(run.context, vectors.table, ask(0, dim, 0).queries(dim), 3).rows.size(), 0u);
}

TEST(large_k_cuts_the_blocks_of_queries) {
    const std::size_t dim = 4;
    const Vectors vectors(random_values(30000 * dim, 1), dim);
    StandaloneRun run(2);
    const Asked asked = ask(40, dim, 3);
    const Nearest found = nearest(run.context, vectors.table, asked.queries(dim), 30000);
    for (std::size_t j = 0; j < 40; ++j) {
        const float* scores = found.scores.data() + j * 30000;
        CHECK(std::is_sorted(scores, scores + 30000, std::greater<>()));
        std::vector<std::int32_t> rows(found.rows.begin() + static_cast<std::ptrdiff_t>(j * 30000),
                                       found.rows.begin() + static_cast<std::ptrdiff_t>((j + 1) * 30000));
        std::sort(rows.begin(), rows.end());
        CHECK(rows.front() == 0 && rows.back() == 29999);
        CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
    }
}

TEST(equal_scores_go_by_row) {
    const std::size_t dim = 37; // not a whole number of registers
    const std::vector<float> one = random_values(dim, 2);
    for (std::size_t rows : {5, 700, 1003})
        for (std::size_t n : {1, 5, 100}) {
            std::vector<float> values;
            for (std::size_t r = 0; r < rows; ++r) values.insert(values.end(), one.begin(), one.end());
            const Vectors vectors(values, dim);
            StandaloneRun run(2);
            const Nearest found = nearest(run.context, vectors.table, ask(n, dim, 1).queries(dim), 5);
            for (std::size_t i = 0; i < n * 5; ++i) CHECK_EQUAL(found.rows[i], static_cast<std::int32_t>(i % 5));
        }
}

TEST(same_answer_for_any_number_of_threads_and_for_one_query_alone) {
    const std::size_t dim = 50;
    const Vectors vectors(random_values(5000 * dim, 1), dim);
    for (std::size_t n_positive : {0, 2}) {
        const Asked asked = ask(100, dim, 3, n_positive, n_positive / 2);
        StandaloneRun serial(1);
        const Nearest expected = nearest(serial.context, vectors.table, asked.queries(dim), 10);
        for (int n_threads : {2, 3, 8}) {
            StandaloneRun run(n_threads);
            const Nearest found = nearest(run.context, vectors.table, asked.queries(dim), 10);
            CHECK(found.rows == expected.rows);
            CHECK(found.scores == expected.scores);
        }
        for (std::size_t j : {0, 57, 99}) {
            Asked alone = ask(1, dim, 0, n_positive, n_positive / 2);
            for (std::size_t p = 0; p < asked.n_positive + asked.n_negative; ++p)
                std::copy_n(&asked.terms[(p * 100 + j) * dim], dim, &alone.terms[p * dim]);
            const Nearest found = nearest(serial.context, vectors.table, alone.queries(dim), 10);
            CHECK(std::equal(found.rows.begin(), found.rows.end(), expected.rows.begin() + 10 * j));
            CHECK(std::equal(found.scores.begin(), found.scores.end(), expected.scores.begin() + 10 * j));
        }
    }
}

TEST(zero_vectors_are_similar_to_nothing) {
    std::vector<float> values = random_values(40 * 6, 1);
    std::fill_n(values.begin() + 12, 6, 0.0F);
    const Vectors vectors(values, 6);
    CHECK_EQUAL(vectors.norms[2], 0);
    for (std::size_t n : {1, 20}) {
        StandaloneRun run;
        Asked asked = ask(n, 6, 3);
        std::fill_n(asked.terms.begin(), 6, 0.0F);
        const Nearest found = nearest(run.context, vectors.table, asked.queries(6), 40);
        check_against_naive(vectors, asked, 40, found);
        for (std::size_t i = 0; i < 40; ++i) CHECK(found.scores[i] == 0 && found.rows[i] == static_cast<int>(i));
    }
}

TEST(any_length_of_vectors_will_do) {
    for (float scale : {1e-17F, 1e-10F, 1e10F, 1e18F}) {
        std::vector<float> values = random_values(50 * 8, 1);
        for (float& v : values) v *= scale;
        const Vectors vectors(values, 8);
        for (std::size_t n : {1, 9}) {
            StandaloneRun run;
            Asked asked = ask(n, 8, 3);
            for (float& v : asked.terms) v *= n == 1 ? 1e-37F : 1e37F;
            check_against_naive(vectors, asked, 10, nearest(run.context, vectors.table, asked.queries(8), 10));
        }
    }
}

TEST(very_short_rows_count_as_zeros) {
    std::vector<float> values = random_values(40 * 6, 1);
    std::fill_n(values.begin() + 12, 6, 4e-19F); // shorter than 1e-18
    std::fill_n(values.begin() + 18, 6, 5e-19F); // longer
    const Vectors vectors(values, 6);
    CHECK_EQUAL(vectors.norms[2], 0);
    CHECK(vectors.norms[3] > 0);
    StandaloneRun run;
    for (std::size_t n : {1, 20}) {
        Asked asked = ask(n, 6, 3);
        std::fill_n(asked.terms.begin(), 6, 1.0F);
        const Nearest found = nearest(run.context, vectors.table, asked.queries(6), 40);
        CHECK_EQUAL(found.rows[0], 3);
        CHECK_CLOSE(found.scores[0], 1, 1e-6);
        const auto place = std::find(found.rows.begin(), found.rows.begin() + 40, 2) - found.rows.begin();
        CHECK_EQUAL(found.scores[static_cast<std::size_t>(place)], 0);
    }
}

TEST(rows_may_lie_apart) {
    const std::size_t dim = 12;
    std::vector<float> wide = random_values(500 * 20, 1), values(500 * dim);
    for (std::size_t r = 0; r < 500; ++r) std::copy_n(&wide[r * 20], dim, &values[r * dim]);
    const Vectors vectors(values, dim);
    const UnitRows apart{{wide.data(), 500, dim, 20, 1}, vectors.norms.data()};
    for (std::size_t n : {1, 40}) {
        StandaloneRun run;
        const Asked asked = ask(n, dim, 3);
        check_against_naive(vectors, asked, 7, nearest(run.context, apart, asked.queries(dim), 7));
    }
}

TEST(cosines_of_all_rows) {
    const std::size_t dim = 30;
    const Vectors vectors(random_values(600 * dim, 1), dim);
    for (std::size_t n : {0, 1, 3, 4, 250})
        for (int n_threads : {1, 2}) {
            StandaloneRun run(n_threads);
            const std::vector<float> queries = random_values(n * dim, 4);
            std::vector<float> out(n * 600);
            cosines(run.context, vectors.table, row_major(queries.data(), n, dim), out.data());
            for (std::size_t i = 0; i < out.size(); ++i)
                CHECK_CLOSE(out[i], cosine(&queries[i / 600 * dim], &vectors.values[i % 600 * dim], dim), 1e-6);
        }
}

TEST(norms_find_the_first_row_that_is_not_finite_or_too_large) {
    std::vector<float> values(20000 * 3, 3.0F), norms(20000);
    StandaloneRun run(3);
    const auto bad = [&] {
        return inverse_norms(run.context, row_major<const float>(values.data(), 20000, 3), norms.data());
    };
    CHECK_EQUAL(bad(), 20000u);
    CHECK_CLOSE(norms[7], 1 / std::sqrt(27.0), 1e-7);
    std::fill_n(values.begin() + 3 * 17000, 3, 1e18F); // the vector may be longer than that
    CHECK_EQUAL(bad(), 20000u);
    values[3 * 16000 + 1] = -1.01e18F;
    CHECK_EQUAL(bad(), 16000u);
    values[3 * 15000 + 2] = inf;
    CHECK_EQUAL(bad(), 15000u);
    values[3 * 14000] = std::numeric_limits<float>::quiet_NaN();
    values[3 * 19999] = -inf;
    CHECK_EQUAL(bad(), 14000u);
    values[0] = inf;
    CHECK_EQUAL(bad(), 0u);
}

TEST(wrong_shapes_are_refused) {
    const Vectors vectors(random_values(20, 1), 4);
    StandaloneRun run;
    const auto refuses = [&](const Queries& queries) {
        CHECK_THROWS(ValueError, nearest(run.context, vectors.table, queries, 2));
    };
    const Asked asked = ask(2, 4, 1);
    Queries queries = asked.queries(4);
    queries.terms.cols = 3;
    refuses(queries);
    queries = asked.queries(4);
    queries.n_negative = 1;
    refuses(queries);
    queries = asked.queries(4);
    queries.terms.rows = 1;
    refuses(queries);
    const std::size_t third = std::numeric_limits<std::size_t>::max() / 3; // 3 * (2 * third + 1) wraps round to 1
    const Asked three = ask(3, 4, 1);
    for (auto [n_positive, n_negative] : {std::pair{2 * third + 1, std::size_t{0}}, {third, third + 1}, {3 * third, 2}})
        for (bool product : {false, true}) {
            queries = three.queries(4);
            queries.n_positive = n_positive;
            queries.n_negative = n_negative;
            queries.terms.rows = n_positive == 3 * third ? 3 : 1; // what the wrapped numbers make
            queries.product = product;
            refuses(queries);
        }
    const std::vector<std::int64_t> wrong[] = {{0, 0}, {0, 2, 1}, {0, 0, 2}, {1, 1, 1}};
    for (const auto& offsets : wrong) {
        Asked other = ask(2, 4, 1);
        other.excluded = {3};
        queries = other.queries(4);
        queries.excluded_offsets = offsets;
        refuses(queries);
    }
    CHECK_THROWS(std::bad_alloc, nearest(run.context, vectors.table, asked.queries(4), std::size_t{1} << 60));
}
