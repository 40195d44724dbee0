#include "check.hpp"

#include "boosting/twin.hpp"

#include "core/parallel.hpp"

using namespace twin;

namespace {

std::vector<PackedPair> random_pairs(Random& random, std::size_t n) {
    const FixedPoint scale(n, n, 5.0, static_cast<double>(n));
    std::vector<PackedPair> pairs(n);
    for (PackedPair& p : pairs)
        p = scale.encode(static_cast<float>(random.uniform(-5, 5)), static_cast<float>(random.uniform()), 1);
    return pairs;
}

Data make_data(Random& random, std::size_t rows, std::size_t cols) {
    std::vector<int> n_values(cols);
    for (int& k : n_values) k = random.integer(2, 20);
    n_values[0] = 255; // with its missing bin as wide as can be
    return integer_data(random, rows, n_values, 0.1);
}

/// In ascending order.
std::vector<std::uint32_t> some_rows(Random& random, std::size_t n, double share) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < n; ++i)
        if (random.chance(share)) rows.push_back(i);
    return rows;
}

/// True where the entries of the active features (empty: all) are the same.
bool same(const Data& data, const HistogramLayout& layout, const std::vector<std::uint8_t>& active, const PackedPair* a,
          const PackedPair* b) {
    for (const int f : layout.features()) {
        if (!active.empty() && !active[static_cast<std::size_t>(f)]) continue;
        const std::size_t at = layout.offset(f), n = static_cast<std::size_t>(data.mapper->n_bins(f)) + 1;
        if (!std::equal(a + at, a + at + n, b + at)) return false;
    }
    return true;
}

/// The layout covers each feature's bins once.
void check_layout(const Data& data, const HistogramLayout& layout) {
    std::size_t next = 0;
    for (const int f : layout.features()) {
        CHECK(layout.has(f));
        CHECK_EQUAL(layout.offset(f), next);
        next += static_cast<std::size_t>(data.mapper->n_bins(f)) + 1;
    }
    CHECK_EQUAL(layout.n_entries(), next);
}

} // namespace

TEST(counts_agree_with_a_plain_loop_at_every_width) {
    Random random(1);
    for (std::size_t F = 1; F <= 130; F += F < 20 || F > 120 || (F > 55 && F < 75) ? 1 : 9) {
        const Data data = make_data(random, 700, F);
        const HistogramLayout layout(*data.mapper, *data.binned);
        check_layout(data, layout);
        HistogramBuilder builder(*data.mapper, *data.binned, layout);
        const auto pairs = random_pairs(random, data.rows);
        for (const double active_share : {1.0, 0.5, 0.1}) {
            std::vector<std::uint8_t> active;
            if (active_share < 1)
                for (std::size_t f = 0; f < F; ++f) active.push_back(random.chance(active_share));
            builder.select(active);
            for (const double row_share : {1.0, 0.6, 0.03, 0.0}) {
                auto rows = some_rows(random, data.rows, row_share);
                const auto expected = histogram(data, layout, &rows, pairs);
                random.shuffle(rows); // order does not matter
                Histogram got = builder.take(), striped = builder.take();

                builder.start(1);
                builder.add(0, rows, pairs.data());
                builder.collect(0, layout.n_entries(), got.as<PackedPair>());
                CHECK(same(data, layout, active, got.as<PackedPair>(), expected.data()));

                for (std::size_t s = 0; s < builder.n_stripes(); ++s)
                    builder.build_stripe(s, rows.data(), rows.size(), pairs.data(), striped.as<PackedPair>());
                CHECK(same(data, layout, active, striped.as<PackedPair>(), expected.data()));
            }
            const auto expected = histogram(data, layout, nullptr, pairs);
            Histogram got = builder.take(), striped = builder.take();
            builder.start(1);
            builder.add(0, 0, 300, pairs.data());
            builder.add(0, 300, 0, pairs.data());
            builder.add(0, 300, 400, pairs.data());
            builder.collect(0, layout.n_entries(), got.as<PackedPair>());
            CHECK(same(data, layout, active, got.as<PackedPair>(), expected.data()));
            for (std::size_t s = 0; s < builder.n_stripes(); ++s)
                builder.build_stripe(s, nullptr, data.rows, pairs.data(), striped.as<PackedPair>());
            CHECK(same(data, layout, active, striped.as<PackedPair>(), expected.data()));
        }
    }
}

TEST(threads_count_the_same_bits) {
    Random random(2);
    for (const std::size_t F : {3, 28, 70, 300}) {
        const Data data = make_data(random, 20'000, F);
        const HistogramLayout layout(*data.mapper, *data.binned);
        HistogramBuilder builder(*data.mapper, *data.binned, layout);
        const auto pairs = random_pairs(random, data.rows);
        const auto rows = some_rows(random, data.rows, 0.7);
        const auto expected = histogram(data, layout, &rows, pairs);
        for (const int n_threads : {8, 3, 2, 1, 8}) {
            StandaloneRun run(n_threads);
            Histogram got = builder.take();
            builder.start(n_threads);
            constexpr std::size_t block = 500;
            parallel_tasks(run.context, (rows.size() + block - 1) / block, 1e6, [&](std::size_t b, int thread) {
                const std::size_t begin = b * block, n = std::min(block, rows.size() - begin);
                builder.add(thread, {rows.data() + begin, n}, pairs.data());
            });
            parallel_tasks(run.context, layout.features().size(), 1e6, [&](std::size_t j, int) {
                const int f = layout.features()[j];
                const std::size_t at = layout.offset(f);
                builder.collect(at, at + static_cast<std::size_t>(data.mapper->n_bins(f)) + 1, got.as<PackedPair>());
            });
            CHECK(std::equal(expected.begin(), expected.end(), got.as<PackedPair>()));

            Histogram striped = builder.take();
            parallel_tasks(run.context, builder.n_stripes(), 1e6, [&](std::size_t s, int) {
                builder.build_stripe(s, rows.data(), rows.size(), pairs.data(), striped.as<PackedPair>());
            });
            CHECK(std::equal(expected.begin(), expected.end(), striped.as<PackedPair>()));
        }
    }
}

TEST(a_new_start_forgets_what_was_counted) {
    Random random(3);
    const Data data = make_data(random, 1000, 4);
    const HistogramLayout layout(*data.mapper, *data.binned);
    HistogramBuilder builder(*data.mapper, *data.binned, layout);
    const auto pairs = random_pairs(random, data.rows);
    builder.start(4);
    for (const int thread : {0, 3}) builder.add(thread, 0, 1000, pairs.data());
    builder.start(2); // fewer threads than before: the others must not count again
    Histogram got = builder.take();
    builder.collect(0, layout.n_entries(), got.as<PackedPair>());
    const std::vector<PackedPair> nothing(layout.n_entries());
    CHECK(std::equal(nothing.begin(), nothing.end(), got.as<PackedPair>()));
    builder.add(1, 5, 10, pairs.data());
    builder.collect(0, layout.n_entries(), got.as<PackedPair>());
    std::vector<std::uint32_t> rows(10);
    std::iota(rows.begin(), rows.end(), 5u);
    const auto expected = histogram(data, layout, &rows, pairs);
    CHECK(std::equal(expected.begin(), expected.end(), got.as<PackedPair>()));
}

TEST(the_sibling_is_the_parent_less_the_child) {
    Random random(4);
    const Data data = make_data(random, 3000, 40);
    const HistogramLayout layout(*data.mapper, *data.binned);
    const auto pairs = random_pairs(random, data.rows);
    const auto parent = histogram(data, layout, nullptr, pairs);
    std::vector<std::uint32_t> left, right;
    for (std::uint32_t i = 0; i < data.rows; ++i) (random.chance(0.3) ? left : right).push_back(i);
    const auto smaller = histogram(data, layout, &left, pairs), larger = histogram(data, layout, &right, pairs);
    bool exact = true;
    for (std::size_t k = 0; k < parent.size(); ++k) exact &= parent[k] - smaller[k] == larger[k];
    CHECK(exact);
}

TEST(wide_data_is_counted_by_stripes) {
    Random random(5);
    for (const auto& [F, n_threads, by_stripes] :
         {std::tuple{64, 1, false}, {256, 1, true}, {256, 2, false}, {512, 2, true}}) {
        const Data data = make_data(random, 50, static_cast<std::size_t>(F));
        const HistogramLayout layout(*data.mapper, *data.binned);
        const HistogramBuilder builder(*data.mapper, *data.binned, layout);
        CHECK_EQUAL(builder.n_stripes(), data.binned->stripes().size());
        CHECK_EQUAL(builder.prefers_stripes(n_threads), by_stripes);
    }
}
