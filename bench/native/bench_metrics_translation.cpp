// BLEU, chrF and the bootstrap, on sentences made of a few thousand words: bytes of text a second beside a plain copy,
// draws a second for the resamples.
#include "bench.hpp"

#include "core/random.hpp"
#include "metrics/translation/bleu.hpp"
#include "metrics/translation/bootstrap.hpp"
#include "metrics/translation/chrf.hpp"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::metrics;

namespace {

/// Sentences of 5 to 25 words, the more frequent ones shorter; hypotheses have one word in five exchanged.
struct Corpus {
    explicit Corpus(std::size_t n) {
        const Philox random(1, 0);
        std::uint64_t counter = 0;
        std::vector<std::string> words;
        for (std::size_t i = 0; i < 5000; ++i) {
            std::string word;
            for (std::size_t length = 2 + random.below(counter++, 3 + i / 500); length > 0; --length)
                word += static_cast<char>('a' + random.below(counter++, 26));
            words.push_back(word);
        }
        const auto word = [&] { // Zipf's law, roughly
            return words[static_cast<std::size_t>(std::pow(5000.0, random.uniform(counter++))) - 1];
        };
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < n; ++i) {
            std::string hypothesis, reference;
            for (std::size_t left = 5 + random.below(counter++, 21); left > 0; --left) {
                const std::string next = word();
                reference += next + (left == 1 ? "." : " ");
                hypothesis += (random.below(counter++, 5) == 0 ? word() : next) + (left == 1 ? "." : " ");
            }
            lines.push_back(hypothesis);
            lines.push_back(reference);
        }
        texts = std::move(lines);
        references.resize(1);
        for (std::size_t i = 0; i < n; ++i) {
            hypotheses.push_back(document(texts[2 * i]));
            references[0].push_back(document(texts[2 * i + 1]));
        }
        for (const std::string& text : texts) n_bytes += text.size();
    }
    static text::Document document(const std::string& text) { return {text.data(), text.size(), 1, true}; }
    Segments segments() const { return {hypotheses, references, n_bytes}; }

    std::vector<std::string> texts;
    std::vector<text::Document> hypotheses;
    std::vector<std::vector<text::Document>> references;
    std::size_t n_bytes = 0;
};

} // namespace

int main(int argc, char** argv) {
    StandaloneRun run(bench::threads_from(argc, argv));
    const RunContext& ctx = run.context;
    const bench::Peaks peaks = bench::print_machine(ctx.n_threads);

    const Corpus corpus(20'000);
    const Segments segments = corpus.segments();
    const auto bytes = static_cast<double>(corpus.n_bytes);
    const double copy_bytes = peaks.copy_gb * 1e9;
    const TokenClasses western(Tokenization::v13a, nullptr), characters(Tokenization::character, nullptr);
    const auto print = [&](const char* name, auto&& f) {
        bench::print_result(name, bench::median_seconds(f), bytes, "B", copy_bytes);
    };
    print("BLEU, 13a", [&] { bench::keep(bleu_statistics(ctx, segments, western, 4)); });
    print("BLEU, characters", [&] { bench::keep(bleu_statistics(ctx, segments, characters, 4)); });
    print("chrF", [&] { bench::keep(chrf_statistics(ctx, segments, {})); });
    print("chrF++", [&] { bench::keep(chrf_statistics(ctx, segments, {.word_order = 2})); });

    const auto statistics = bleu_statistics(ctx, segments, western, 4);
    const std::size_t n_resamples = 1000;
    const double draws = static_cast<double>(n_resamples * segments.size());
    const double seconds = bench::median_seconds(
        [&] { bench::keep(bootstrap_sums(ctx, statistics, bleu_columns(4), n_resamples, {1, 2, 3, 5})); });
    bench::print_result("bootstrap, 1,000 resamples of 20,000 segments", seconds, draws, " draws");
    return 0;
}
