// Counts of labels beside counts in a map, for every type, stride, range and number of threads.
#include "check.hpp"
#include "metrics/labels/counts.hpp"

#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

template <class T>
constexpr LabelType type_of() {
    if constexpr (std::is_same_v<T, std::int8_t>)
        return LabelType::i8;
    else if constexpr (std::is_same_v<T, std::int16_t>)
        return LabelType::i16;
    else if constexpr (std::is_same_v<T, std::int32_t>)
        return LabelType::i32;
    else if constexpr (std::is_same_v<T, std::int64_t>)
        return LabelType::i64;
    else if constexpr (std::is_same_v<T, std::uint8_t>)
        return LabelType::u8;
    else if constexpr (std::is_same_v<T, std::uint16_t>)
        return LabelType::u16;
    else if constexpr (std::is_same_v<T, std::uint32_t>)
        return LabelType::u32;
    else if constexpr (std::is_same_v<T, std::uint64_t>)
        return LabelType::u64;
    else if constexpr (std::is_same_v<T, float>)
        return LabelType::f32;
    else
        return LabelType::f64;
}

/// Every stride-th item is a row.
template <class T>
LabelColumn column_of(const std::vector<T>& values, std::size_t stride = 1) {
    return {type_of<T>(), values.data(), values.size() / stride, static_cast<std::ptrdiff_t>(stride * sizeof(T))};
}

template <class T>
std::vector<T> random_labels(std::size_t n, std::uint32_t k, T first, T step, std::uint64_t seed) {
    std::vector<T> labels(n);
    std::uint64_t state = seed * 2862933555777941757u + 3037000493u;
    for (T& label : labels) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        label = static_cast<T>(first + static_cast<T>((state >> 33) % k) * step);
    }
    return labels;
}

template <class T>
void compare(const std::vector<T>& t, const std::vector<T>& p, std::span<const double> weight, std::size_t stride) {
    const std::size_t n = t.size() / stride;
    std::map<std::pair<std::int64_t, std::int64_t>, double> cells;
    std::set<std::int64_t> labels, in_true;
    for (std::size_t i = 0; i < n; ++i) {
        const auto a = static_cast<std::int64_t>(t[i * stride]), b = static_cast<std::int64_t>(p[i * stride]);
        cells[{a, b}] += weight.empty() ? 1.0 : weight[i];
        labels.insert({a, b});
        in_true.insert(a);
    }
    std::vector<double> first;
    for (const int n_threads : {1, 2, 3}) {
        StandaloneRun run(n_threads);
        const auto counts = count_numbers(run.context, column_of(t, stride), column_of(p, stride), weight);
        CHECK(counts.has_value());
        if (!counts) return;
        CHECK(counts->labels == std::vector<std::int64_t>(labels.begin(), labels.end()));
        const std::size_t k = labels.size();
        std::vector<double> C(k * k);
        confusion(*counts, weight, C.data());
        for (std::size_t i = 0; i < k; ++i) {
            double row = 0, column = 0;
            for (std::size_t j = 0; j < k; ++j) {
                CHECK_CLOSE(C[i * k + j], (cells[{counts->labels[i], counts->labels[j]}]), 1e-9);
                row += C[i * k + j];
                column += C[j * k + i];
            }
            CHECK_CLOSE(counts->true_sums[i], row, 1e-9);
            CHECK_CLOSE(counts->predicted_sums[i], column, 1e-9);
            CHECK_CLOSE(counts->hits[i], C[i * k + i], 1e-9);
            CHECK_EQUAL(counts->occurs[i] != 0, in_true.count(counts->labels[i]) != 0);
        }
        std::vector<double> all(counts->true_sums);
        all.insert(all.end(), counts->hits.begin(), counts->hits.end());
        if (first.empty()) first = all;
        CHECK(all == first); // the same bits for any threads
    }
}

std::vector<double> random_weights(std::size_t n) {
    std::vector<double> weight(n);
    for (std::size_t i = 0; i < n; ++i) weight[i] = static_cast<double>((i * 7919) % 1009) / 1009;
    return weight;
}

template <class T>
void compare_type(T first, T step) {
    for (const std::size_t n : {1u, 3u, 4u, 5u, 2047u, 2049u, 40'000u})
        for (const std::size_t stride : {1u, 3u}) {
            const auto t = random_labels<T>(n * stride, 5, first, step, n),
                       p = random_labels<T>(n * stride, 6, first, step, n + 1);
            compare(t, p, {}, stride);
            compare(t, p, random_weights(n), stride);
        }
}

} // namespace

TEST(types) {
    compare_type<std::int8_t>(-3, 1);
    compare_type<std::int16_t>(-300, 7);
    compare_type<std::int32_t>(1 << 30, 1);
    compare_type<std::int64_t>(-5, 1);
    compare_type<std::uint8_t>(250, 1);
    compare_type<std::uint16_t>(0, 1);
    compare_type<std::uint32_t>(0, 1u << 29);
    compare_type<std::uint64_t>(0, 1ull << 40);
    compare_type<float>(-2, 1);
    compare_type<double>(1e15, 1);
}

TEST(ranges) { // a table, a table of many labels, a hash table
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{40}, std::int64_t{1} << 50})
        for (const std::uint32_t k : {2u, 33u, 256u, 257u, 400u}) {
            const auto t = random_labels<std::int64_t>(50'000, k, -100, step, 1),
                       p = random_labels<std::int64_t>(50'000, k, -100, step, 2);
            compare(t, p, {}, 1);
            if (k < 300) compare(t, p, random_weights(50'000), 1);
        }
}

TEST(extremes) {
    constexpr auto low = std::numeric_limits<std::int64_t>::min(), high = std::numeric_limits<std::int64_t>::max();
    compare<std::int64_t>({low, high, 0, low}, {high, high, low, 0}, {}, 1);
    std::vector<std::int64_t> t(5000, 0), p(5000, 0); // labels that the first rows do not have
    t[4000] = high;
    p[4500] = -1;
    compare(t, p, {}, 1);
    t[4000] = 200;
    compare(t, p, {}, 1);
}

TEST(no_whole_numbers) {
    StandaloneRun run;
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    for (const double odd : {0.5, nan, inf, -inf, 1e17}) {
        for (const std::size_t at : {std::size_t{0}, std::size_t{4999}}) {
            std::vector<double> t(5000, 1.0), p(t);
            t[at] = odd;
            CHECK(!count_numbers(run.context, column_of(t), column_of(p), {}));
            CHECK(!count_numbers(run.context, column_of(p), column_of(t), {}));
        }
    }
    const std::vector<std::uint64_t> large{1, std::uint64_t{1} << 63};
    CHECK(!count_numbers(run.context, column_of(large), column_of(large), {}));
    // A distance from a negative label must not come around.
    const std::vector<std::uint64_t> highest{0, std::numeric_limits<std::uint64_t>::max()};
    const std::vector<std::int64_t> negative{-1, 0};
    CHECK(!count_numbers(run.context, column_of(negative), column_of(highest), {}));
}

TEST(strings) {
    const char32_t text[] = U"b\0\0\0aaa\0c\0\0\0b\0\0\0"; // four of width 4
    StandaloneRun run(2);
    const StringColumn column{reinterpret_cast<const char*>(text), 4, 4 * sizeof(char32_t), 4};
    auto a = encode_strings(run.context, column);
    CHECK(a.labels == (std::vector<std::u32string>{U"aaa", U"b", U"c"}));
    CHECK(a.codes == (std::vector<std::uint32_t>{1, 0, 2, 1}));
    Encoded<std::u32string> b{{U"", U"c"}, {1, 0, 0, 1}};
    const auto labels = unite(run.context, a, b);
    CHECK(labels == (std::vector<std::u32string>{U"", U"aaa", U"b", U"c"}));
    CHECK(a.codes == (std::vector<std::uint32_t>{2, 1, 3, 2}));
    CHECK(b.codes == (std::vector<std::uint32_t>{3, 0, 0, 3}));
}
