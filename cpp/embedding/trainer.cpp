#include "embedding/trainer.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "embedding/window_kernel.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace mlcore::embedding {

namespace {

// Several threads have copies of their own of so many inner nodes nearest to the root, and bring them into line after
// so many windows each: fewer where there are many threads, so that all together do not stray far.
constexpr std::size_t most_top_nodes = 127;
std::size_t windows_an_exchange(std::size_t n_threads) { return std::clamp<std::size_t>(512 / n_threads, 1, 64); }

constexpr std::uint64_t initial_rows_stream = std::uint64_t{1} << 63;

/// Asks for all cache lines of a row. It will be written: where another core holds it, to ask for reading alone would
/// mean to ask twice. The compiler's prefetch for writing does so only for CPUs that it is told of; all with AVX-512
/// can.
void prefetch_row(const float* row, std::size_t size) {
    for (std::size_t k = 0; k < size; k += cache_line / sizeof(float))
#ifdef __AVX512F__
        asm volatile("prefetchw %0" : : "m"(row[k]));
#else
        __builtin_prefetch(row + k, 1);
#endif
}

std::span<const std::int64_t> checked(std::span<const std::int64_t> counts) {
    if (counts.empty()) throw ValueError("there must be at least one word");
    for (const std::int64_t count : counts)
        if (count < 1) throw ValueError("counts must be at least 1, got " + std::to_string(count));
    return counts;
}

const TrainerParams& checked(const TrainerParams& params) {
    params.check();
    return params;
}

/// Moves rows of `padded_size` floats together, in place, and the memory out. Empty if it is out already.
Buffer<float> take(Buffer<float>& rows, std::size_t n, std::size_t size, std::size_t padded_size) {
    if (!rows.empty() && size != padded_size)
        for (std::size_t i = 1; i < n; ++i) std::copy_n(rows.data() + i * padded_size, size, rows.data() + i * size);
    return std::move(rows);
}

} // namespace

void TrainerParams::check() const {
    const auto wrong = [](const char* name, const char* expected, auto got) {
        throw ValueError(std::string(name) + " must be " + expected + ", got " + std::to_string(got));
    };
    if (vector_size < 1 || vector_size > 65536) wrong("vector_size", "1 to 65536", vector_size);
    if (window < 1 || window > 1000000) wrong("window", "1 to 1000000", window);
    if (loss == Loss::negative_sampling && (negative < 1 || negative > 10000))
        wrong("negative", "1 to 10000", negative);
    if (!(sample >= 0 && sample < 1)) wrong("sample", "at least 0 and below 1", sample);
    if (!(ns_exponent >= -10 && ns_exponent <= 10)) wrong("ns_exponent", "-10 to 10", ns_exponent);
}

// ---- what a thread works with -------------------------------------------------------------------------------------

struct Negative {
    std::int32_t word;
    float multiplicity;
};

/// What a window needs from the random stream, drawn one window ahead so that its rows can be fetched in time.
struct Draws {
    std::size_t begin = 0, end = 0;  // context: kept words of [begin, end) but for the centre
    std::vector<Negative> negatives; // none if each pair draws its own
};

struct Trainer::Scratch {
    explicit Scratch(std::size_t row) : window(row) {}

    PrivateRows top_nodes; // hierarchical softmax on several threads
    text::Piece piece;
    std::vector<std::int32_t> kept;
    std::vector<std::uint32_t> position; // of each kept word among the known words of the piece
    Draws draws[2];
    std::vector<Negative> pair_negatives[2]; // likewise drawn one pair ahead
    std::vector<float*> context;             // rows of the context words
    Window window;
};

// ---- one piece on one thread --------------------------------------------------------------------------------------

class Trainer::PieceRun {
  public:
    PieceRun(const RunContext& ctx, int thread, Trainer& trainer, Scratch& scratch, const EpochPart& part,
             const text::Corpus& corpus, std::size_t piece)
        : ctx_(ctx), is_calling_thread_(thread == 0), t_(trainer), p_(trainer.params_), s_(scratch),
          positions_(p_.seed, DrawStream::Purpose::positions, part.epoch, piece),
          pairwise_(p_.algorithm == Algorithm::skipgram && p_.loss == Loss::negative_sampling && !p_.shared_negatives) {
        std::int32_t largest = -1;
        if (t_.noise_)
            negatives_.emplace(*t_.noise_, DrawStream(p_.seed, DrawStream::Purpose::negatives, part.epoch, piece));
        corpus.read(piece, s_.piece);
        for (const std::int32_t id : s_.piece.ids) largest = std::max(largest, id);
        MLCORE_CHECK(largest < static_cast<std::int64_t>(t_.n_words_), "the corpus has another vocabulary");
        const auto all = static_cast<double>(corpus.n_tokens());
        const auto before = static_cast<double>(corpus.tokens_before(piece));
        const double here = static_cast<double>(corpus.tokens_before(piece + 1)) - before;
        const auto epochs = static_cast<double>(part.epochs);
        const double slope = (part.min_alpha - part.alpha) / epochs;
        alpha_begin_ = part.alpha + slope * (static_cast<double>(part.epoch) + before / all);
        alpha_step_ = s_.piece.ids.empty() ? 0 : slope * (here / all) / static_cast<double>(s_.piece.ids.size());
        done_.n_tokens = static_cast<std::int64_t>(here);
    }

    TrainingProgress run() {
        std::size_t begin = 0;
        std::vector<std::size_t>& ends = s_.piece.ends;
        subsample();
        s_.top_nodes.exchange();
        for (const std::size_t end : ends) {
            text(begin, end);
            begin = end;
        }
        s_.top_nodes.exchange();
        done_.loss = s_.window.loss.take();
        return done_;
    }

  private:
    /// Fills kept and position, and turns the ends of texts into ends of kept words.
    void subsample() {
        const std::vector<std::int32_t>& ids = s_.piece.ids;
        s_.kept.clear();
        s_.position.clear();
        std::size_t i = 0;
        for (std::size_t& end : s_.piece.ends) {
            for (; i < end; ++i) {
                if (t_.subsampler_.active() && !t_.subsampler_.keep(ids[i], positions_.next())) continue;
                s_.kept.push_back(ids[i]);
                s_.position.push_back(static_cast<std::uint32_t>(i));
            }
            end = s_.kept.size();
        }
    }

    /// All windows of one text: kept words [begin, end).
    void text(std::size_t begin, std::size_t end) {
        if (end - begin == 0) return;
        for (std::size_t i = begin; i < std::min(end, begin + p_.window + 1); ++i) prefetch_input(i);
        draw(begin, begin, end, s_.draws[begin % 2]);
        for (std::size_t centre = begin; centre < end; ++centre) {
            if (centre + p_.window + 1 < end) prefetch_input(centre + p_.window + 1);
            if (centre + 1 < end) draw(centre + 1, begin, end, s_.draws[(centre + 1) % 2]);
            step(centre, s_.draws[centre % 2]);
            if (++n_windows_ % t_.windows_an_exchange_ == 0) s_.top_nodes.exchange();
        }
    }

    void prefetch_input(std::size_t kept) const { prefetch_row(input_row(kept), t_.row_); }

    /// Context and negatives of one window; asks for the rows of its outputs.
    void draw(std::size_t centre, std::size_t begin, std::size_t end, Draws& d) {
        std::size_t reach = p_.window;
        if (p_.shrink_windows) reach -= positions_.below(static_cast<std::uint32_t>(p_.window));
        d.begin = centre - std::min(reach, centre - begin);
        d.end = std::min(end, centre + reach + 1);
        d.negatives.clear();
        const std::size_t n_context = d.end - d.begin - 1;
        if (n_context == 0) return;
        const std::int32_t word = s_.kept[centre];
        if (p_.loss == Loss::hierarchical_softmax) {
            if (centre + 2 < end) t_.paths_.prefetch_start(s_.kept[centre + 2]);
            if (centre + 1 < end) t_.paths_.prefetch(s_.kept[centre + 1]);
            for (const std::uint32_t step : t_.paths_.of(word)) prefetch_row(node_row(step / 2), t_.row_);
            return;
        }
        prefetch_row(output_row(static_cast<std::size_t>(word)), t_.row_);
        if (!pairwise_) draw_negatives(word, d.negatives);
    }

    void draw_negatives(std::int32_t word, std::vector<Negative>& negatives) {
        negatives.clear();
        for (std::size_t k = 0; k < p_.negative; ++k) {
            const std::int32_t drawn = negatives_->next();
            if (drawn == word) continue;
            const auto same =
                std::find_if(negatives.begin(), negatives.end(), [&](const Negative& n) { return n.word == drawn; });
            if (same != negatives.end()) {
                same->multiplicity += 1;
                continue;
            }
            negatives.push_back({drawn, 1});
            prefetch_row(output_row(static_cast<std::size_t>(drawn)), t_.row_);
        }
    }

    void step(std::size_t centre, const Draws& d) {
        s_.context.clear();
        for (std::size_t i = d.begin; i < d.end; ++i)
            if (i != centre) s_.context.push_back(input_row(i));
        const std::size_t m = s_.context.size();
        if (m == 0) return;
        const std::int32_t word = s_.kept[centre];
        const auto alpha = static_cast<float>(alpha_begin_ + alpha_step_ * s_.position[centre]);

        Window& w = s_.window;
        if (p_.algorithm == Algorithm::cbow) {
            set_outputs(word, d.negatives);
            cbow_step(w, s_.context, p_.cbow_mean ? 1 / static_cast<float>(m) : 1.0f, alpha);
            done_.n_terms += 1;
            note_work(m + w.n_outputs);
            return;
        }
        done_.n_terms += m;
        if (pairwise_) {
            draw_negatives(word, s_.pair_negatives[0]);
            for (std::size_t i = 0; i < m; ++i) {
                if (i + 1 < m) draw_negatives(word, s_.pair_negatives[(i + 1) % 2]);
                set_outputs(word, s_.pair_negatives[i % 2]);
                w.n_inputs = 1;
                w.input[0] = s_.context[i];
                skipgram_step(w, alpha);
                note_work(w.n_outputs);
            }
            return;
        }
        set_outputs(word, d.negatives);
        const std::size_t n_steps = (m + max_inputs - 1) / max_inputs; // of nearly one size
        for (std::size_t step = 0; step < n_steps; ++step) {
            const std::size_t begin = m * step / n_steps;
            w.n_inputs = m * (step + 1) / n_steps - begin;
            std::copy_n(s_.context.data() + begin, w.n_inputs, w.input.data());
            skipgram_step(w, alpha);
            note_work(w.n_inputs * w.n_outputs);
        }
    }

    /// Sees a stop within a piece too: with the widest windows and the most negatives, one may take hours.
    void note_work(std::size_t products) {
        work_ += products;
        if (work_ < 100'000) return; // a millisecond or so
        work_ = 0;
        if (is_calling_thread_) ctx_.progress.poll();
        if (ctx_.stop.requested()) throw Interrupted();
    }

    void set_outputs(std::int32_t word, std::span<const Negative> negatives) {
        Window& w = s_.window;
        w.multiples = false;
        if (p_.loss == Loss::hierarchical_softmax) {
            const std::span<const std::uint32_t> path = t_.paths_.of(word);
            w.reserve_outputs(path.size());
            w.n_outputs = path.size();
            for (std::size_t j = 0; j < path.size(); ++j) {
                w.output[j] = node_row(path[j] / 2);
                w.weight[j] = path[j] % 2 == 0 ? 1.0f : -1.0f;
            }
            return;
        }
        w.reserve_outputs(1 + negatives.size());
        w.n_outputs = 1 + negatives.size();
        w.output[0] = output_row(static_cast<std::size_t>(word));
        w.weight[0] = 1;
        for (std::size_t k = 0; k < negatives.size(); ++k) {
            w.output[1 + k] = output_row(static_cast<std::size_t>(negatives[k].word));
            w.weight[1 + k] = -negatives[k].multiplicity;
            w.multiples = w.multiples || negatives[k].multiplicity > 1;
        }
    }

    float* input_row(std::size_t kept) const {
        return t_.vectors_.data() + static_cast<std::size_t>(s_.kept[kept]) * t_.row_;
    }
    float* node_row(std::size_t node) const {
        return node < t_.first_top_node_ ? output_row(node) : s_.top_nodes.row(node - t_.first_top_node_);
    }
    float* output_row(std::size_t row) const { return t_.context_vectors_.data() + row * t_.row_; }

    const RunContext& ctx_;
    const bool is_calling_thread_;
    std::size_t work_ = 0; // products since the last look
    std::size_t n_windows_ = 0;
    Trainer& t_;
    const TrainerParams& p_;
    Scratch& s_;
    DrawStream positions_;
    std::optional<NegativeStream> negatives_;
    const bool pairwise_;                     // skip-gram with negatives of its own for each pair
    double alpha_begin_ = 0, alpha_step_ = 0; // learning rate at the first known word, and per known word
    TrainingProgress done_;
};

// ---- the whole ----------------------------------------------------------------------------------------------------

Trainer::Trainer(std::span<const std::int64_t> counts, const TrainerParams& params, std::optional<HuffmanTree> tree)
    : params_(checked(params)), n_words_(checked(counts).size()),
      n_outputs_(params.loss == Loss::hierarchical_softmax ? counts.size() - 1 : counts.size()),
      row_(padded(params.vector_size)), subsampler_(counts, params.sample) {
    if (params.loss == Loss::negative_sampling) {
        noise_.emplace(counts, params.ns_exponent);
        return;
    }
    tree_ = tree ? std::move(*tree) : HuffmanTree::of(counts);
    tree_.check();
    if (tree_.leaves.size() != n_words_)
        throw ValueError("the tree has " + std::to_string(tree_.leaves.size()) + " words, but there are " +
                         std::to_string(n_words_));
    paths_ = HuffmanPaths(tree_);
}

void Trainer::set_rows(const RunContext& ctx, MatrixView<const float> vectors,
                       MatrixView<const float> context_vectors) {
    const std::size_t d = params_.vector_size;
    const auto check = [&](const char* name, MatrixView<const float> given, std::size_t n) {
        if (given.rows > n || (given.rows > 0 && given.cols != d))
            throw ValueError(std::string(name) + " must have at most " + std::to_string(n) + " rows of " +
                             std::to_string(d) + ", got " + std::to_string(given.rows) + " of " +
                             std::to_string(given.cols));
    };
    check("vectors", vectors, n_words_);
    check("context_vectors", context_vectors, n_outputs_);
    if (n_words_ > address_space / sizeof(float) / row_) throw std::bad_alloc();
    vectors_ = Buffer<float>(n_words_ * row_);
    context_vectors_ = Buffer<float>(n_outputs_ * row_);

    const Philox random(params_.seed, initial_rows_stream);
    const double scale = 1 / static_cast<double>(d);
    const auto fill = [&](Buffer<float>& rows, MatrixView<const float> given, bool is_random) {
        parallel_ranges(ctx, rows.size() / row_, 4 * static_cast<double>(d),
                        [&](std::size_t begin, std::size_t end, int) {
                            for (std::size_t i = begin; i < end; ++i) {
                                float* row = &rows[i * row_];
                                std::fill_n(row, row_, 0.0f);
                                if (i < given.rows) {
                                    for (std::size_t k = 0; k < d; ++k) row[k] = given(i, k);
                                } else if (is_random) {
                                    Philox::Block block{};
                                    for (std::size_t k = 0; k < d; ++k) { // number i d + k is one of four of a block
                                        const std::size_t number = i * d + k;
                                        if (k == 0 || number % 4 == 0) block = random.block(number / 4);
                                        row[k] = static_cast<float>((block[number % 4] * 0x1p-31 - 1) * scale);
                                    }
                                }
                            }
                        });
    };
    fill(vectors_, vectors, true);
    fill(context_vectors_, context_vectors, false);
}

TrainingProgress Trainer::train(const RunContext& ctx, const text::Corpus& corpus, const EpochPart& part) {
    MLCORE_CHECK(!vectors_.empty() && (!context_vectors_.empty() || n_outputs_ == 0), "set_rows comes before train");
    if (part.first_piece > part.last_piece || part.last_piece > corpus.n_pieces())
        throw ValueError("pieces must lie in [0, " + std::to_string(corpus.n_pieces()) + "]");
    if (part.epochs < 1 || part.epoch >= part.epochs) throw ValueError("epoch must be in [0, epochs)");

    const std::size_t n = part.last_piece - part.first_piece;
    const double tokens =
        static_cast<double>(corpus.tokens_before(part.last_piece) - corpus.tokens_before(part.first_piece));
    const double ns_per_piece = tokens * static_cast<double>(row_) / static_cast<double>(std::max<std::size_t>(n, 1));
    const auto wanted = static_cast<std::size_t>(threads_for(ctx, ns_per_piece * static_cast<double>(n)));
    const std::size_t n_threads = std::max<std::size_t>(1, std::min(wanted, n));
    std::vector<std::unique_ptr<Scratch>> scratch(n_threads);
    // Inner nodes are numbered by ascending counts: the last ones are nearest to the root.
    const std::size_t n_top = tree_.inner.empty() || n_threads == 1 ? 0 : std::min(most_top_nodes, n_outputs_);
    first_top_node_ = n_outputs_ - n_top;
    windows_an_exchange_ = windows_an_exchange(n_threads);
    std::vector<TrainingProgress> done(n);
    parallel_tasks(ctx, n, ns_per_piece, [&](std::size_t task, int thread) {
        auto& mine = scratch[static_cast<std::size_t>(thread)];
        if (!mine) {
            mine = std::make_unique<Scratch>(row_);
            mine->top_nodes = PrivateRows(context_vectors_.data() + first_top_node_ * row_, n_top, row_);
        }
        done[task] = PieceRun(ctx, thread, *this, *mine, part, corpus, part.first_piece + task).run();
    });
    TrainingProgress total;
    for (const TrainingProgress& piece : done) { // in the order of the corpus
        total.loss += piece.loss;
        total.n_terms += piece.n_terms;
        total.n_tokens += piece.n_tokens;
    }
    return total;
}

Buffer<float> Trainer::take_vectors() { return take(vectors_, n_words_, params_.vector_size, row_); }

Buffer<float> Trainer::take_context_vectors() { return take(context_vectors_, n_outputs_, params_.vector_size, row_); }

} // namespace mlcore::embedding
