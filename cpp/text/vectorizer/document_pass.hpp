// All documents, once, by several threads: they take chunks of documents that follow each other, whoever is free the
// next one. Where a table has to grow, all of them stop where they are, and then go on from there.
#pragma once

#include "core/context.hpp"
#include "core/parallel.hpp"
#include "text/unicode/document.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

namespace mlcore::text {

/// Documents [begin, end).
struct DocumentChunk {
    std::size_t begin, end;
};

/// Chunks of about the same size, small enough that all threads have work to the end. size_of(i): of document i.
template <class SizeOf>
std::vector<DocumentChunk> cut_documents(std::size_t n_documents, std::size_t total_size, std::size_t n_workers,
                                         SizeOf&& size_of) {
    const std::size_t wanted = std::clamp<std::size_t>(total_size / (16 * n_workers), 1 << 14, 1 << 20);
    std::vector<DocumentChunk> chunks;
    for (std::size_t begin = 0, end = 0; begin < n_documents; begin = end) {
        for (std::size_t size = 0; end < n_documents && size < wanted; ++end) size += size_of(end) + 16;
        chunks.push_back({begin, end});
    }
    return chunks;
}

/// How many threads documents of so many code points are worth.
inline std::size_t workers_for(const RunContext& ctx, double n_characters) {
    return static_cast<std::size_t>(threads_for(ctx, 10 * n_characters));
}

/// `Reader` has start(document), read(ctx) -> false if the tables must grow first, end_document(document) and
/// end_chunk(chunk).
template <class Reader>
class DocumentPass {
  public:
    DocumentPass(const RunContext& ctx, std::span<const DocumentChunk> chunks) : ctx_(ctx), chunks_(chunks) {}

    /// One for each thread; the arguments are those of its constructor.
    template <class... Arguments>
    void add_worker(Arguments&&... arguments) {
        workers_.emplace_back(std::forward<Arguments>(arguments)...);
    }
    auto& workers() { return workers_; }

    /// grow() is called while nobody works. figure(): what the progress is told beside the number of documents.
    template <class Grow, class Figure>
    void run(double work_ns, Grow&& grow, Figure&& figure) {
        for (bool first = true; !std::all_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.done; });
             first = false) {
            if (!first) grow();
            parallel_tasks(ctx_, workers_.size(), work_ns / static_cast<double>(workers_.size()),
                           [&](std::size_t w, int) { work(workers_[w], figure); });
        }
    }

  private:
    struct alignas(cache_line) Worker {
        template <class... Arguments>
        explicit Worker(Arguments&&... arguments) : reader(std::forward<Arguments>(arguments)...) {}

        Reader reader;
        std::size_t chunk = 0, document = 0, end = 0;
        bool inside = false; // of the document
        bool done = false;
    };

    template <class Figure>
    void work(Worker& worker, Figure& figure) {
        while (!worker.done) {
            if (!worker.inside) {
                if (worker.document == worker.end && !next_chunk(worker, figure)) break;
                worker.reader.start(worker.document);
                worker.inside = true;
            }
            if (!worker.reader.read(ctx_)) return;
            worker.reader.end_document(worker.document++);
            worker.inside = false;
            if (worker.document == worker.end) worker.reader.end_chunk(worker.chunk);
        }
    }

    template <class Figure>
    bool next_chunk(Worker& worker, Figure& figure) {
        ctx_.checkpoint();
        const std::size_t size = worker.end - (worker.end ? chunks_[worker.chunk].begin : 0);
        const std::size_t n_done = n_done_.fetch_add(size, std::memory_order_relaxed) + size;
        if (ctx_.on_calling_thread() && Clock::now() >= next_report_) {
            ctx_.progress.iteration(n_done, figure());
            next_report_ = Clock::now() + std::chrono::milliseconds(100);
        }
        worker.chunk = next_.fetch_add(1, std::memory_order_relaxed);
        worker.done = worker.chunk >= chunks_.size();
        if (worker.done) return false;
        worker.document = chunks_[worker.chunk].begin;
        worker.end = chunks_[worker.chunk].end;
        return true;
    }

    using Clock = std::chrono::steady_clock;

    const RunContext& ctx_;
    const std::span<const DocumentChunk> chunks_;
    std::deque<Worker> workers_;
    std::atomic<std::size_t> next_{0}, n_done_{0};
    Clock::time_point next_report_ = Clock::now() + std::chrono::milliseconds(100);
};

} // namespace mlcore::text
