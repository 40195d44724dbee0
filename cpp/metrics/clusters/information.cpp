#include "metrics/clusters/information.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace mlcore::metrics {
namespace {

/// c / n log(n c / (a b)). Near independence the logarithm is taken of what the ratio differs from 1.
double information(std::int64_t count, std::int64_t n, std::int64_t a, std::int64_t b) {
    const auto c = static_cast<double>(count), rows = static_cast<double>(n);
    const double ratio = (c / static_cast<double>(a)) * (rows / static_cast<double>(b));
    if (ratio < 0.5 || ratio > 2) return c / rows * std::log(ratio);
    __extension__ using Wide = __int128;
    const Wide product = static_cast<Wide>(a) * b;
    const auto excess = static_cast<double>(static_cast<Wide>(n) * count - product);
    return c / rows * std::log1p(excess / static_cast<double>(product));
}

struct Size {
    std::int64_t rows, how_often;
};

std::vector<Size> distinct(std::vector<std::int64_t> sizes) {
    std::sort(sizes.begin(), sizes.end());
    std::vector<Size> out;
    for (const std::int64_t rows : sizes) {
        if (out.empty() || out.back().rows != rows) out.push_back({rows, 0});
        ++out.back().how_often;
    }
    return out;
}

/// log(m / mean) for the m of one pair of sizes; logarithms of small m are looked up.
class Logarithms {
  public:
    explicit Logarithms(std::size_t most) : table_(std::min<std::size_t>(most, 1 << 16) + 1) {
        for (std::size_t m = 1; m < table_.size(); ++m) table_[m] = std::log(static_cast<double>(m));
    }
    double operator()(std::int64_t m) const {
        const auto at = static_cast<std::size_t>(m);
        return at < table_.size() ? table_[at] : std::log(static_cast<double>(m));
    }

  private:
    std::vector<double> table_;
};

/// sum_m m / n log(n m / (a b)) p(m).
double expected_information(std::int64_t size_a, std::int64_t size_b, std::int64_t size_n, const Logarithms& log_of) {
    constexpr double negligible = 0x1p-60; // of the largest probability; those beyond fall faster and faster
    const std::int64_t least = std::max<std::int64_t>(0, size_a + size_b - size_n), most = std::min(size_a, size_b);
    const auto a = static_cast<double>(size_a), b = static_cast<double>(size_b), n = static_cast<double>(size_n);
    const double log_mean = std::log(a) + std::log(b) - std::log(n);
    const auto likely = std::clamp(static_cast<std::int64_t>((a + 1) * ((b + 1) / (n + 2))), least, most);
    const auto term = [&](std::int64_t m) { return m == 0 ? 0.0 : static_cast<double>(m) * (log_of(m) - log_mean); };
    double sum = term(likely), probability = 1;
    double p = 1;
    for (std::int64_t m = likely; m < most && p > negligible; ++m) {
        const auto x = static_cast<double>(m);
        p *= (a - x) * (b - x) / ((x + 1) * (n - a - b + x + 1));
        probability += p;
        sum += p * term(m + 1);
    }
    p = 1;
    for (std::int64_t m = likely; m > least && p > negligible; --m) {
        const auto x = static_cast<double>(m);
        p *= x * (n - a - b + x) / ((a - x + 1) * (b - x + 1));
        probability += p;
        sum += p * term(m - 1);
    }
    return sum / probability / n;
}

} // namespace

double entropy(std::span<const std::int64_t> sizes, std::int64_t n) {
    double sum = 0;
    for (const std::int64_t rows : sizes) sum += information(rows, n, rows, rows);
    return sum;
}

double mutual_information(const Contingency& c) {
    if (c.a.size() < 2 || c.b.size() < 2) return 0;
    if (c.homogeneous()) return entropy(c.a, c.n);
    if (c.complete()) return entropy(c.b, c.n);
    double sum = 0;
    for (const Contingency::Cell& cell : c.cells) sum += information(cell.count, c.n, c.a[cell.row], c.b[cell.column]);
    return std::max(sum, 0.0);
}

double expected_mutual_information(const RunContext& ctx, const Contingency& c) {
    if (c.a.size() < 2 || c.b.size() < 2) return 0;
    const std::vector<Size> a = distinct(c.a), b = distinct(c.b);
    const Logarithms log_of(static_cast<std::size_t>(std::min(a.back().rows, b.back().rows)));
    const std::size_t n_pairs = a.size() * b.size();
    std::vector<double> sums(a.size(), 0.0);
    parallel_tasks(ctx, a.size(), 200.0 * static_cast<double>(n_pairs / a.size()), [&](std::size_t i, int) {
        for (const Size& size : b)
            sums[i] += static_cast<double>(size.how_often) * expected_information(a[i].rows, size.rows, c.n, log_of);
    });
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i].how_often) * sums[i];
    return sum;
}

} // namespace mlcore::metrics
