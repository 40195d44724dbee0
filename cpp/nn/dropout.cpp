#include "nn/dropout.hpp"

#include "core/parallel.hpp"
#include "nn/philox_vectors.hpp"
#include "nn/row_sums.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace mlcore::nn {
namespace {

using simd::Floats, simd::lanes;
using Integers = simd::Integers;

constexpr std::size_t vectors_of_group = random_group / lanes;

/// A run of entries whose mask is one vector of words: bit v of lane l tells whether entry v lanes + l is kept.
constexpr std::size_t run_length = 32 * lanes;
static_assert(512 % run_length == 0); // of which a mask of any level holds a whole number

float kept_scale(double p) { return p < 1 ? static_cast<float>(1 / (1 - p)) : 0.0f; }

constexpr std::uint64_t dropout_stream = 0x64726f70, noise_stream = 0x6e6f6973;

/// f(words, j, count) for the vectors of [0, n); words: those of the entries from j on.
template <class F>
void for_random_vectors(const RunContext& ctx, std::size_t n, double ns, std::uint64_t seed, std::uint64_t stream,
                        F f) {
    parallel_ranges(ctx, n, ns, [&](std::size_t begin, std::size_t end, int) { // cuts are at multiples of a group
        for (std::size_t group = begin; group < end; group += random_group) {
            const GroupWords words = group_words(seed, stream, group / random_group);
            const std::size_t last = std::min(group + random_group, end);
            if (last - group == random_group) {
#pragma GCC unroll 8
                for (std::size_t v = 0; v < random_group / lanes; ++v) f(words[v], group + v * lanes, lanes);
            } else {
                for_vectors(group, last,
                            [&](std::size_t j, std::size_t count) { f(words[(j - group) / lanes], j, count); });
            }
        }
    });
}

} // namespace

void dropout(const RunContext& ctx, const float* x, const float* residual, std::size_t n, double p, std::uint64_t seed,
             float* y, std::uint32_t* mask) {
    // Kept are the words from the threshold on; with p = 1 none is, with p = 0 all are.
    const auto threshold = static_cast<std::uint32_t>(std::min(std::ldexp(p, 32), 4294967295.0));
    const float scale = kept_scale(p);
    const auto store = [=](std::size_t j, Words kept, auto count) {
        const Floats v = (Floats)(kept & (Words)(load_count(x + j, count) * scale));
        store_count(y + j, residual ? v + load_count(residual + j, count) : v, count);
    };
    parallel_tasks(ctx, mask_words(n) / lanes, 0.5 * run_length, [&](std::size_t run, int) {
        const std::size_t begin = run * run_length;
        Words bits{};
        for (std::size_t group = 0; group < lanes && begin + group * random_group < n; ++group) {
            const std::size_t first = begin + group * random_group;
            const GroupWords words = group_words(seed, dropout_stream, first / random_group);
            const Words at = Words{} + (1U << (group * vectors_of_group));
#pragma GCC unroll 8
            for (std::size_t v = 0; v < vectors_of_group; ++v) {
                const Words kept = (Words)(words[v] >= threshold);
                bits |= kept & (at << static_cast<std::uint32_t>(v));
                const std::size_t j = first + v * lanes;
                if (j + lanes <= n)
                    store(j, kept, AllLanes{});
                else if (j < n)
                    store(j, kept, n - j);
            }
        }
        if (mask) std::memcpy(mask + run * lanes, &bits, sizeof bits);
    });
}

void dropout_backward(const RunContext& ctx, const float* dy, const std::uint32_t* mask, std::size_t n, double p,
                      float* dx) {
    const float scale = kept_scale(p);
    parallel_tasks(ctx, mask_words(n) / lanes, 0.2 * run_length, [&](std::size_t run, int) {
        Words bits;
        std::memcpy(&bits, mask + run * lanes, sizeof bits);
        const std::size_t begin = run * run_length;
        const auto store = [&](std::size_t v, std::size_t j, auto count) {
            const Words kept = (Words)((bits & (1U << v)) != 0);
            store_count(dx + j, (Floats)(kept & (Words)(load_count(dy + j, count) * scale)), count);
        };
        if (begin + run_length <= n) {
#pragma GCC unroll 4
            for (std::size_t v = 0; v < 32; ++v) store(v, begin + v * lanes, AllLanes{});
        } else {
            for_vectors(begin, std::max(begin, n),
                        [&](std::size_t j, std::size_t count) { store((j - begin) / lanes, j, count); });
        }
    });
}

void gaussian_noise(const RunContext& ctx, const float* x, std::size_t n, float std, std::uint64_t seed, float* y) {
    for_random_vectors(ctx, n, 2, seed, noise_stream, [=](Words words, std::size_t j, std::size_t count) {
        // Words come in pairs: the even one gives the radius, the odd one the angle, in both of a pair.
        const WideWords pair = (WideWords)words;
        const Words even = interleave(pair, pair), odd = interleave(pair >> 32, pair >> 32);
        const Floats unit = __builtin_convertvector((Integers)(even >> 8), Floats) + 0.5f; // in (0, 2^24)
        const Floats squared = -2 * vf::log(unit * 0x1p-24f);
        Floats radius;
        for (std::size_t l = 0; l < lanes; ++l) radius[l] = std::sqrt(squared[l]);
        // The angle is a quarter turn (2 bits) and a rest within an eighth of a turn on either side of 0.
        const Floats t = (__builtin_convertvector((Integers)((odd << 2) >> 8), Floats) + 0.5f) * 0x1p-24f - 0.5f;
        const Floats a = t * 1.57079633f, a2 = a * a;
        constexpr std::array sine{1.0f, -0x1.555546p-3f, 0x1.11073ep-7f, -0x1.9943f2p-13f};
        constexpr std::array cosine{1.0f, -0.5f, 0x1.55553ep-5f, -0x1.6c0c1ep-10f, 0x1.99eb9cp-16f};
        const Floats s = a * vf::polynomial(a2, sine), c = vf::polynomial(a2, cosine);
        // Of a pair one takes the cosine, the other the sine; a quarter turn swaps them, with a sign.
        Integers lane;
        for (std::size_t l = 0; l < lanes; ++l) lane[l] = static_cast<int>(l);
        const Integers turn = (Integers)(odd >> 30), place = (lane + turn) & 1;
        const Integers negative = ((turn + 1 - (lane & 1)) & 2) << 30;
        const Floats wave = (Floats)((Integers)(place ? s : c) ^ negative);
        store_count(y + j, simd::fma(radius * wave, simd::broadcast(std), load_count(x + j, count)), count);
    });
}

} // namespace mlcore::nn
