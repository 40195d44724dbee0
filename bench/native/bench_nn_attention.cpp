// Scaled dot product attention, forward and forward with backward. Operations are those of the matrix products alone:
// two forward, five backward; half of them where a causal mask hides half of the pairs.
#include "bench.hpp"

#include "core/random.hpp"
#include "nn/attention/attention.hpp"

#include <cmath>
#include <cstdio>
#include <type_traits>

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

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    for (const bool causal : {false, true}) {
        attention_of(n_threads, peaks, {8, 12, 512, 64}, causal, 0);
        attention_of(n_threads, peaks, {1, 8, 4096, 64}, causal, 0);
    }
    attention_of(n_threads, peaks, {8, 12, 512, 64}, false, 0.1F);
    attention_of(n_threads, peaks, {32, 6, 128, 64}, false, 0);
    attention_of(n_threads, peaks, {32, 6, 128, 64}, false, 0.1F);
}
