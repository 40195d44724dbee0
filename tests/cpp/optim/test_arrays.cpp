// Many arrays at once against one after the other: sizes around the chunk, rows, any number of threads.
#include "check.hpp"

#include "optim/arrays.hpp"

#include <algorithm>

using namespace mlcore;
using namespace mlcore::optim;

namespace {

std::vector<float> numbers(std::size_t n, double phase) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(std::sin(phase + static_cast<double>(i)));
    return x;
}

struct Network {
    std::vector<std::vector<float>> p, g, v, s;

    Network() {
        for (const std::size_t n : {0, 1, 15, 16384, 16385, 40000}) {
            p.push_back(numbers(n, 1));
            g.push_back(numbers(n, 2));
            v.emplace_back(n, 0.0f);
            s.emplace_back(n, 0.0f);
        }
    }

    std::vector<ParameterArray> arrays(std::uint64_t t) {
        std::vector<ParameterArray> made;
        for (std::size_t a = 0; a < p.size(); ++a)
            made.push_back({.size = p[a].size(),
                            .gradient = g[a].data(),
                            .parameters = p[a].data(),
                            .velocity = v[a].data(),
                            .squares = s[a].data(),
                            .t = t});
        return made;
    }
};

} // namespace

TEST(all_arrays_at_once_are_those_one_by_one) {
    const OptimizerParams params{.rule = Rule::adamw, .weight_decay = 0.01};
    Network expected;
    for (std::uint64_t t = 1; t < 4; ++t)
        for (std::size_t a = 0; a < expected.p.size(); ++a)
            update(params, t,
                   Piece<float>{expected.p[a].size(), expected.g[a].data(), expected.p[a].data(), expected.v[a].data(),
                                expected.s[a].data()});
    for (const int n_threads : {1, 2, 3}) {
        StandaloneRun run(n_threads);
        Network network;
        for (std::uint64_t t = 1; t < 4; ++t) update_arrays(run.context, params, network.arrays(t));
        CHECK(network.p == expected.p);
        CHECK(network.v == expected.v);
        CHECK(network.s == expected.s);
    }
}

TEST(a_gradient_by_rows_touches_no_others) {
    constexpr std::size_t width = 700, n_rows = 60;
    const std::vector<std::int64_t> rows = {0,  3,  4,  30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
                                            41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 59};
    const OptimizerParams params{.rule = Rule::adam, .weight_decay = 0.1};
    const std::vector<float> before = numbers(width * n_rows, 1), g = numbers(width * rows.size(), 2);
    std::vector<float> dense_p = before, dense_g(before.size()), v(before.size()), s(before.size());
    for (std::size_t k = 0; k < rows.size(); ++k)
        std::copy_n(&g[k * width], width, &dense_g[static_cast<std::size_t>(rows[k]) * width]);
    update(params, 1, Piece<float>{before.size(), dense_g.data(), dense_p.data(), v.data(), s.data()});
    for (const int n_threads : {1, 3}) {
        StandaloneRun run(n_threads);
        std::vector<float> p = before, sparse_v(before.size()), sparse_s(before.size());
        const ParameterArray array{.size = g.size(),
                                   .gradient = g.data(),
                                   .parameters = p.data(),
                                   .velocity = sparse_v.data(),
                                   .squares = sparse_s.data(),
                                   .t = 1,
                                   .rows = rows.data(),
                                   .width = width};
        update_arrays(run.context, params, {&array, 1});
        for (std::size_t i = 0; i < before.size(); ++i) {
            const bool is_given =
                std::find(rows.begin(), rows.end(), static_cast<std::int64_t>(i / width)) != rows.end();
            CHECK_EQUAL(p[i], is_given ? dense_p[i] : before[i]);
            if (!is_given) CHECK_EQUAL(sparse_v[i], 0.0f);
        }
    }
}

TEST(sums_of_squares_do_not_depend_on_the_threads) {
    Network network;
    std::vector<std::span<const float>> spans;
    for (const auto& g : network.g) spans.emplace_back(g);
    StandaloneRun one(1), three(3);
    const auto sums = square_sums(one.context, spans);
    CHECK(sums == square_sums(three.context, spans));
    for (std::size_t a = 0; a < spans.size(); ++a) {
        double expected = 0;
        for (const float x : spans[a]) expected += static_cast<double>(x) * static_cast<double>(x);
        CHECK_CLOSE(sums[a], expected, 1e-12 * (1 + expected));
    }
}

TEST(a_large_gradient_does_not_overflow_its_norm) {
    const std::vector<float> g(3, 1e30f);
    const std::span<const float> span(g);
    StandaloneRun run(1);
    CHECK_CLOSE(square_sums(run.context, {&span, 1})[0], 3e60, 1e54);
}

TEST(blend_moves_towards_the_source) {
    std::vector<float> target = numbers(20000, 1);
    const std::vector<float> before = target, source = numbers(20000, 2);
    const Blend pair{target.size(), target.data(), source.data()};
    StandaloneRun run(2);
    blend(run.context, {&pair, 1}, 0.25f);
    for (std::size_t i = 0; i < target.size(); ++i) CHECK_CLOSE(target[i], 0.75 * before[i] + 0.25 * source[i], 1e-6);
}
