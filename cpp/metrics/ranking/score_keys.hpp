// Scores as integers of the same order, and what is sorted in their stead.
//
// The bits of a floating-point number are its sign and its magnitude; as a number in two's complement they are ordered
// as the scores are, and -0.0 and 0.0 are the same. A key is that number with the opposite sign, so that ascending keys
// are descending scores. A bias, subtracted from all magnitudes but 0, leaves 63 bits of it, and the 64th holds the
// label: an entry without a weight is 8 bytes. Scores of a column whose magnitudes span more than that (one below
// 2^-1022 of another that is above 2) have no key; callers replace them by their ranks.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace mlcore::metrics {

/// Magnitude and sign of the bits of a score.
struct Magnitude {
    std::int64_t size;     // >= 0; infinity or NaN from `infinite` on
    std::int64_t negative; // -1 where the score has a minus sign, else 0
};

template <class T>
inline constexpr std::int64_t infinite_magnitude = 0;
template <>
inline constexpr std::int64_t infinite_magnitude<double> = std::int64_t{0x7ff} << 52;
template <>
inline constexpr std::int64_t infinite_magnitude<float> = std::int64_t{0xff} << 23;

inline Magnitude magnitude(double score) {
    const auto bits = std::bit_cast<std::int64_t>(score);
    return {bits & std::numeric_limits<std::int64_t>::max(), bits >> 63};
}
inline Magnitude magnitude(float score) {
    const auto bits = std::bit_cast<std::int32_t>(score);
    return {bits & std::numeric_limits<std::int32_t>::max(), bits >> 31};
}

/// How the keys of one column are made.
struct KeyForm {
    std::int64_t bias = 0;

    static constexpr std::int64_t limit = std::int64_t{1} << 62; // keys lie strictly between -limit and limit

    std::int64_t key(Magnitude m) const {
        const std::int64_t size = m.size == 0 ? 0 : m.size - bias;
        return (size ^ ~m.negative) - ~m.negative; // minus the score's number
    }

    template <class T>
    T score(std::int64_t key) const {
        const std::int64_t size = key == 0 ? 0 : (key < 0 ? -key : key) + bias;
        if constexpr (sizeof(T) == 8) {
            const double value = std::bit_cast<double>(size);
            return key > 0 ? -value : value;
        } else {
            const float value = std::bit_cast<float>(static_cast<std::int32_t>(size));
            return key > 0 ? -value : value;
        }
    }
};

/// A row without a weight: key and label in 64 bits. Sums of such rows are counts.
struct LabelledKey {
    using Sum = std::uint64_t;

    std::int64_t bits;

    static LabelledKey make(std::int64_t key, unsigned label, double /*weight*/) {
        return {key * 2 + static_cast<std::int64_t>(label)};
    }
    std::int64_t key() const { return bits >> 1; }
    Sum positive() const { return static_cast<Sum>(bits & 1); }
    Sum negative() const { return static_cast<Sum>(~bits & 1); }
};

/// A row with a weight.
struct WeightedKey {
    using Sum = double;

    std::int64_t bits;
    double weight;

    static WeightedKey make(std::int64_t key, unsigned label, double weight) {
        return {key * 2 + static_cast<std::int64_t>(label), weight};
    }
    std::int64_t key() const { return bits >> 1; }
    Sum positive() const { return (bits & 1) != 0 ? weight : 0.0; }
    Sum negative() const { return (bits & 1) != 0 ? 0.0 : weight; }
};

/// What a row of a table of scores is sorted as: any two scores compare, and a number goes with each.
struct ScoredValue {
    std::int64_t order;
    double value;

    static ScoredValue make(double score, double value) { return {KeyForm{}.key(magnitude(score)), value}; }
    std::int64_t key() const { return order; }
};

} // namespace mlcore::metrics
