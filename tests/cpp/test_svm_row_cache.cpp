#include "check.hpp"

#include "core/parallel.hpp"
#include "svm/row_cache.hpp"

#include <vector>

using namespace mlcore;
using namespace mlcore::svm;

namespace {

constexpr std::size_t n = 64, row_bytes = n * sizeof(float);

RowCache::Row filled(RowCache& cache, std::size_t point, float value, std::size_t size = n) {
    RowCache::Row row = cache.allocate(size);
    row->fill(value);
    cache.insert(RowCache::key(point, 0), row);
    return row;
}

} // namespace

TEST(the_least_recently_used_row_makes_room) {
    RowCache cache(3 * row_bytes);
    for (std::size_t point = 0; point < 3; ++point) filled(cache, point, static_cast<float>(point));
    CHECK(cache.find(RowCache::key(0, 0)) != nullptr); // now the newest
    filled(cache, 3, 3);
    CHECK(cache.find(RowCache::key(1, 0)) == nullptr);
    for (const std::size_t point : {0, 2, 3}) {
        const RowCache::Row row = cache.find(RowCache::key(point, 0));
        CHECK(row != nullptr && (*row)[5] == static_cast<float>(point));
    }
    CHECK(cache.find(RowCache::key(0, 1)) == nullptr); // another set of columns
    CHECK_EQUAL(cache.peak(), 3 * row_bytes);
}

TEST(rows_in_use_stay) {
    RowCache cache(2 * row_bytes);
    const RowCache::Row held = filled(cache, 0, 7);
    filled(cache, 1, 1);
    filled(cache, 2, 2);
    CHECK(cache.find(RowCache::key(0, 0)) == held);
    CHECK(cache.find(RowCache::key(1, 0)) == nullptr);
    CHECK_EQUAL((*held)[63], 7.0F);
    CHECK_EQUAL(cache.peak(), 2 * row_bytes);
    const RowCache::Row other = cache.find(RowCache::key(2, 0)), third = filled(cache, 3, 3);
    CHECK_EQUAL(cache.peak(), 3 * row_bytes); // both in use: nothing could go
}

TEST(the_first_of_two_equal_rows_is_kept) {
    RowCache cache(4 * row_bytes);
    filled(cache, 0, 1);
    filled(cache, 0, 2);
    CHECK_EQUAL((*cache.find(RowCache::key(0, 0)))[0], 1.0F);
}

TEST(compacting_keeps_the_columns_and_makes_room) {
    RowCache cache(4 * row_bytes);
    for (std::size_t point = 0; point < 4; ++point) {
        const RowCache::Row row = cache.allocate(n);
        for (std::size_t j = 0; j < n; ++j) (*row)[j] = static_cast<float>(100 * point + j);
        cache.insert(RowCache::key(point, 0), row);
    }
    std::vector<std::int32_t> kept;
    for (std::int32_t j = 1; j < 64; j += 3) kept.push_back(j);
    const StandaloneRun run(2);
    cache.compact(run.context, kept);
    for (std::size_t point = 0; point < 4; ++point) {
        const RowCache::Row row = cache.find(RowCache::key(point, 0));
        for (std::size_t j = 0; j < kept.size(); ++j)
            CHECK_EQUAL((*row)[j], static_cast<float>(100 * point) + static_cast<float>(kept[j]));
    }
    for (std::size_t point = 4; point < 8; ++point) filled(cache, point, 1, 32); // of half the size now
    CHECK(cache.find(RowCache::key(0, 0)) != nullptr);
    cache.clear();
    CHECK(cache.find(RowCache::key(4, 0)) == nullptr);
}

TEST(threads_may_share_a_cache) {
    RowCache cache(10 * row_bytes);
    const StandaloneRun run(4);
    std::atomic<int> wrong{0};
    parallel_tasks(run.context, 4000, 1e5, [&](std::size_t task, int) {
        const std::size_t point = task * 7 % 23;
        RowCache::Row row = cache.find(RowCache::key(point, 0));
        if (!row) row = filled(cache, point, static_cast<float>(point));
        if ((*row)[9] != static_cast<float>(point)) ++wrong;
    });
    CHECK_EQUAL(wrong.load(), 0);
    CHECK(cache.peak() <= (10 + 4) * row_bytes);
}
