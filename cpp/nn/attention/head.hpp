// Where the rows of one head of one sequence lie, padded or packed, and how heads are dealt out to threads.
#pragma once

#include "core/parallel.hpp"
#include "nn/attention/attention.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <vector>

namespace mlcore::nn {

/// One head of one sequence.
struct Head {
    std::size_t b, h;
    std::size_t stream;                 // the number of this head among all: its random numbers
    std::size_t first_query, n_queries; // rows
    std::size_t first_key, n_keys;
    std::size_t n_seen;     // keys that are not padding
    std::size_t statistics; // of its first query, in log_sums

    Head(const Attention& a, std::size_t sequence, std::size_t head) : b(sequence), h(head), stream(b * a.heads + h) {
        const auto row = [](std::int64_t offset) { return static_cast<std::size_t>(offset); };
        if (a.query_offsets) {
            first_query = row(a.query_offsets[b]), n_queries = row(a.query_offsets[b + 1]) - first_query;
            first_key = row(a.key_offsets[b]), n_keys = row(a.key_offsets[b + 1]) - first_key;
            n_seen = n_keys;
            statistics = first_query * a.heads + h * n_queries;
        } else {
            first_query = first_key = 0, n_queries = a.n_queries, n_keys = a.n_keys;
            n_seen = a.lengths ? row(a.lengths[b]) : n_keys;
            statistics = stream * n_queries;
        }
    }

    template <class T>
    T* query_row(HeadsView<T> x, std::size_t i) const {
        return x.head(b, h) + static_cast<std::ptrdiff_t>(first_query + i) * x.row_stride;
    }
    template <class T>
    T* key_row(HeadsView<T> x, std::size_t i) const {
        return x.head(b, h) + static_cast<std::ptrdiff_t>(first_key + i) * x.row_stride;
    }
};

/// Number of rows in log_sums: of all heads, for maxima or for logarithms.
inline std::size_t n_statistics(const Attention& a) { return a.heads * a.n_queries * (a.query_offsets ? 1 : a.batch); }

/// A part of one head.
struct HeadTask {
    std::size_t b, h, part;
};

/// Tasks of unlike size, dealt out longest first, small ones several at a time.
class HeadTasks {
  public:
    /// parts(head): into how many tasks a head is cut; ns(head): what one of them costs.
    template <class Parts, class Cost>
    HeadTasks(const Attention& a, Parts&& parts, Cost&& ns) {
        if (a.heads == 0) return;
        std::vector<double> costs(a.batch);
        std::vector<std::size_t> order(a.batch);
        for (std::size_t b = 0; b < a.batch; ++b) costs[b] = ns(Head(a, b, 0));
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t b, std::size_t c) { return costs[b] > costs[c]; });
        double run_ns = run_length_ns; // the first task begins a run
        for (const std::size_t b : order) {
            const std::size_t n_parts = parts(Head(a, b, 0));
            for (std::size_t h = 0; h < a.heads; ++h)
                for (std::size_t part = 0; part < n_parts; ++part) {
                    if (run_ns >= run_length_ns) {
                        runs_.push_back(tasks_.size());
                        run_ns = 0;
                    }
                    tasks_.push_back({b, h, part});
                    run_ns += costs[b];
                    total_ns_ += costs[b];
                }
        }
        runs_.push_back(tasks_.size());
    }

    /// f(task) for each.
    template <class F>
    void run(const RunContext& ctx, F&& f) const {
        run_runs(ctx, [&](std::size_t begin, std::size_t end, int) {
            for (std::size_t t = begin; t < end; ++t) f(tasks_[t]);
        });
    }

    /// f(worker, task) for each; make(): a worker, which brings scratch memory, one a thread.
    template <class Make, class F>
    void run(const RunContext& ctx, Make&& make, F&& f) const {
        using Worker = decltype(make());
        std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(ctx.n_threads));
        run_runs(ctx, [&](std::size_t begin, std::size_t end, int thread) {
            auto& worker = workers[static_cast<std::size_t>(thread)];
            if (!worker) worker.reset(new Worker(make()));
            for (std::size_t t = begin; t < end; ++t) f(*worker, tasks_[t]);
        });
    }

  private:
    template <class F>
    void run_runs(const RunContext& ctx, F&& f) const {
        if (tasks_.empty()) return;
        const std::size_t n_runs = runs_.size() - 1;
        parallel_tasks(ctx, n_runs, total_ns_ / static_cast<double>(n_runs),
                       [&](std::size_t run, int thread) { f(runs_[run], runs_[run + 1], thread); });
    }

    static constexpr double run_length_ns = 10e3; // what parallel_tasks hands out at a time

    std::vector<HeadTask> tasks_;
    std::vector<std::size_t> runs_; // where each begins, and the end
    double total_ns_ = 0;
};

/// The most queries and keys that a sequence has.
struct LongestSequence {
    std::size_t queries = 0, keys = 0;

    explicit LongestSequence(const Attention& a) {
        if (!a.query_offsets) {
            queries = a.n_queries, keys = a.n_keys;
            return;
        }
        for (std::size_t b = 0; b < a.batch; ++b) {
            const Head head(a, b, 0);
            queries = std::max(queries, head.n_queries), keys = std::max(keys, head.n_keys);
        }
    }
};

} // namespace mlcore::nn
