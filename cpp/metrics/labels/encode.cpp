#include "metrics/labels/encode.hpp"

#include "core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

namespace mlcore::metrics {
namespace {

constexpr double largest_whole = 9007199254740992.0; // 2^53: up to here every whole number is a double of its own

/// What the rows of a block say together.
struct Bounds {
    std::int64_t low = std::numeric_limits<std::int64_t>::max(), high = std::numeric_limits<std::int64_t>::min();
    bool whole = true;
};

Bounds join(Bounds a, const Bounds& b) {
    return {std::min(a.low, b.low), std::max(a.high, b.high), a.whole && b.whole};
}

template <class T, class Read>
Bounds bounds_of(Read read, std::size_t begin, std::size_t end) {
    if constexpr (std::is_floating_point_v<T>) {
        T low = std::numeric_limits<T>::infinity(), high = -low;
        bool bad = false;
        for (std::size_t i = begin; i < end; ++i) {
            const T x = read(i);
            bad |= !(x == std::trunc(x)); // NaN
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        if (bad || !(low >= -largest_whole && high <= largest_whole)) return {0, 0, false};
        return {static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), true};
    } else if constexpr (std::is_same_v<T, Boolean>) {
        std::uint8_t any = 0, all = 1;
        for (std::size_t i = begin; i < end; ++i) {
            const auto x = static_cast<std::uint8_t>(static_cast<std::uint8_t>(read(i)) != 0);
            any |= x;
            all &= x;
        }
        return {all, any, true};
    } else {
        T low = std::numeric_limits<T>::max(), high = std::numeric_limits<T>::min();
        for (std::size_t i = begin; i < end; ++i) {
            const T x = read(i);
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        if constexpr (std::is_same_v<T, std::uint64_t>)
            if (high > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {0, 0, false};
        return {static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), true};
    }
}

template <class T, class Read>
bool narrow(Read read, std::size_t n, std::int64_t low, std::uint32_t width, std::uint16_t* out) {
    bool bad = false;
    if constexpr (std::is_floating_point_v<T>) {
        const auto first = static_cast<double>(low), n_labels = static_cast<double>(width);
        if (std::abs(first) > largest_whole) return false; // the labels would not be exact
        for (std::size_t i = 0; i < n; ++i) {
            const double distance = static_cast<double>(read(i)) - first;
            const bool inside = distance >= 0 && distance < n_labels;
            const auto code = static_cast<std::int32_t>(inside ? distance : 0.0);
            bad |= !inside || static_cast<double>(code) != distance;
            out[i] = static_cast<std::uint16_t>(code);
        }
    } else {
        const auto first = static_cast<std::uint64_t>(low);
        for (std::size_t i = 0; i < n; ++i) {
            std::uint64_t value;
            if constexpr (std::is_same_v<T, Boolean>)
                value = static_cast<std::uint8_t>(read(i)) != 0;
            else
                value = static_cast<std::uint64_t>(static_cast<std::int64_t>(read(i)));
            const std::uint64_t distance = value - first;
            bad |= distance >= width;
            // Beyond int64, the distance from a negative label would come around.
            if constexpr (std::is_same_v<T, std::uint64_t>) bad |= (value >> 63) != 0;
            out[i] = static_cast<std::uint16_t>(distance);
        }
    }
    return !bad;
}

template <class T>
std::int64_t whole(T x) {
    if constexpr (std::is_same_v<T, Boolean>)
        return static_cast<std::uint8_t>(x) != 0;
    else
        return static_cast<std::int64_t>(x);
}

/// Every bit of x reaches every bit of the result (the finaliser of MurmurHash3): labels may differ in a few high bits.
std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDu;
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53u;
    return x ^ (x >> 33);
}

std::uint64_t hash_of(std::int64_t label) { return mixed(static_cast<std::uint64_t>(label)); }

std::uint64_t hash_of(std::u32string_view label) {
    std::uint64_t h = label.size();
    for (const char32_t character : label) h = (std::rotl(h, 5) ^ character) * 0x9E3779B97F4A7C15u;
    return mixed(h);
}

/// Distinct keys, numbered in the order in which they come; open addressing, at most half full.
template <class Key>
class Numbering {
  public:
    explicit Numbering(std::size_t expected = 16) : slots_(std::bit_ceil(2 * expected), empty) {}

    std::uint32_t add(const Key& key) {
        std::uint32_t& slot = slots_[find(key)];
        if (slot != empty) return slot;
        const auto number = static_cast<std::uint32_t>(keys_.size());
        slot = number;
        keys_.push_back(key);
        if (2 * keys_.size() > slots_.size()) grow();
        return number;
    }

    /// Of a key that was added.
    std::uint32_t number(const Key& key) const { return slots_[find(key)]; }

    const std::vector<Key>& keys() const { return keys_; }

  private:
    static constexpr std::uint32_t empty = std::numeric_limits<std::uint32_t>::max();

    std::size_t find(const Key& key) const {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = hash_of(key) & mask;
        while (slots_[at] != empty && keys_[slots_[at]] != key) at = (at + 1) & mask;
        return at;
    }

    void grow() {
        slots_.assign(2 * slots_.size(), empty);
        for (std::size_t k = 0; k < keys_.size(); ++k) slots_[find(keys_[k])] = static_cast<std::uint32_t>(k);
    }

    std::vector<std::uint32_t> slots_;
    std::vector<Key> keys_;
};

/// Each part of the rows collects its distinct keys; all of them sorted are the labels, and the rows are looked up.
template <class Key, class Read>
std::pair<std::vector<Key>, std::vector<std::uint32_t>> encode_hashed(const RunContext& ctx, std::size_t n,
                                                                      double ns_per_row, Read read) {
    const std::size_t n_parts = std::clamp<std::size_t>(n / 16384, 1, 64), each = (n + n_parts - 1) / n_parts;
    std::vector<std::vector<Key>> found(n_parts);
    parallel_tasks(ctx, n_parts, ns_per_row * static_cast<double>(each), [&](std::size_t part, int) {
        Numbering<Key> distinct;
        for (std::size_t i = part * each; i < std::min(n, (part + 1) * each); ++i) distinct.add(read(i));
        found[part] = distinct.keys();
    });
    std::vector<Key> labels;
    for (const auto& part : found) labels.insert(labels.end(), part.begin(), part.end());
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());

    Numbering<Key> position(labels.size() + 1);
    for (const Key& label : labels) position.add(label);
    std::vector<std::uint32_t> codes(n);
    parallel_ranges(ctx, n, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) codes[i] = position.number(read(i));
    });
    return {std::move(labels), std::move(codes)};
}

/// Labels in a range that a table can span.
template <class Read>
Encoded<std::int64_t> encode_in_range(const RunContext& ctx, std::size_t n, LabelRange range, Read read) {
    const std::size_t width = range.width();
    const auto place = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<std::uint64_t>(whole(read(i))) -
                                        static_cast<std::uint64_t>(range.low));
    };
    std::vector<std::uint8_t> seen(width, 0);
    parallel_ranges(ctx, n, 1.0, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) // all threads that write to a byte write the same
            std::atomic_ref(seen[place(i)]).store(1, std::memory_order_relaxed);
    });
    Encoded<std::int64_t> encoded;
    std::vector<std::uint32_t> position(width);
    for (std::size_t k = 0; k < width; ++k) {
        position[k] = static_cast<std::uint32_t>(encoded.labels.size());
        if (seen[k]) encoded.labels.push_back(range.low + static_cast<std::int64_t>(k));
    }
    encoded.codes.resize(n);
    parallel_ranges(ctx, n, 1.0, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) encoded.codes[i] = position[place(i)];
    });
    return encoded;
}

} // namespace

std::optional<LabelRange> label_range(const RunContext& ctx, const LabelColumn& column, std::size_t begin,
                                      std::size_t end) {
    const Bounds bounds = with_label_type(column.type, [&]<class T>(T) {
        return with_rows<T>(column, [&](auto read) {
            return parallel_reduce(
                ctx, end - begin, 0.5, Bounds{},
                [&](std::size_t b, std::size_t e) { return bounds_of<T>(read, begin + b, begin + e); }, join);
        });
    });
    if (!bounds.whole) return std::nullopt;
    return LabelRange{bounds.low, bounds.high};
}

bool narrow_labels(const LabelColumn& column, std::size_t begin, std::size_t end, std::int64_t low, std::uint32_t width,
                   std::uint16_t* out) {
    return with_label_type(column.type, [&]<class T>(T) {
        return with_rows<T>(column, [&](auto read) {
            return narrow<T>([&](std::size_t i) { return read(begin + i); }, end - begin, low, width, out);
        });
    });
}

std::optional<Encoded<std::int64_t>> encode_numbers(const RunContext& ctx, const LabelColumn& column) {
    const std::size_t n = column.size;
    if (n == 0) return Encoded<std::int64_t>{};
    const auto range = label_range(ctx, column, 0, n);
    if (!range) return std::nullopt;
    const std::uint64_t width = range->width(), widest = std::max<std::uint64_t>(1024, 2 * std::uint64_t{n});
    return with_label_type(column.type, [&]<class T>(T) {
        return with_rows<T>(column, [&](auto read) {
            if (width != 0 && width <= widest) return encode_in_range(ctx, n, *range, read);
            auto [labels, codes] =
                encode_hashed<std::int64_t>(ctx, n, 4.0, [&](std::size_t i) { return whole(read(i)); });
            return Encoded<std::int64_t>{std::move(labels), std::move(codes)};
        });
    });
}

Encoded<std::u32string> encode_strings(const RunContext& ctx, const StringColumn& column) {
    auto [labels, codes] = encode_hashed<std::u32string_view>(ctx, column.size, 8.0 + static_cast<double>(column.width),
                                                              [&](std::size_t i) { return column[i]; });
    return {{labels.begin(), labels.end()}, std::move(codes)};
}

void relabel(const RunContext& ctx, std::span<std::uint32_t> codes, std::span<const std::uint32_t> position) {
    parallel_ranges(ctx, codes.size(), 0.5, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t i = begin; i < end; ++i) codes[i] = position[codes[i]];
    });
}

template <class Label>
std::vector<Label> unite(const RunContext& ctx, Encoded<Label>& a, Encoded<Label>& b) {
    if (a.labels == b.labels) return a.labels;
    std::vector<Label> all;
    std::set_union(a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(), std::back_inserter(all));
    for (Encoded<Label>* column : {&a, &b}) {
        std::vector<std::uint32_t> position;
        for (std::size_t k = 0; k < all.size() && position.size() < column->labels.size(); ++k)
            if (column->labels[position.size()] == all[k]) position.push_back(static_cast<std::uint32_t>(k));
        relabel(ctx, column->codes, position);
    }
    return all;
}

template std::vector<std::int64_t> unite(const RunContext&, Encoded<std::int64_t>&, Encoded<std::int64_t>&);
template std::vector<std::u32string> unite(const RunContext&, Encoded<std::u32string>&, Encoded<std::u32string>&);

} // namespace mlcore::metrics
