#include "check.hpp"

#include "core/parallel.hpp"
#include "svm/points.hpp"
#include "svm/row_cache.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

const std::size_t n = padded(64), row_bytes = n * sizeof(float);

RowCache::Row filled(RowCache& cache, std::int32_t point) {
    RowCache::Row row = cache.reserve();
    for (std::size_t j = 0; j < n; ++j) row.data()[j] = static_cast<float>(100 * point) + static_cast<float>(j);
    cache.publish(point, row);
    return row;
}

/// The value in column j of a point's row, if the cache has it.
std::optional<float> value(RowCache& cache, std::int32_t point, std::size_t j = 0) {
    const RowCache::Row row = cache.find(point);
    return row ? std::optional(row.data()[j]) : std::nullopt;
}

} // namespace

TEST(the_least_recently_used_row_makes_room) {
    RowCache cache(10, n, 3 * row_bytes, 2);
    CHECK_EQUAL(cache.n_slots(), std::size_t{3});
    for (std::int32_t point = 0; point < 3; ++point) filled(cache, point);
    CHECK(value(cache, 0) == 0.0F); // now the newest
    filled(cache, 3);
    CHECK(!value(cache, 1));
    CHECK(value(cache, 0, 5) == 5.0F);
    CHECK(value(cache, 2, 5) == 205.0F);
    CHECK(value(cache, 3, 5) == 305.0F);
    CHECK_EQUAL(cache.peak(), 3 * row_bytes);
}

TEST(rows_in_use_stay) {
    RowCache cache(10, n, 2 * row_bytes, 2);
    const RowCache::Row held = filled(cache, 1);
    filled(cache, 2);
    filled(cache, 3);
    CHECK_EQUAL(held.data()[63], 163.0F);
    CHECK(!value(cache, 2));
    const RowCache::Row other = cache.find(3);
    CHECK_THROWS(InternalError, cache.reserve());
    CHECK(value(cache, 1) == 100.0F);
}

TEST(rows_that_are_never_published_are_free_again) {
    RowCache cache(10, n, 2 * row_bytes, 2);
    for (int i = 0; i < 5; ++i) {
        const RowCache::Row a = cache.reserve(), b = cache.reserve();
        CHECK(a.data() != b.data());
    }
    CHECK_EQUAL(cache.peak(), 2 * row_bytes);
}

TEST(the_first_of_two_equal_rows_is_kept) {
    RowCache cache(10, n, 4 * row_bytes, 2);
    filled(cache, 1);
    RowCache::Row late = cache.reserve();
    late.data()[0] = -1;
    cache.publish(1, late);
    CHECK(value(cache, 1) == 100.0F);
    CHECK_EQUAL(late.data()[0], -1.0F);
}

TEST(there_are_never_more_slots_than_points_nor_fewer_than_asked_for) {
    CHECK_EQUAL(RowCache(3, n, 100 * row_bytes, 2).n_slots(), std::size_t{3});
    CHECK_EQUAL(RowCache(30, n, 0, 2).n_slots(), std::size_t{2});
    CHECK_EQUAL(RowCache(1, n, 0, 2).n_slots(), std::size_t{1});
}

TEST(compacting_keeps_the_columns_and_makes_room) {
    RowCache cache(20, n, 4 * row_bytes, 2);
    for (std::int32_t point = 0; point < 4; ++point) filled(cache, point);
    std::vector<std::int32_t> kept;
    for (std::int32_t j = 1; j < 64; j += 3) kept.push_back(j); // 22: a third of the columns
    const StandaloneRun run(2);
    cache.compact(run.context, kept);
    for (std::int32_t point = 0; point < 4; ++point)
        for (std::size_t j = 0; j < kept.size(); ++j)
            CHECK(value(cache, point, j) == static_cast<float>(100 * point + kept[j]));
    CHECK_EQUAL(cache.n_slots(), 4 * n / padded(kept.size()));
    for (std::int32_t point = 4; point < 8; ++point) {
        const RowCache::Row row = cache.reserve();
        std::fill_n(row.data(), padded(kept.size()), static_cast<float>(point));
        cache.publish(point, row);
    }
    CHECK(value(cache, 3, 1) == 304.0F); // no one had to go
    CHECK(value(cache, 7) == 7.0F);
    CHECK(cache.peak() <= 4 * row_bytes);
    cache.reset(n);
    CHECK(!value(cache, 4));
    filled(cache, 9);
    CHECK(value(cache, 9, 63) == 963.0F);
}

TEST(threads_may_share_a_cache) {
    RowCache cache(23, n, 10 * row_bytes, 2);
    const StandaloneRun run(4);
    std::atomic<int> wrong{0};
    parallel_tasks(run.context, 4000, 1e5, [&](std::size_t task, int) {
        const auto point = static_cast<std::int32_t>(task * 7 % 23);
        RowCache::Row row = cache.find(point);
        if (!row) row = filled(cache, point);
        if (row.data()[9] != static_cast<float>(100 * point + 9)) ++wrong;
    });
    CHECK_EQUAL(wrong.load(), 0);
    CHECK_EQUAL(cache.peak(), 10 * row_bytes);
}
