#include "metrics/ranking/score_sort.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string>

namespace mlcore::metrics {
namespace {

constexpr std::size_t insertion_rows = 24; // up to here insertion is the fastest way
constexpr std::size_t max_digits = 4096;   // counters of 32 bits that leave half of a first cache to the rows
constexpr std::size_t undivided_rows = 4096;
constexpr std::size_t rows_a_part = 512; // of an even distribution; most are not
constexpr std::size_t max_parts = 2048;
constexpr std::size_t n_sampled = 1024;
constexpr double ns_per_row = 8;

/// Copies rows of `from`, which are almost in order, to their places in `to`. The two may be the same.
template <class Row>
void insert_rows(const Row* from, std::size_t n, Row* to) {
    for (std::size_t i = 0; i < n; ++i) {
        const Row row = from[i];
        const auto key = row.key();
        std::size_t place = i;
        for (; place > 0 && to[place - 1].key() > key; --place) to[place] = to[place - 1];
        to[place] = row;
    }
}

/// Divides a column by the highest bits of its keys, as a sample of it suggests.
class Divider {
  public:
    template <class T>
    Divider(VectorView<const T> scores, std::size_t n_parts) : last_(n_parts - 1) {
        std::array<Magnitude, n_sampled> sample;
        std::array<std::int64_t, n_sampled> sizes;
        for (std::size_t i = 0; i < n_sampled; ++i) {
            sample[i] = magnitude(scores[i * scores.size / n_sampled]);
            sizes[i] = sample[i].size;
        }
        // Half of all bit patterns belong to numbers next to 0. The few rows that are there share a part.
        const auto low = sizes.begin() + n_sampled / 64;
        std::nth_element(sizes.begin(), low, sizes.end());
        floor_ = *low;
        lowest_ = std::numeric_limits<std::int64_t>::max();
        std::int64_t highest = std::numeric_limits<std::int64_t>::min();
        for (const Magnitude& m : sample) {
            lowest_ = std::min(lowest_, number(m));
            highest = std::max(highest, number(m));
        }
        const auto width = static_cast<std::uint64_t>(highest) - static_cast<std::uint64_t>(lowest_);
        shift_ = std::max(0, static_cast<int>(std::bit_width(width)) - static_cast<int>(std::bit_width(last_)));
    }

    std::size_t part(Magnitude m) const {
        const std::int64_t x = std::max(number(m), lowest_);
        return std::min<std::uint64_t>((static_cast<std::uint64_t>(x) - static_cast<std::uint64_t>(lowest_)) >> shift_,
                                       last_);
    }

  private:
    /// Ascending as keys are, though not for all that differ.
    std::int64_t number(Magnitude m) const {
        const std::int64_t size = std::max(m.size - floor_, std::int64_t{0});
        return (size ^ ~m.negative) - ~m.negative;
    }

    std::uint64_t last_;
    std::int64_t floor_ = 0, lowest_ = 0;
    int shift_ = 0;
};

/// What a pass over a column tells of its magnitudes.
struct Extent {
    std::int64_t smallest = std::numeric_limits<std::int64_t>::max(); // but 0
    std::int64_t largest = 0;

    void add(std::int64_t size) {
        largest = std::max(largest, size);
        // 0 becomes the largest of all unsigned numbers
        smallest = static_cast<std::int64_t>(
            std::min(static_cast<std::uint64_t>(smallest) - 1, static_cast<std::uint64_t>(size) - 1) + 1);
    }
    void add(const Extent& other) {
        largest = std::max(largest, other.largest);
        smallest = std::min(smallest, other.smallest);
    }

    template <class T>
    ScoreState form(KeyForm& form) const {
        if (largest >= infinite_magnitude<T>) return ScoreState::not_finite;
        form.bias = std::max(largest - (KeyForm::limit - 1), std::int64_t{0});
        return smallest > form.bias ? ScoreState::sorted : ScoreState::too_wide;
    }
};

/// A column that is one part.
template <class Row, class T>
void sort_undivided(VectorView<const T> scores, const std::uint8_t* labels, VectorView<const double> weights,
                    SortedScores<Row>& out) {
    Extent extent;
    for (std::size_t i = 0; i < scores.size; ++i) extent.add(magnitude(scores[i]).size);
    out.state = extent.form<T>(out.form);
    if (out.state != ScoreState::sorted) return;
    out.memory = Scratch<Row>(2 * scores.size);
    Row* rows = out.memory.data();
    std::size_t n = 0;
    for (std::size_t i = 0; i < scores.size; ++i) {
        const double weight = weights.data ? weights[i] : 1.0;
        rows[n] = Row::make(out.form.key(magnitude(scores[i])), labels[i], weight);
        n += weight != 0;
    }
    sort_rows(rows, n, rows + scores.size);
    out.n = n;
    out.parts = {0, n};
    out.n_above = {0};
}

template <class Row, class T>
void sort_divided(const RunContext& ctx, VectorView<const T> scores, const std::uint8_t* labels,
                  VectorView<const double> weights, SortedScores<Row>& out) {
    const std::size_t n = scores.size;
    const std::size_t n_parts = std::min(std::bit_ceil(n / rows_a_part), max_parts);
    const Divider divider(scores, n_parts);
    const std::size_t n_chunks = std::min<std::size_t>(4 * static_cast<std::size_t>(ctx.n_threads), n / 2048);
    const auto chunk_begin = [&](std::size_t chunk) { return n * chunk / n_chunks; };
    const double ns_per_chunk = ns_per_row / 3 * static_cast<double>(n / n_chunks);

    // counts[chunk][part][label], then the places where the chunk's rows of the part go
    std::vector<std::uint32_t> counts(n_chunks * n_parts * 2, 0);
    std::vector<Extent> extents(n_chunks);
    parallel_tasks(ctx, n_chunks, ns_per_chunk, [&](std::size_t chunk, int) {
        std::uint32_t* count = counts.data() + chunk * n_parts * 2;
        Extent extent;
        for (std::size_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) {
            const Magnitude m = magnitude(scores[i]);
            extent.add(m.size);
            if (weights.data && weights[i] == 0) continue;
            ++count[divider.part(m) * 2 + labels[i]];
        }
        extents[chunk] = extent;
    });
    Extent extent;
    for (const Extent& one : extents) extent.add(one);
    out.state = extent.form<T>(out.form);
    if (out.state != ScoreState::sorted) return;

    std::vector<std::size_t> places(n_chunks * n_parts);
    out.parts.reserve(n_parts + 1);
    out.n_above.reserve(n_parts);
    std::size_t place = 0, positive = 0, longest = 0;
    for (std::size_t part = 0; part < n_parts; ++part) {
        out.parts.push_back(place);
        out.n_above.push_back(positive);
        for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) {
            const std::uint32_t* count = counts.data() + (chunk * n_parts + part) * 2;
            places[chunk * n_parts + part] = place;
            place += std::size_t{count[0]} + count[1];
            positive += count[1];
        }
        longest = std::max(longest, place - out.parts.back());
    }
    out.parts.push_back(place);
    out.n = place;

    out.memory = Scratch<Row>(place);
    Row* rows = out.memory.data();
    parallel_tasks(ctx, n_chunks, ns_per_chunk, [&](std::size_t chunk, int) {
        std::size_t* next = places.data() + chunk * n_parts;
        for (std::size_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) {
            const double weight = weights.data ? weights[i] : 1.0;
            if (weight == 0) continue;
            const Magnitude m = magnitude(scores[i]);
            rows[next[divider.part(m)]++] = Row::make(out.form.key(m), labels[i], weight);
        }
    });

    const double ns_per_part = ns_per_row * static_cast<double>(n) / static_cast<double>(n_parts);
    const int n_workers = threads_for(ctx, ns_per_part * static_cast<double>(n_parts));
    Scratch<Row> spare(longest * static_cast<std::size_t>(n_workers));
    parallel_tasks(ctx, n_parts, ns_per_part, [&](std::size_t part, int thread) {
        sort_rows(rows + out.parts[part], out.parts[part + 1] - out.parts[part],
                  spare.data() + longest * static_cast<std::size_t>(thread));
    });
}

} // namespace

template <class Row>
void sort_rows(Row* rows, std::size_t n, Row* spare) {
    if (n <= insertion_rows) return insert_rows(rows, n, rows);
    std::int64_t low = rows[0].key(), high = low;
    for (std::size_t i = 1; i < n; ++i) {
        low = std::min(low, rows[i].key());
        high = std::max(high, rows[i].key());
    }
    if (low == high) return;
    const auto base = static_cast<std::uint64_t>(low), width = static_cast<std::uint64_t>(high) - base;
    const std::size_t n_digits = std::min(std::bit_ceil(n), max_digits);
    const int shift = std::max(0, static_cast<int>(std::bit_width(width)) - std::countr_zero(n_digits));
    const auto digit = [&](const Row& row) { return (static_cast<std::uint64_t>(row.key()) - base) >> shift; };

    std::array<std::uint32_t, max_digits> places;
    std::fill_n(places.data(), n_digits, 0);
    for (std::size_t i = 0; i < n; ++i) ++places[digit(rows[i])];
    std::uint32_t place = 0, longest = 0;
    for (std::size_t d = 0; d < n_digits; ++d) {
        const std::uint32_t count = places[d];
        places[d] = place;
        place += count;
        longest = std::max(longest, count);
    }
    for (std::size_t i = 0; i < n; ++i) spare[places[digit(rows[i])]++] = rows[i];
    if (longest > insertion_rows && shift > 0) { // places are now where digits end
        std::size_t begin = 0;
        for (std::size_t d = 0; d < n_digits; ++d) {
            if (places[d] - begin > insertion_rows) sort_rows(spare + begin, places[d] - begin, rows + begin);
            begin = places[d];
        }
    }
    insert_rows(spare, n, rows);
}

template <class Row, class T>
SortedScores<Row> sort_scores(const RunContext& ctx, VectorView<const T> scores, const std::uint8_t* labels,
                              VectorView<const double> weights) {
    SortedScores<Row> out;
    if (scores.size > std::numeric_limits<std::uint32_t>::max())
        throw ValueError("metrics of scores take at most 2^32 - 1 rows, got " + std::to_string(scores.size));
    if (scores.size < undivided_rows)
        sort_undivided(scores, labels, weights, out);
    else
        sort_divided(ctx, scores, labels, weights, out);
    return out;
}

template void sort_rows(LabelledKey*, std::size_t, LabelledKey*);
template void sort_rows(WeightedKey*, std::size_t, WeightedKey*);
template void sort_rows(ScoredValue*, std::size_t, ScoredValue*);
template SortedScores<LabelledKey> sort_scores(const RunContext&, VectorView<const double>, const std::uint8_t*,
                                               VectorView<const double>);
template SortedScores<LabelledKey> sort_scores(const RunContext&, VectorView<const float>, const std::uint8_t*,
                                               VectorView<const double>);
template SortedScores<WeightedKey> sort_scores(const RunContext&, VectorView<const double>, const std::uint8_t*,
                                               VectorView<const double>);
template SortedScores<WeightedKey> sort_scores(const RunContext&, VectorView<const float>, const std::uint8_t*,
                                               VectorView<const double>);

} // namespace mlcore::metrics
