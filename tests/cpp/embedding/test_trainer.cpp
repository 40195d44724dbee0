// What the Python tests do not see: slices, threads, memory. That training equals its naive twin step for step is
// tested in tests/python/embedding/test_embedding.py.
#include "check.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "embedding/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace mlcore;
using namespace mlcore::embedding;
using namespace mlcore::text;

namespace {

constexpr std::size_t n_topics = 4, words_a_topic = 10, n_words = n_topics * words_a_topic;

/// Texts of 20 words, all of one topic.
class TopicCorpus final : public Corpus {
  public:
    explicit TopicCorpus(std::size_t n_texts, std::size_t texts_a_piece = 25)
        : n_texts_(n_texts), texts_a_piece_(texts_a_piece) {}

    std::size_t n_pieces() const override { return (n_texts_ + texts_a_piece_ - 1) / texts_a_piece_; }
    std::int64_t tokens_before(std::size_t piece) const override {
        return static_cast<std::int64_t>(20 * std::min(n_texts_, piece * texts_a_piece_));
    }
    void set_vocabulary(std::shared_ptr<const Vocabulary>) override {}
    void read(std::size_t piece, Piece& out) const override {
        out.ids.clear();
        out.ends.clear();
        const Philox random(1, 1);
        for (std::size_t text = piece * texts_a_piece_; text < std::min(n_texts_, (piece + 1) * texts_a_piece_);
             ++text) {
            const std::uint64_t topic = random.below(text, n_topics);
            for (std::size_t i = 0; i < 20; ++i)
                out.ids.push_back(static_cast<std::int32_t>(topic * words_a_topic +
                                                            random.below((text + 1) * 1000 + i, words_a_topic)));
            out.ends.push_back(out.ids.size());
        }
    }

  private:
    std::size_t n_texts_, texts_a_piece_;
};

const std::vector<std::int64_t> counts(n_words, 100);

TrainerParams params_of(Algorithm algorithm, Loss loss, bool shared = true) {
    return {.vector_size = 12,
            .algorithm = algorithm,
            .loss = loss,
            .window = 3,
            .sample = 0.1,
            .shared_negatives = shared,
            .seed = 5};
}

const std::vector<TrainerParams> all_models{
    params_of(Algorithm::skipgram, Loss::negative_sampling),
    params_of(Algorithm::skipgram, Loss::negative_sampling, false), params_of(Algorithm::cbow, Loss::negative_sampling),
    params_of(Algorithm::skipgram, Loss::hierarchical_softmax), params_of(Algorithm::cbow, Loss::hierarchical_softmax)};

struct Trained {
    std::vector<double> losses; // mean of each epoch
    Buffer<float> vectors, context_vectors;
};

/// `pieces_a_call` 0: an epoch in one call.
Trained train(const TrainerParams& params, int n_threads, std::size_t pieces_a_call = 0, std::size_t n_texts = 400) {
    const TopicCorpus corpus(n_texts);
    StandaloneRun run(n_threads);
    Trainer trainer(counts, params);
    trainer.set_rows(run.context, {}, {});
    Trained result;
    const std::size_t epochs = 4, n = corpus.n_pieces();
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        TrainingProgress sum;
        for (std::size_t first = 0; first < n;) {
            const std::size_t last = pieces_a_call == 0 ? n : std::min(n, first + pieces_a_call);
            const TrainingProgress part = trainer.train(run.context, corpus, {epoch, epochs, first, last, 0.1, 0.001});
            sum.loss += part.loss;
            sum.n_terms += part.n_terms;
            sum.n_tokens += part.n_tokens;
            first = last;
        }
        CHECK_EQUAL(sum.n_tokens, corpus.n_tokens());
        result.losses.push_back(sum.loss / static_cast<double>(sum.n_terms));
    }
    result.vectors = trainer.take_vectors();
    result.context_vectors = trainer.take_context_vectors();
    return result;
}

double cosine(const Buffer<float>& v, std::size_t a, std::size_t b, std::size_t d) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t k = 0; k < d; ++k) {
        const auto x = static_cast<double>(v[a * d + k]), y = static_cast<double>(v[b * d + k]);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
}

bool same(const Buffer<float>& a, const Buffer<float>& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

} // namespace

TEST(all_models_find_the_topics) {
    for (const TrainerParams& params : all_models)
        for (const int n_threads : {1, 3}) {
            const Trained model = train(params, n_threads);
            CHECK(model.losses.back() < 0.95 * model.losses.front());
            double within = 0, across = 0;
            for (std::size_t a = 0; a < n_words; ++a)
                for (std::size_t b = 0; b < a; ++b)
                    (a / words_a_topic == b / words_a_topic ? within : across) += cosine(model.vectors, a, b, 12);
            within /= n_topics * words_a_topic * (words_a_topic - 1) / 2.0;
            across /= words_a_topic * words_a_topic * n_topics * (n_topics - 1) / 2.0;
            CHECK(within > across + 0.4);
        }
}

TEST(one_thread_gives_the_same_bits_however_an_epoch_is_cut) {
    for (const TrainerParams& params : all_models) {
        const Trained a = train(params, 1), b = train(params, 1), c = train(params, 1, 3);
        CHECK(same(a.vectors, b.vectors) && same(a.context_vectors, b.context_vectors));
        CHECK(same(a.vectors, c.vectors) && same(a.context_vectors, c.context_vectors));
        CHECK(a.losses == b.losses);
        for (std::size_t e = 0; e < a.losses.size(); ++e) CHECK_CLOSE(a.losses[e], c.losses[e], 1e-12 * a.losses[e]);
    }
}

TEST(rows_given_are_taken_over_and_the_rest_is_drawn) {
    StandaloneRun run(3);
    const TrainerParams params = params_of(Algorithm::skipgram, Loss::negative_sampling);
    const std::size_t d = 12;
    Trainer trainer(counts, params);
    std::vector<float> given(3 * d), context(2 * d);
    for (std::size_t i = 0; i < given.size(); ++i) given[i] = static_cast<float>(i);
    for (std::size_t i = 0; i < context.size(); ++i) context[i] = -static_cast<float>(i);
    trainer.set_rows(run.context, row_major<const float>(given.data(), 3, d),
                     row_major<const float>(context.data(), 2, d));
    const Buffer<float> vectors = trainer.take_vectors(), contexts = trainer.take_context_vectors();
    const Philox random(params.seed, std::uint64_t{1} << 63);
    for (std::size_t i = 0; i < n_words * d; ++i) {
        const double drawn = (random.block(i / 4)[i % 4] * 0x1p-31 - 1) / static_cast<double>(d);
        CHECK_EQUAL(vectors[i], i < given.size() ? given[i] : static_cast<float>(drawn));
        CHECK_EQUAL(contexts[i], i < context.size() ? context[i] : 0.0f);
    }
    CHECK(trainer.take_vectors().empty() && trainer.take_context_vectors().empty()); // taken out once
}

TEST(odd_corpora) {
    StandaloneRun run(2);
    for (TrainerParams params : all_models) {
        params.window = 1000; // longer than any text
        Trainer trainer(counts, params);
        trainer.set_rows(run.context, {}, {});
        const TopicCorpus corpus(3), none(0);
        CHECK(trainer.train(run.context, corpus, {0, 1, 0, corpus.n_pieces(), 0.025, 0}).n_terms > 0);
        CHECK_EQUAL(trainer.train(run.context, corpus, {0, 1, 1, 1, 0.025, 0}).n_tokens, 0);
        CHECK_EQUAL(trainer.train(run.context, none, {0, 1, 0, 0, 0.025, 0}).n_terms, 0u);
        for (const float x : trainer.take_vectors()) CHECK(std::isfinite(x));
    }
}

TEST(bad_arguments_are_refused) {
    const auto with = [](auto change) {
        TrainerParams params;
        change(params);
        return params;
    };
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.vector_size = 0; })));
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.window = 0; })));
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.negative = 0; })));
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.sample = 1; })));
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.sample = std::nan(""); })));
    CHECK_THROWS(ValueError, Trainer(counts, with([](auto& p) { p.ns_exponent = std::nan(""); })));
    CHECK_THROWS(ValueError, Trainer({}, TrainerParams{}));
    CHECK_THROWS(ValueError, Trainer(std::vector<std::int64_t>{1, 0}, TrainerParams{}));
    const HuffmanTree other = HuffmanTree::of(std::vector<std::int64_t>{1, 2, 3});
    CHECK_THROWS(ValueError, Trainer(counts, params_of(Algorithm::cbow, Loss::hierarchical_softmax), other));

    StandaloneRun run(1);
    const TopicCorpus corpus(30);
    Trainer trainer(counts, TrainerParams{});
    const std::vector<float> rows(50 * 100);
    CHECK_THROWS(ValueError, trainer.set_rows(run.context, row_major<const float>(rows.data(), 50, 100), {}));
    CHECK_THROWS(ValueError, trainer.set_rows(run.context, row_major<const float>(rows.data(), 5, 99), {}));
    trainer.set_rows(run.context, {}, {});
    CHECK_THROWS(ValueError, trainer.train(run.context, corpus, {0, 1, 0, 3, 0.1, 0.1}));
    CHECK_THROWS(ValueError, trainer.train(run.context, corpus, {1, 1, 0, 1, 0.1, 0.1}));
    Trainer small(std::vector<std::int64_t>{5, 4, 3}, TrainerParams{}); // ids of a larger vocabulary
    small.set_rows(run.context, {}, {});
    CHECK_THROWS(InternalError, small.train(run.context, corpus, {0, 1, 0, 1, 0.1, 0.1}));
}
