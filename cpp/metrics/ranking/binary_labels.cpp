#include "metrics/ranking/binary_labels.hpp"

#include "core/parallel.hpp"

#include <cstddef>
#include <type_traits>

namespace mlcore::metrics {
namespace {

constexpr double ns_per_row = 0.3;

/// f(at) where at(i) reads entry i: without a stride where there is none, so that the loop becomes vector code.
template <class T, class F>
void with_reader(VectorView<const T> labels, F&& f) {
    if (labels.contiguous())
        f([data = labels.data](std::size_t i) { return data[i]; });
    else
        f([labels](std::size_t i) { return labels[i]; });
}

} // namespace

template <class T>
BinaryLabels read_binary_labels(const RunContext& ctx, VectorView<const T> labels, std::uint8_t* codes) {
    constexpr unsigned zero = 1, minus_one = 2, other = 4;
    const unsigned seen = parallel_reduce(
        ctx, labels.size, ns_per_row, 0U,
        [&](std::size_t begin, std::size_t end) {
            unsigned flags = 0;
            with_reader(labels, [&](auto at) {
                std::uint8_t any = 0;
                for (std::size_t i = begin; i < end; ++i) {
                    const T y = at(i);
                    const auto is_one = static_cast<std::uint8_t>(y == T{1});
                    const auto is_zero = static_cast<std::uint8_t>(y == T{0});
                    std::uint8_t is_minus = 0;
                    if constexpr (std::is_signed_v<T>) is_minus = static_cast<std::uint8_t>(y == T{-1});
                    codes[i] = is_one;
                    const auto known = static_cast<std::uint8_t>(is_one | is_zero | is_minus);
                    any = static_cast<std::uint8_t>(any | is_zero | (is_minus << 1) | ((known ^ 1) << 2));
                }
                flags = any;
            });
            return flags;
        },
        [](unsigned a, unsigned b) { return a | b; });
    return {(seen & zero) != 0, (seen & minus_one) != 0, (seen & other) != 0};
}

template <class T>
void read_labels_against(const RunContext& ctx, VectorView<const T> labels, T positive, std::uint8_t* codes) {
    parallel_ranges(ctx, labels.size, ns_per_row, [&](std::size_t begin, std::size_t end, int) {
        with_reader(labels, [&](auto at) {
            for (std::size_t i = begin; i < end; ++i) codes[i] = static_cast<std::uint8_t>(at(i) == positive);
        });
    });
}

#define MLCORE_LABELS(T)                                                                                               \
    template BinaryLabels read_binary_labels(const RunContext&, VectorView<const T>, std::uint8_t*);                   \
    template void read_labels_against(const RunContext&, VectorView<const T>, T, std::uint8_t*);
MLCORE_LABELS(std::int8_t)
MLCORE_LABELS(std::int16_t)
MLCORE_LABELS(std::int32_t)
MLCORE_LABELS(std::int64_t)
MLCORE_LABELS(std::uint8_t)
MLCORE_LABELS(std::uint16_t)
MLCORE_LABELS(std::uint32_t)
MLCORE_LABELS(std::uint64_t)
MLCORE_LABELS(float)
MLCORE_LABELS(double)
#undef MLCORE_LABELS

} // namespace mlcore::metrics
