#include "check.hpp"

#include "boosting/twin.hpp"

#include <algorithm>
#include <cfloat>

using namespace twin;

namespace {

BinMapper fit(const std::vector<double>& values, int max_bins = 255, const std::vector<double>& weight = {},
              int n_categories = 0) {
    StandaloneRun run;
    const int categories[] = {n_categories};
    return BinMapper::fit(run.context, row_major<const double>(values.data(), values.size(), 1), weight, categories,
                          max_bins);
}

/// The definition: how many edges lie below the value.
int naive_bin(const BinMapper& mapper, int f, double value) {
    if (std::isnan(value)) return mapper.missing_bin(f);
    const auto& edges = mapper.edges(f);
    return static_cast<int>(std::count_if(edges.begin(), edges.end(), [&](double e) { return e < value; }));
}

} // namespace

TEST(few_values_get_a_bin_each_and_edges_half_way) {
    const BinMapper mapper = fit({3, 1, 2, 2, NaN, 10, 1});
    CHECK(mapper.edges(0) == (std::vector<double>{1.5, 2.5, 6.5}));
    CHECK_EQUAL(mapper.n_bins(0), 4);
    CHECK_EQUAL(mapper.missing_bin(0), 4);
    CHECK(mapper.bin(0, 1.5) == 0 && mapper.bin(0, 1.6) == 1 && mapper.bin(0, 1e300) == 3);
    CHECK(mapper.bin(0, -inf) == 0 && mapper.bin(0, inf) == 3 && mapper.bin(0, NaN) == 4);

    std::vector<double> values(255);
    std::iota(values.begin(), values.end(), 0.0);
    const BinMapper full = fit(values); // exactly as many values as bins, and the missing bin is number 255
    CHECK_EQUAL(full.n_bins(0), 255);
    for (int v = 0; v < 255; ++v) CHECK_EQUAL(int{full.bin(0, v)}, v);
    CHECK_EQUAL(int{full.bin(0, NaN)}, 255);
}

TEST(nothing_to_cut_gives_one_bin) {
    for (const auto& values : {std::vector<double>{}, {NaN, NaN}, {5}, {5, 5, NaN}, {inf}, {-inf}}) {
        const BinMapper mapper = fit(values);
        CHECK_EQUAL(mapper.n_bins(0), 1);
        CHECK(mapper.edges(0).empty());
        CHECK(mapper.bin(0, 0.0) == 0 && mapper.bin(0, inf) == 0 && mapper.bin(0, NaN) == 1);
    }
}

TEST(neighbouring_and_extreme_values_are_told_apart) {
    const auto next = [](double x) { return std::nextafter(x, inf); };
    const std::vector<std::vector<double>> cases{
        {1.0, next(1.0), next(next(1.0))},
        {-next(1.0), -1.0},
        {0.0, DBL_TRUE_MIN, 2 * DBL_TRUE_MIN, 3 * DBL_TRUE_MIN},
        {-2 * DBL_TRUE_MIN, -DBL_TRUE_MIN, 0.0},
        {-DBL_MAX, DBL_MAX},
        {-DBL_MAX, -next(1e308), 1e308, next(1e308), DBL_MAX},
        {-inf, inf},
        {-inf, -DBL_MAX, 0.0, DBL_MAX, inf},
    };
    for (const auto& values : cases) {
        const BinMapper mapper = fit(values);
        CHECK_EQUAL(mapper.n_bins(0), static_cast<int>(values.size()));
        for (std::size_t i = 0; i < values.size(); ++i) CHECK_EQUAL(int{mapper.bin(0, values[i])}, static_cast<int>(i));
        for (const double edge : mapper.edges(0)) CHECK(!std::isnan(edge));
    }
}

TEST(both_zeros_are_one_value) {
    for (std::size_t repeats : {1, 1000}) { // few values and many are sorted in different ways
        std::vector<double> values;
        for (std::size_t i = 0; i < repeats; ++i) values.insert(values.end(), {0.0, -0.0, 1.0, -1.0});
        const BinMapper mapper = fit(values);
        CHECK(mapper.edges(0) == (std::vector<double>{-0.5, 0.5}));
        CHECK_EQUAL(mapper.bin(0, -0.0), mapper.bin(0, 0.0));
        const BinMapper only_zeros = fit(std::vector<double>(values.begin(), values.begin() + 2));
        CHECK_EQUAL(only_zeros.n_bins(0), 1);
    }
}

TEST(many_values_get_bins_of_about_equal_weight) {
    Random random(3);
    for (const bool weighted : {false, true})
        for (const int max_bins : {2, 3, 16, 100, 255}) {
            std::vector<double> values(20000), weight;
            for (double& v : values) v = random.normal() * std::exp(random.normal());
            if (weighted)
                for (std::size_t i = 0; i < values.size(); ++i) weight.push_back(random.uniform(0.1, 2.0));
            const BinMapper mapper = fit(values, max_bins, weight);
            CHECK_EQUAL(mapper.n_bins(0), max_bins);
            std::vector<double> in_bin(static_cast<std::size_t>(max_bins), 0.0);
            double total = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
                const double w = weighted ? weight[i] : 1.0;
                in_bin[mapper.bin(0, values[i])] += w;
                total += w;
            }
            for (const double w : in_bin) CHECK_CLOSE(w, total / max_bins, 4.0 + 0.03 * total / max_bins);
        }
}

TEST(heavy_values_keep_a_bin_of_their_own) {
    Random random(4);
    std::vector<double> values;
    for (int i = 0; i < 3000; ++i) values.push_back(random.uniform(0, 10));
    for (const double heavy : {0.0, 2.5, 7.125, 10.0}) values.insert(values.end(), 1000, heavy);
    const BinMapper mapper = fit(values, 32);
    CHECK(mapper.n_bins(0) >= 28 && mapper.n_bins(0) <= 32);
    for (const double heavy : {0.0, 2.5, 7.125, 10.0}) {
        std::size_t others = 0;
        for (const double v : values) others += v != heavy && mapper.bin(0, v) == mapper.bin(0, heavy);
        CHECK(others <= 70); // a light group too small for its own bin may ride along
    }
}

TEST(no_bin_is_overfull_whatever_the_weights) {
    Random random(5);
    for (int round = 0; round < 400; ++round) {
        const auto n = static_cast<std::size_t>(random.integer(2, 600));
        const int max_bins = random.integer(2, std::min(255, static_cast<int>(n)));
        const double spread = random.uniform(0, 4);
        std::vector<double> distinct(n), weight(n);
        std::iota(distinct.begin(), distinct.end(), 0.0);
        for (double& w : weight) w = std::ceil(std::exp(spread * random.normal()) * 3);
        const auto edges = find_edges(distinct, weight, max_bins);
        CHECK(edges.size() < static_cast<std::size_t>(max_bins));
        CHECK(std::is_sorted(edges.begin(), edges.end(), std::less_equal<>())); // strictly ascending
        const double total = std::accumulate(weight.begin(), weight.end(), 0.0), share = total / max_bins;
        std::size_t i = 0;
        for (std::size_t b = 0; b <= edges.size(); ++b) {
            double in_bin = 0, largest = 0;
            for (; i < n && (b == edges.size() || distinct[i] <= edges[b]); ++i) {
                in_bin += weight[i];
                largest = std::max(largest, weight[i]);
            }
            CHECK(in_bin > 0);
            CHECK(in_bin <= largest + 2.5 * share);
        }
    }
}

TEST(weights_are_repeats) {
    Random random(6);
    for (const int max_bins : {5, 40, 255}) {
        std::vector<double> values, weight, repeated;
        for (int i = 0; i < 3000; ++i) {
            values.push_back(random.chance(0.1) ? NaN : std::floor(random.normal() * 400));
            weight.push_back(random.integer(1, 4));
            repeated.insert(repeated.end(), static_cast<std::size_t>(weight.back()), values.back());
        }
        CHECK(fit(values, max_bins, weight).edges(0) == fit(repeated, max_bins).edges(0));
        CHECK(fit(values, max_bins, std::vector<double>(values.size(), 1.0)).edges(0) ==
              fit(values, max_bins).edges(0));
    }
}

TEST(a_sample_of_many_rows_finds_the_quantiles) {
    Random random(7);
    std::vector<double> values(300'000);
    for (double& v : values) v = random.uniform();
    const BinMapper mapper = fit(values, 100);
    CHECK_EQUAL(mapper.n_bins(0), 100);
    for (std::size_t b = 0; b < 99; ++b)
        CHECK_CLOSE(mapper.edges(0)[b], static_cast<double>(b + 1) / 100, 5e-3); // 4 sigma of the sample
}

TEST(categories_are_their_own_bins_as_far_as_bins_go) {
    const BinMapper few = fit({0, 1, NaN}, 255, {}, 7);
    CHECK_EQUAL(few.n_bins(0), 7);
    for (int code = 0; code < 7; ++code) CHECK_EQUAL(int{few.bin(0, code)}, code);
    const BinMapper many = fit({0, 1, NaN}, 16, {}, 1000);
    CHECK_EQUAL(many.n_bins(0), 16);
    CHECK_EQUAL(int{many.bin(0, 14)}, 14);
    for (const double code : {15.0, 16.0, 999.0}) CHECK_EQUAL(int{many.bin(0, code)}, 15);
    for (const BinMapper* mapper : {&few, &many})
        for (const double unknown : {NaN, -1.0, -0.5, 1000.0, 1e300, inf, -inf})
            CHECK_EQUAL(int{mapper->bin(0, unknown)}, mapper->missing_bin(0));
}

TEST(array_form_agrees_with_the_definition) {
    Random random(8);
    for (const int n_values : {1, 2, 3, 17, 200, 5000})
        for (const int n_categories : {0, 40}) {
            std::vector<double> values(5000);
            for (double& v : values)
                v = n_categories ? random.integer(-2, 60) : std::round(random.normal() * n_values) * 0.1;
            values[0] = inf, values[1] = -inf, values[2] = NaN, values[3] = DBL_MAX;
            const BinMapper mapper = fit(values, 255, {}, n_categories);
            std::vector<float> narrow(values.begin(), values.end());
            for (const std::size_t n : {0, 1, 15, 16, 17, 100, 1666}) { // with stride 3, from the end
                std::vector<std::uint8_t> wide_bins(n), narrow_bins(n);
                ColumnBinner<double>(mapper).bin(0, &values.back(), -3, n, wide_bins.data());
                ColumnBinner<float>(mapper).bin(0, narrow.data() + narrow.size() - 1, -3, n, narrow_bins.data());
                for (std::size_t i = 0; i < n; ++i) {
                    const double v = values[values.size() - 1 - 3 * i];
                    const auto as_float = static_cast<double>(narrow[values.size() - 1 - 3 * i]);
                    CHECK_EQUAL(int{wide_bins[i]}, int{mapper.bin(0, v)});
                    CHECK_EQUAL(int{narrow_bins[i]}, int{mapper.bin(0, as_float)});
                    if (n_categories == 0) CHECK_EQUAL(int{wide_bins[i]}, naive_bin(mapper, 0, v));
                }
            }
        }
}
