#include "linalg/nearest.hpp"

#include "core/eigen.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sums.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>

namespace mlcore::linalg {
namespace {

constexpr std::size_t row_block = 256;   // rows of the table in one product
constexpr std::size_t query_block = 192; // terms in one product: a tile of scores takes 192 KiB
constexpr std::size_t query_unit = 16;   // terms are padded with zeros to whole SIMD registers
constexpr std::size_t row_unit = 8;      // so are rows, lest equal rows get unequal sums in Eigen's remainder loops
constexpr std::size_t few_terms = 3;     // up to here the memory is the bound: dot products
constexpr std::size_t margin = 8;        // more rows than wanted are scored again, for float32 may order them wrongly
constexpr std::size_t most_kept = std::size_t{1} << 20; // candidates of a block of queries, each thread
constexpr double smoothing = 1e-6;                      // Levy and Goldberg's epsilon

template <class Sum, std::size_t lanes>
Sum dot(const float* a, const float* b, std::size_t n) {
    return sum_in_lanes<lanes>(n, [=](std::size_t i) { return static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]); });
}

float fast_dot(const float* a, const float* b, std::size_t n) { return dot<float, 32>(a, b, n); }
double exact_dot(const float* a, const float* b, std::size_t n) { return dot<double, 8>(a, b, n); }

/// Unit vectors of a block of queries, one group of `padded` rows for each of their terms, and their products with
/// rows.
class Terms {
  public:
    Terms(const Queries& queries, std::size_t first, std::size_t count)
        : dim_(queries.terms.cols), by_dots_(queries.n_terms() * queries.n_queries <= few_terms),
          padded_(by_dots_ ? count : simd::round_up(count, query_unit)), size_(padded_ * queries.n_terms()),
          unit_(size_ * dim_, 0.0F) {
        for (std::size_t p = 0; p < queries.n_terms(); ++p)
            for (std::size_t j = 0; j < count; ++j) {
                const float* term = queries.terms.row(p * queries.n_queries + first + j).data;
                const double scale = 1 / std::sqrt(std::max(exact_dot(term, term, dim_), 1e-300));
                float* unit = unit_.data() + (p * padded_ + j) * dim_;
                for (std::size_t i = 0; i < dim_; ++i) unit[i] = static_cast<float>(scale * term[i]);
            }
    }

    std::size_t padded() const { return padded_; }
    std::size_t size() const { return size_; }

    /// tile (rows, size()) out: products of the rows begin .. end with all terms. Room for row_block rows.
    void multiply(MatrixView<const float> rows, std::size_t begin, std::size_t end, float* tile) const {
        if (by_dots_) {
            for (std::size_t r = begin; r < end; ++r)
                for (std::size_t t = 0; t < size_; ++t)
                    *tile++ = fast_dot(unit_.data() + t * dim_, rows.row(r).data, dim_);
            return;
        }
        const std::size_t n = end - begin;
        if (n % row_unit == 0) return multiply(rows.row(begin).data, rows.row_stride, n, tile);
        Buffer<float> copy(simd::round_up(n, row_unit) * dim_, 0.0F); // only at the table's end
        for (std::size_t r = 0; r < n; ++r) std::copy_n(rows.row(begin + r).data, dim_, copy.data() + r * dim_);
        multiply(copy.data(), static_cast<std::ptrdiff_t>(dim_), simd::round_up(n, row_unit), tile);
    }

  private:
    void multiply(const float* rows, std::ptrdiff_t row_stride, std::size_t n, float* tile) const {
        using ByColumn = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic>;
        using ByRow = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
        const auto dim = eigen_index(dim_), terms = eigen_index(size_);
        const Eigen::Map<const ByColumn, 0, Eigen::OuterStride<>> table(rows, dim, eigen_index(n),
                                                                        Eigen::OuterStride<>(row_stride));
        Eigen::Map<ByColumn>(tile, terms, eigen_index(n)).noalias() =
            Eigen::Map<const ByRow>(unit_.data(), terms, dim) * table;
    }

    std::size_t dim_;
    bool by_dots_;
    std::size_t padded_, size_;
    Buffer<float> unit_; // (size, dim)
};

struct Candidate {
    float score;
    std::int32_t row;
};

bool better(const Candidate& a, const Candidate& b) {
    return a.score > b.score || (a.score == b.score && a.row < b.row);
}

/// The best `size` of what was offered in order of rows, and up to as many more that are not yet sorted out.
class Best {
  public:
    void start(std::size_t size) {
        size_ = size;
        items_.clear();
    }

    /// Returns the score that the next one must beat: NaN, which nothing is at or below, as long as there is room.
    float add(Candidate candidate) {
        if (std::isnan(candidate.score)) candidate.score = -std::numeric_limits<float>::infinity();
        items_.push_back(candidate);
        if (items_.size() == 2 * size_) {
            std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(size_ - 1), items_.end(),
                             better);
            items_.resize(size_);
            bar_ = items_.back().score; // equal scores of later rows lose
        }
        return bar_;
    }

    const std::vector<Candidate>& items() const { return items_; }

  private:
    std::size_t size_ = 0;
    float bar_ = std::numeric_limits<float>::quiet_NaN();
    std::vector<Candidate> items_;
};

/// What a thread needs for a block of queries.
struct Scratch {
    Buffer<float> tile;       // (row_block, terms)
    Buffer<float> factors[2]; // of products, by query: of positive terms, of negative ones
    std::vector<float> bars;  // score to beat, by query
    std::vector<Best> best;   // by query
};

class Search {
  public:
    Search(const UnitRows& table, const Queries& queries, std::size_t k)
        : table_(table), queries_(queries), k_(std::min(k, table.rows.rows)),
          kept_(std::min(k_ + margin, table.rows.rows)) {}

    /// Fills the part of `out` that belongs to the queries first .. first + count.
    void run(const RunContext& ctx, std::size_t first, std::size_t count, std::size_t width, Nearest& out) {
        const Terms terms(queries_, first, count);
        const std::size_t n_rows = table_.rows.rows, n_tasks = (n_rows + row_block - 1) / row_block;
        const double ns = 0.02 * static_cast<double>(row_block * terms.size() * (table_.rows.cols + 8));
        std::vector<Scratch> scratch(static_cast<std::size_t>(threads_for(ctx, ns * static_cast<double>(n_tasks))));
        parallel_tasks(ctx, n_tasks, ns, [&](std::size_t task, int thread) {
            Scratch& mine = scratch[static_cast<std::size_t>(thread)];
            if (mine.best.empty()) prepare(mine, terms, count);
            const std::size_t begin = task * row_block, end = std::min(begin + row_block, n_rows);
            terms.multiply(table_.rows, begin, end, mine.tile.data());
            score(terms, begin, end, mine);
            select(terms, first, begin, end, mine);
        });
        parallel_tasks(ctx, count, 100.0 * static_cast<double>(kept_ * scratch.size()), [&](std::size_t j, int) {
            finish(scratch, first + j, j, out.rows.data() + (first + j) * width,
                   out.scores.data() + (first + j) * width);
        });
    }

    /// Queries at a time: a matter of k alone, so that results are, too.
    std::size_t block() const {
        const std::size_t fits = query_block / queries_.n_terms() / query_unit * query_unit;
        return std::clamp<std::size_t>(most_kept / std::max<std::size_t>(kept_, 1), 1, std::max(fits, query_unit));
    }

  private:
    void prepare(Scratch& scratch, const Terms& terms, std::size_t count) const {
        scratch.tile = Buffer<float>(row_block * terms.size());
        if (queries_.product)
            for (Buffer<float>& factors : scratch.factors) factors = Buffer<float>(terms.padded());
        scratch.bars.assign(count, std::numeric_limits<float>::quiet_NaN());
        scratch.best.resize(count);
        for (Best& best : scratch.best) best.start(kept_);
    }

    /// Products become scores, at the place of the first term's product.
    void score(const Terms& terms, std::size_t begin, std::size_t end, Scratch& scratch) const {
        const std::size_t n = terms.padded();
        float* tile = scratch.tile.data();
        for (std::size_t r = begin; r < end; ++r, tile += terms.size()) {
            const float scale = table_.inverse_norms[r];
            if (!queries_.product) {
                for (std::size_t j = 0; j < n; ++j) tile[j] *= scale;
                continue;
            }
            scratch.factors[0].fill(1);
            scratch.factors[1].fill(1);
            for (std::size_t p = 0; p < queries_.n_terms(); ++p) {
                float* factor = scratch.factors[p < queries_.n_positive ? 0 : 1].data();
                for (std::size_t j = 0; j < n; ++j) factor[j] *= (1 + tile[p * n + j] * scale) * 0.5F;
            }
            const float *score = scratch.factors[0].data(), *divisor = scratch.factors[1].data();
            for (std::size_t j = 0; j < n; ++j) tile[j] = score[j] / (divisor[j] + static_cast<float>(smoothing));
        }
    }

    void select(const Terms& terms, std::size_t first, std::size_t begin, std::size_t end, Scratch& scratch) const {
        const std::size_t count = scratch.bars.size();
        const float* tile = scratch.tile.data();
        float* bars = scratch.bars.data();
        for (std::size_t r = begin; r < end; ++r, tile += terms.size()) {
            int passed = 0;
            for (std::size_t j = 0; j < count; ++j) passed += !(tile[j] <= bars[j]);
            if (passed == 0) continue; // nearly always
            const auto row = static_cast<std::int32_t>(r);
            for (std::size_t j = 0; j < count; ++j)
                if (!(tile[j] <= bars[j]) && !is_excluded(first + j, row))
                    bars[j] = scratch.best[j].add({tile[j], row});
        }
    }

    bool is_excluded(std::size_t query, std::int32_t row) const {
        const auto part = queries_.excluded.subspan(
            static_cast<std::size_t>(queries_.excluded_offsets[query]),
            static_cast<std::size_t>(queries_.excluded_offsets[query + 1] - queries_.excluded_offsets[query]));
        return std::binary_search(part.begin(), part.end(), row);
    }

    void finish(const std::vector<Scratch>& scratch, std::size_t query, std::size_t j, std::int32_t* rows,
                float* scores) const {
        std::vector<Candidate> found;
        for (const Scratch& part : scratch)
            if (!part.best.empty()) found.insert(found.end(), part.best[j].items().begin(), part.best[j].items().end());
        if (found.size() > kept_) {
            std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept_), found.end(), better);
            found.resize(kept_);
        }
        std::vector<double> lengths(queries_.n_terms());
        for (std::size_t p = 0; p < lengths.size(); ++p) {
            const float* term = queries_.terms.row(p * queries_.n_queries + query).data;
            lengths[p] = exact_dot(term, term, table_.rows.cols);
        }
        for (Candidate& candidate : found) candidate.score = exact_score(query, lengths, candidate.row);
        std::sort(found.begin(), found.end(), better);
        for (std::size_t i = 0; i < std::min(k_, found.size()); ++i) {
            rows[i] = found[i].row;
            scores[i] = found[i].score;
        }
    }

    float exact_score(std::size_t query, const std::vector<double>& squared_lengths, std::int32_t row) const {
        const std::size_t dim = table_.rows.cols;
        const float* vector = table_.rows.row(static_cast<std::size_t>(row)).data;
        const bool is_zero = table_.inverse_norms[row] == 0;
        const double length = is_zero ? 0 : exact_dot(vector, vector, dim);
        double score = 1, divisor = 1;
        for (std::size_t p = 0; p < queries_.n_terms(); ++p) {
            const double product = exact_dot(queries_.terms.row(p * queries_.n_queries + query).data, vector, dim);
            const double lengths = std::sqrt(squared_lengths[p]) * std::sqrt(length);
            const double cosine = lengths > 0 ? std::clamp(product / lengths, -1.0, 1.0) : 0; // rounding
            if (!queries_.product) return static_cast<float>(cosine);
            (p < queries_.n_positive ? score : divisor) *= (1 + cosine) / 2;
        }
        return static_cast<float>(score / (divisor + smoothing));
    }

    const UnitRows& table_;
    const Queries& queries_;
    std::size_t k_, kept_;
};

void check(const UnitRows& table, const Queries& queries) {
    if (table.rows.rows > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw ValueError("a table may have up to 2147483647 vectors, got " + std::to_string(table.rows.rows));
    if (queries.terms.cols != table.rows.cols)
        throw ValueError("queries must have " + std::to_string(table.rows.cols) + " columns as the vectors have, got " +
                         std::to_string(queries.terms.cols));
    const std::size_t n_terms = queries.n_terms();
    const bool wraps = n_terms < queries.n_positive; // as n_terms * n_queries might, hence the division
    if (wraps || n_terms == 0 || queries.terms.rows % n_terms != 0 ||
        queries.terms.rows / n_terms != queries.n_queries || (!queries.product && n_terms != 1))
        throw ValueError(std::to_string(queries.terms.rows) + " terms do not make " +
                         std::to_string(queries.n_queries) + " queries of " + std::to_string(n_terms));
    const auto offsets = queries.excluded_offsets;
    if (offsets.size() != queries.n_queries + 1 || offsets.front() != 0 ||
        offsets.back() != static_cast<std::int64_t>(queries.excluded.size()) ||
        !std::is_sorted(offsets.begin(), offsets.end()))
        throw ValueError("offsets of excluded rows must rise from 0 to their number, one more than there are queries");
}

} // namespace

std::size_t inverse_norms(const RunContext& ctx, MatrixView<const float> rows, float* out) {
    std::atomic<std::size_t> first_bad{rows.rows};
    const double ns = 0.1 * static_cast<double>(rows.cols) + 3;
    parallel_ranges(ctx, rows.rows, ns, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t r = begin; r < end; ++r) {
            const float* row = rows.row(r).data;
            const double length = std::sqrt(exact_dot(row, row, rows.cols));
            out[r] = length < shortest_length ? 0 : static_cast<float>(1 / length);
            if (length <= largest_entry) continue; // nearly always; NaN is not
            if (std::all_of(row, row + rows.cols, [](float x) { return std::abs(x) <= largest_entry; })) continue;
            std::size_t seen = first_bad.load(std::memory_order_relaxed);
            while (r < seen && !first_bad.compare_exchange_weak(seen, r, std::memory_order_relaxed)) {}
        }
    });
    return first_bad;
}

Nearest nearest(const RunContext& ctx, const UnitRows& table, const Queries& queries, std::size_t k) {
    check(table, queries);
    if (k != 0 && queries.n_queries > address_space / sizeof(float) / k) throw std::bad_alloc();
    const std::size_t size = queries.n_queries * k;
    Nearest out{std::vector<std::int32_t>(size, -1), std::vector<float>(size, std::numeric_limits<float>::quiet_NaN())};
    if (size == 0 || table.rows.rows == 0) return out;
    Search search(table, queries, k);
    const std::size_t block = search.block();
    for (std::size_t first = 0; first < queries.n_queries; first += block)
        search.run(ctx, first, std::min(block, queries.n_queries - first), k, out);
    return out;
}

void cosines(const RunContext& ctx, const UnitRows& table, MatrixView<const float> queries, float* out) {
    const std::vector<std::int64_t> none(queries.rows + 1, 0);
    Queries all{.terms = queries, .n_queries = queries.rows, .excluded = {}, .excluded_offsets = none};
    check(table, all);
    const std::size_t n_rows = table.rows.rows, n_tasks = (n_rows + row_block - 1) / row_block;
    for (std::size_t first = 0; first < queries.rows; first += query_block) {
        const std::size_t count = std::min(query_block, queries.rows - first);
        const Terms terms(all, first, count);
        const double ns = 0.02 * static_cast<double>(row_block * terms.size() * (table.rows.cols + 8));
        parallel_tasks(ctx, n_tasks, ns, [&](std::size_t task, int) {
            const std::size_t begin = task * row_block, end = std::min(begin + row_block, n_rows);
            Buffer<float> tile(row_block * terms.size());
            terms.multiply(table.rows, begin, end, tile.data());
            for (std::size_t j = 0; j < count; ++j)
                for (std::size_t r = begin; r < end; ++r)
                    out[(first + j) * n_rows + r] = // rounding may lead out of the range of cosines
                        std::clamp(tile[(r - begin) * terms.size() + j] * table.inverse_norms[r], -1.0F, 1.0F);
        });
    }
}

} // namespace mlcore::linalg
