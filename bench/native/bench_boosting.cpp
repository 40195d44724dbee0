// The kernels of gradient boosting, each checked against a plain loop and then timed: binning, histograms, partition,
// split search, one whole tree, prediction of many rows and of one.
#include "bench.hpp"

#include "boosting/forest.hpp"
#include "boosting/partition.hpp"
#include "boosting/split.hpp"
#include "boosting/trainer.hpp"
#include "core/random.hpp"

#include <memory>
#include <numeric>
#include <string>

using namespace mlcore;
using namespace mlcore::boosting;

namespace {

/// A table of normal floats, 5 % of them missing, with a target that its first features decide.
struct Data {
    std::size_t rows, cols;
    Buffer<float> x;
    std::vector<double> y;
    std::shared_ptr<const BinMapper> mapper;
    std::shared_ptr<const BinnedMatrix> binned;

    Data(const RunContext& ctx, std::size_t n, std::size_t F) : rows(n), cols(F), x(n * F), y(n) {
        parallel_ranges(ctx, n, 20.0 * static_cast<double>(F), [&](std::size_t begin, std::size_t end, int) {
            const Philox random(1, 2);
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t j = 0; j < F; ++j) {
                    const double u = random.uniform(i * F + j);
                    x[i * F + j] = u < 0.05 ? std::nanf("") : static_cast<float>(std::log(u / (1 - u)));
                }
                const auto known = [&](std::size_t j) { return std::isnan(x[i * F + j]) ? 0.0f : x[i * F + j]; };
                y[i] = known(0) + known(1) * known(2) + std::sin(known(3)) + random.normal(n * F + i) > 0 ? 1 : 0;
            }
        });
        mapper = std::make_shared<BinMapper>(BinMapper::fit(ctx, table(), {}, std::vector<int>(F, 0), 255));
        binned = std::make_shared<BinnedMatrix>(ctx, table(), *mapper, true);
    }
    Table table() const { return row_major<const float>(x.data(), rows, cols); }
    double n_values() const { return static_cast<double>(rows) * static_cast<double>(cols); }
};

Buffer<PackedPair> random_pairs(std::size_t n) {
    const FixedPoint scale(n, n, 1.0, static_cast<double>(n));
    const Philox random(3, 4);
    Buffer<PackedPair> pairs(n);
    for (std::size_t i = 0; i < n; ++i)
        pairs[i] =
            scale.encode(static_cast<float>(random.uniform(i)) - 0.5f, static_cast<float>(random.uniform(n + i)), 1);
    return pairs;
}

std::vector<std::uint32_t> every_second(std::size_t n) {
    std::vector<std::uint32_t> rows;
    const Philox random(5, 6);
    for (std::uint32_t i = 0; i < n; ++i)
        if (random.u32(i) & 1) rows.push_back(i);
    return rows;
}

void binning(const RunContext& ctx, const Data& data, const bench::Peaks& peaks) {
    for (std::size_t i = 0; i < data.rows; i += 1009)
        for (int f = 0; f < static_cast<int>(data.cols); ++f)
            MLCORE_CHECK(
                data.binned->column(f)[i] ==
                    data.mapper->bin(f, static_cast<double>(data.x[i * data.cols + static_cast<std::size_t>(f)])),
                "bins");
    const std::vector<int> numeric(data.cols, 0);
    const double sampled = static_cast<double>(std::min(data.rows, BinMapper::sample_rows) * data.cols);
    bench::print_result("find bin edges (sampled values)",
                        bench::median_seconds([&] { BinMapper::fit(ctx, data.table(), {}, numeric, 255); }, 3), sampled,
                        "values");
    const double columns = bench::median_seconds([&] { BinnedMatrix(ctx, data.table(), *data.mapper, false); }, 5);
    bench::print_result("bin float values to columns", columns, data.n_values(), "values");
    bench::print_result("  the same in bytes, read and written", columns, data.n_values() * 5, "B",
                        peaks.copy_gb * 1e9);
    const double both = bench::median_seconds([&] { BinnedMatrix(ctx, data.table(), *data.mapper, true); }, 5);
    bench::print_result("bin to columns and stripes", both, data.n_values(), "values");
}

/// As Grower does: threads take blocks of rows.
void count(const RunContext& ctx, HistogramBuilder& builder, std::span<const std::uint32_t> rows, std::size_t n_rows,
           const PackedPair* pairs, std::size_t n_entries, PackedPair* histogram) {
    const std::size_t n = rows.empty() ? n_rows : rows.size(), block = Partition::piece_rows;
    if (builder.prefers_stripes(ctx.n_threads)) {
        parallel_tasks(ctx, builder.n_stripes(), 1e6, [&](std::size_t s, int) {
            builder.build_stripe(s, rows.empty() ? nullptr : rows.data(), n, pairs, histogram);
        });
        return;
    }
    builder.start(ctx.n_threads);
    parallel_tasks(ctx, (n + block - 1) / block, 1e5, [&](std::size_t b, int thread) {
        const std::size_t begin = b * block, m = std::min(block, n - begin);
        if (rows.empty())
            builder.add(thread, begin, m, pairs);
        else
            builder.add(thread, rows.subspan(begin, m), pairs);
    });
    builder.collect(0, n_entries, histogram);
}

void histograms(const RunContext& ctx, const Data& data, const bench::Peaks& peaks) {
    const HistogramLayout layout(*data.mapper, *data.binned);
    HistogramBuilder builder(*data.mapper, *data.binned, layout);
    const Buffer<PackedPair> pairs = random_pairs(data.rows);
    Histogram block = builder.take();
    auto* histogram = block.as<PackedPair>();
    std::size_t row_bytes = sizeof(PackedPair);
    for (const Stripe& stripe : data.binned->stripes()) row_bytes += stripe.width;

    for (const bool scattered : {false, true}) {
        const auto rows = scattered ? every_second(data.rows) : std::vector<std::uint32_t>();
        const std::size_t n = scattered ? rows.size() : data.rows;
        const auto run = [&] { count(ctx, builder, rows, data.rows, pairs.data(), layout.n_entries(), histogram); };
        run();
        for (const int f : layout.features()) {
            std::vector<PackedPair> expected(static_cast<std::size_t>(data.mapper->n_bins(f)) + 1);
            for (std::size_t i = 0; i < n; ++i) {
                const std::size_t row = scattered ? rows[i] : i;
                expected[data.binned->column(f)[row]] += pairs[row];
            }
            MLCORE_CHECK(std::equal(expected.begin(), expected.end(), histogram + layout.offset(f)), "histogram");
        }
        const double seconds = bench::median_seconds(run);
        const std::string title =
            "histogram, " + std::to_string(data.cols) + " features, " + (scattered ? "half of the rows" : "all rows");
        bench::print_result(title.c_str(), seconds, static_cast<double>(n * data.cols), "updates");
        bench::print_result("  the same in bytes of bins and gradients", seconds,
                            static_cast<double>(n * (row_bytes + (scattered ? 4 : 0))), "B", peaks.read_gb * 1e9);
    }
}

void partition(const RunContext& ctx, const Data& data, const bench::Peaks& peaks) {
    Partition rows(data.rows);
    std::uint8_t goes_left[256];
    for (int b = 0; b < 256; ++b) goes_left[b] = b % 3 == 0;
    const std::uint8_t* column = data.binned->column(0);
    const auto split = [&] {
        const std::size_t n_pieces = rows.start_split(0, data.rows);
        parallel_tasks(ctx, n_pieces, 1e5, [&](std::size_t p, int) { rows.divide(p, column, goes_left); });
        const std::size_t n_left = rows.count_left();
        parallel_tasks(ctx, n_pieces, 1e5, [&](std::size_t p, int) { rows.copy_back(p); });
        return n_left;
    };
    rows.reset(ctx);
    const std::size_t n_left = split();
    for (std::size_t i = 0; i < data.rows; ++i)
        MLCORE_CHECK((goes_left[column[rows.rows()[i]]] != 0) == (i < n_left), "partition");

    // A split of rows that were split before is all left, then all right: draw them again each time, and subtract that.
    const double reset = bench::median_seconds([&] { rows.reset(ctx); });
    const double seconds = bench::median_seconds([&] {
                               rows.reset(ctx);
                               split();
                           }) -
                           reset;
    const auto n = static_cast<double>(data.rows);
    bench::print_result("partition", seconds, n, "rows");
    bench::print_result("  the same in bytes, read and written", seconds, n * 17, "B", peaks.copy_gb * 1e9);
}

void split_search(const Data& data) {
    const HistogramLayout layout(*data.mapper, *data.binned);
    HistogramBuilder builder(*data.mapper, *data.binned, layout);
    const Buffer<PackedPair> pairs = random_pairs(data.rows);
    StandaloneRun one;
    Histogram block = builder.take();
    auto* histogram = block.as<PackedPair>();
    count(one.context, builder, {}, data.rows, pairs.data(), layout.n_entries(), histogram);
    const PackedPair total = std::accumulate(pairs.begin(), pairs.end(), PackedPair{});
    for (const bool monotone : {false, true}) {
        Params params;
        if (monotone) params.monotonic_cst.assign(data.cols, 1);
        SplitFinder finder(*data.mapper, layout, params);
        finder.set_scale(FixedPoint(data.rows, data.rows, 1.0, static_cast<double>(data.rows)));
        const auto node = finder.node(total, {});
        const double seconds = bench::median_seconds([&] {
            Split best;
            for (const int f : layout.features()) finder.scan(f, histogram, node, best);
            bench::keep(best);
        });
        bench::print_result(monotone ? "split search, monotone, one thread" : "split search, one thread", seconds,
                            static_cast<double>(layout.n_entries()), "bins");
    }
}

ForestArrays train(const RunContext& ctx, const Data& data, int max_leaf_nodes, int n_trees, bool report) {
    Params params;
    params.max_leaf_nodes = max_leaf_nodes;
    Trainer trainer(data.mapper, data.binned, data.y, {}, Objective::parse("log_loss", 1, 0), params, {0.0});
    const double before = trainer.train_loss(ctx);
    if (report) {
        const double seconds = bench::median_seconds([&] { trainer.step(ctx); }, 5);
        const std::string title = "one tree of " + std::to_string(max_leaf_nodes) + " leaves (rows x features)";
        bench::print_result(title.c_str(), seconds, data.n_values(), "values");
    }
    while (trainer.n_iterations() < static_cast<std::size_t>(n_trees)) trainer.step(ctx);
    MLCORE_CHECK(trainer.train_loss(ctx) < before, "the model learns");
    return trainer.forest();
}

void prediction(const RunContext& ctx, const Data& data, int max_leaf_nodes, int n_trees) {
    const Forest forest(train(ctx, data, max_leaf_nodes, n_trees, false));
    const std::size_t n = data.rows, F = data.cols, K = 1;
    const std::vector<double> wide(data.x.begin(), data.x.end());
    std::vector<double> scores(n * K), same(n * K);
    const Table tables[] = {data.table(), row_major<const double>(wide.data(), n, F)};
    for (const Table& table : tables) {
        std::fill(same.begin(), same.end(), 0.0);
        forest.add_scores(ctx, table, 0, forest.arrays().n_iterations(), same.data());
        for (std::size_t i = 0; i < n; i += 997) {
            forest.score_row(&wide[i * F], scores.data());
            MLCORE_CHECK(std::abs(same[i] - scores[0]) < 1e-12, "prediction"); // baseline is 0
        }
        const double seconds = bench::median_seconds(
            [&] { forest.add_scores(ctx, table, 0, forest.arrays().n_iterations(), same.data()); }, 3);
        const std::string title = "predict " + std::to_string(n_trees) + " trees of " + std::to_string(max_leaf_nodes) +
                                  " leaves, " + (&table == tables ? "float" : "double");
        bench::print_result(title.c_str(), seconds, static_cast<double>(n), "rows");
    }
    std::size_t row = 0;
    constexpr int n_calls = 1000;
    const double seconds = bench::median_seconds([&] {
        for (int call = 0; call < n_calls; ++call, row = (row + 7919) % n)
            forest.score_row(&wide[row * F], scores.data());
    });
    bench::print_result("  one row at a time (1000 calls)", seconds, n_calls, "rows");
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    StandaloneRun run(n_threads);
    const Data narrow(run.context, 400'000, 28);
    binning(run.context, narrow, peaks);
    histograms(run.context, narrow, peaks);
    histograms(run.context, Data(run.context, 30'000, 300), peaks);
    partition(run.context, narrow, peaks);
    split_search(narrow);
    train(run.context, narrow, 31, 0, true);
    const Data few(run.context, 100'000, 28);
    prediction(run.context, few, 31, 100);
    prediction(run.context, few, 63, 100);
    prediction(run.context, few, 255, 20);
}
