// Kernels of networks in a child that was forked after the parent's threads and its pool of memory were in use: the
// child does the same work, to the same bits, and the parent goes on.
#include "fork.hpp"

#include "core/context.hpp"
#include "linalg/gemm.hpp"
#include "nn/attention/attention.hpp"
#include "nn/dropout.hpp"
#include "nn/layer_norm.hpp"
#include "nn/softmax.hpp"
#include "nn/twin.hpp"

using namespace mlcore;
using namespace mlcore::nn;

#ifdef HAS_FORK

namespace {

constexpr std::size_t rows = 512, width = 256;

template <class T>
HeadsView<T> heads(T* data) { // four heads of 64 columns each
    return {data, static_cast<std::ptrdiff_t>(rows * width), 64, static_cast<std::ptrdiff_t>(width)};
}

/// A product, a layer norm, dropout, a softmax and attention: large enough that three threads share each.
twin::Values all_kernels() {
    const StandaloneRun run(3);
    const twin::Values x = twin::normal(rows * width, 1), W = twin::normal(width * width, 2, 0.1f);
    twin::Values y(x.size()), mean(rows), rstd(rows), sums(2 * 4 * rows), all;
    const auto keep = [&] { all.insert(all.end(), y.begin(), y.end()); };
    linalg::gemm(run.context, row_major(x.data(), rows, width), row_major(W.data(), width, width),
                 row_major(y.data(), rows, width));
    keep();
    layer_norm(run.context, y.data(), rows, width, 1e-5f, nullptr, nullptr, y.data(), mean.data(), rstd.data());
    keep();
    dropout(run.context, y.data(), x.data(), y.size(), 0.3, 5, y.data());
    keep();
    softmax(run.context, x.data(), rows, width, y.data());
    keep();
    Attention problem;
    problem.batch = 1, problem.heads = 4, problem.n_queries = rows, problem.n_keys = rows;
    problem.depth = 64, problem.value_depth = 64, problem.scale = 0.125f;
    problem.q = problem.k = problem.v = heads(x.data());
    attention(run.context, problem, heads(y.data()), sums.data());
    keep();
    return all;
}

} // namespace

TEST(a_forked_child_computes_the_same_bits) {
    const twin::Values before = all_kernels();
    in_child([&] {
        CHECK(all_kernels() == before);
        in_child([&] { CHECK(all_kernels() == before); });
    });
    CHECK(all_kernels() == before);
}

#endif
