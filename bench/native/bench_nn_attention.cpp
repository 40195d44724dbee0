// Scaled dot product attention, forward and forward with backward. Operations are those of the matrix products alone:
// two forward, five backward; half of them where a causal mask hides half of the pairs.
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/attention/attention.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#include <vector>

using namespace mlcore;
using namespace mlcore::nn;

namespace {

struct Shape {
    std::size_t batch, heads, length, depth;
};

Buffer<float> normal(std::size_t n, std::uint64_t stream) {
    const Philox random(1, stream);
    Buffer<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(random.uniform(i) * 2 - 1);
    return x;
}

void attention_of(int n_threads, const bench::Peaks& peaks, const Shape& s, bool causal, float dropout) {
    const StandaloneRun run(n_threads, 1);
    const std::size_t size = s.batch * s.heads * s.length * s.depth;
    const Buffer<float> q = normal(size, 0), k = normal(size, 1), v = normal(size, 2), dout = normal(size, 3);
    Buffer<float> out(size), log_sums(2 * size / s.depth), dq(size), dk(size), dv(size);
    const auto view = [&](auto* data) {
        const auto row = static_cast<std::ptrdiff_t>(s.depth), head = static_cast<std::ptrdiff_t>(s.length) * row;
        return HeadsView<std::remove_pointer_t<decltype(data)>>{data, static_cast<std::ptrdiff_t>(s.heads) * head, head,
                                                                row};
    };
    Attention a;
    a.batch = s.batch, a.heads = s.heads, a.n_queries = a.n_keys = s.length, a.depth = a.value_depth = s.depth;
    a.q = view(q.data()), a.k = view(k.data()), a.v = view(v.data());
    a.scale = 0.125F, a.causal = causal, a.dropout = dropout;
    const auto forward = [&] { attention(run.context, a, view(out.data()), log_sums.data()); };
    const HeadsView<const float> result = view(static_cast<const float*>(out.data()));
    const auto both = [&] {
        forward();
        attention_backward(run.context, a, result, log_sums.data(), view(dout.data()),
                           {view(dq.data()), view(dk.data()), view(dv.data()), nullptr});
    };
    forward();
    if (causal && dropout == 0 && std::abs(out[1] - v[1]) > 1e-5F) std::abort(); // the first query sees one key
    const double product = 2.0 * static_cast<double>(size) * static_cast<double>(s.length) / (causal ? 2 : 1);
    char name[64];
    const auto label = [&](const char* pass) {
        std::snprintf(name, sizeof name, "(%zu, %zu, %zu, %zu)%s%s, %s", s.batch, s.heads, s.length, s.depth,
                      causal ? " causal" : "", dropout > 0 ? " dropout" : "", pass);
        return name;
    };
    const double peak = peaks.fma_gflop * 1e9;
    bench::print_result(label("forward"), bench::median_seconds(forward, 5), 2 * product, "FLOP", peak);
    bench::print_result(label("both"), bench::median_seconds(both, 5), 7 * product, "FLOP", peak);
}

/// Sentences of 5 to 60 words, packed, as in a batch of translation: heads side by side in one projection.
void ragged_attention(int n_threads, const bench::Peaks& peaks, std::size_t depth, bool causal, float dropout) {
    constexpr std::size_t batch = 160, n_heads = 4;
    const StandaloneRun run(n_threads, 1);
    const Philox random(3, 0);
    std::vector<std::int64_t> offsets{0};
    double pairs = 0;
    for (std::size_t b = 0; b < batch; ++b) {
        const double u = random.uniform(b);
        const auto length = static_cast<std::int64_t>(5 + 55 * u * u); // 23 on average
        offsets.push_back(offsets.back() + length);
        pairs += static_cast<double>(length * length) / (causal ? 2 : 1);
    }
    const auto rows = static_cast<std::size_t>(offsets.back());
    const std::size_t width = n_heads * depth;
    const Buffer<float> projected = normal(rows * 3 * width, 0), dout = normal(rows * width, 1);
    Buffer<float> out(rows * width), log_sums(2 * rows * n_heads), gradient(rows * 3 * width);
    const auto view = [&](auto* data, std::size_t row) {
        return HeadsView<std::remove_pointer_t<decltype(data)>>{data, 0, static_cast<std::ptrdiff_t>(depth),
                                                                static_cast<std::ptrdiff_t>(row)};
    };
    Attention a;
    a.batch = batch, a.heads = n_heads, a.n_queries = a.n_keys = rows, a.depth = a.value_depth = depth;
    a.query_offsets = a.key_offsets = offsets.data();
    a.q = view(projected.data(), 3 * width), a.k = view(projected.data() + width, 3 * width);
    a.v = view(projected.data() + 2 * width, 3 * width);
    a.scale = 0.125F, a.causal = causal, a.dropout = dropout;
    const auto forward = [&] { attention(run.context, a, view(out.data(), width), log_sums.data()); };
    const HeadsView<const float> result = view(static_cast<const float*>(out.data()), width);
    const auto backward = [&] {
        attention_backward(run.context, a, result, log_sums.data(), view(dout.data(), width),
                           {view(gradient.data(), 3 * width), view(gradient.data() + width, 3 * width),
                            view(gradient.data() + 2 * width, 3 * width), nullptr});
    };
    forward();
    const double product = 2.0 * pairs * static_cast<double>(width), peak = peaks.fma_gflop * 1e9;
    char name[80];
    const auto label = [&](const char* pass) {
        std::snprintf(name, sizeof name, "%zu of 5..60, %zu heads of %zu%s%s, %s", batch, n_heads, depth,
                      causal ? " causal" : "", dropout > 0 ? " dropout" : "", pass);
        return name;
    };
    bench::print_result(label("forward"), bench::median_seconds(forward, 21), 2 * product, "FLOP", peak);
    bench::print_result(label("backward"), bench::median_seconds(backward, 21), 5 * product, "FLOP", peak);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    for (const std::size_t depth : {32, 64})
        for (const bool causal : {false, true}) ragged_attention(n_threads, peaks, depth, causal, 0);
    ragged_attention(n_threads, peaks, 32, false, 0.1F);
    for (const bool causal : {false, true}) {
        attention_of(n_threads, peaks, {8, 12, 512, 64}, causal, 0);
        attention_of(n_threads, peaks, {1, 8, 4096, 64}, causal, 0);
    }
    attention_of(n_threads, peaks, {8, 12, 512, 64}, false, 0.1F);
    attention_of(n_threads, peaks, {32, 6, 128, 64}, false, 0);
    attention_of(n_threads, peaks, {32, 6, 128, 64}, false, 0.1F);
}
