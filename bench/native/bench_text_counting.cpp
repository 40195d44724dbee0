// Terms of documents found, counted, sorted and put into rows: bytes of text a second, each step for itself, beside the
// machine's rate of copying. Documents of words drawn by Zipf's law, frequent ones short, some 300 words each; with
// growth, because the number of terms grows with the text.
//   ./bench_text_counting [n_threads]
#include "bench.hpp"
#include "core/random.hpp"
#include "text/unicode/character_table.hpp"
#include "text/vectorizer/term_counter.hpp"
#include "text/vectorizer/term_index.hpp"
#include "text/vectorizer/tfidf.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

/// Letters and white space of ASCII.
void fill(CharacterTable& table) {
    CharacterTable::CasePage page;
    for (std::size_t c = 0; c < page_size; ++c) {
        const bool upper = c >= 'A' && c <= 'Z';
        page.kinds[c] = upper || (c >= 'a' && c <= 'z') ? CharacterTable::word : c <= ' ' ? CharacterTable::space : 0;
        if (upper) page.lower[c] = 32;
    }
    table.set_cases(0, page);
}

std::string word(std::uint64_t rank) {
    std::string text;
    for (std::uint64_t rest = rank * 7 + 1; rest; rest /= 20) text += "etaoinshrdlcumwfgypb"[rest % 20];
    return text;
}

std::vector<std::string> make_documents(std::size_t n_bytes) {
    const Philox random(1, 0);
    std::vector<std::string> documents;
    std::uint64_t draw = 0;
    for (std::size_t size = 0; size < n_bytes; size += documents.back().size()) {
        std::string document;
        for (std::uint64_t words = 20 + random.below(draw++, 560); words > 0; --words) {
            // Ranks up to 300,000, log-uniform: Zipf's law with exponent 1.
            const auto rank = static_cast<std::uint64_t>(std::pow(10.0, 5.5 * random.uniform(draw++)));
            document += word(rank);
            document += random.below(draw++, 12) ? " " : ", ";
        }
        documents.push_back(std::move(document));
    }
    return documents;
}

struct Case {
    const char* name;
    Level level;
    std::size_t min_n, max_n;
    TokenRule rule;
};

void count(const Case& c, const CharacterTable& table, const std::vector<std::string>& texts, int n_threads,
           double peak) {
    const Analysis analysis(table, {true, Accents::keep, c.rule}, c.level, c.min_n, c.max_n, {});
    std::vector<Document> documents;
    double n_bytes = 0;
    for (const std::string& text : texts) {
        documents.push_back({text.data(), text.size(), 1, true});
        n_bytes += static_cast<double>(text.size());
    }
    StandaloneRun run(n_threads);
    std::map<std::string, double> seconds;
    double total = 0;
    const auto timed = [&](const char* step, auto&& f) {
        const auto start = std::chrono::steady_clock::now();
        auto result = f();
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const auto known = seconds.emplace(step, took).first;
        known->second = std::min(known->second, took);
        return result;
    };
    std::size_t n_terms = 0, n_entries = 0;
    for (int round = 0; round < 3; ++round) {
        TermCounter counter(&analysis);
        timed("1 found and counted", [&] {
            counter.add(run.context, documents, true);
            return 0;
        });
        const auto terms = timed("2 sorted", [&] { return counter.terms(run.context); });
        n_terms = terms.documents.size();
        std::vector<std::int32_t> columns(n_terms);
        std::iota(columns.begin(), columns.end(), 0);
        CsrCounts csr =
            timed("3 rows", [&] { return counter.rows(run.context, columns, n_terms, false, Values::float64); });
        auto& data = std::get<Buffer<double>>(csr.data);
        n_entries = data.size();
        MLCORE_CHECK(std::accumulate(data.begin(), data.end(), 0.0) ==
                         static_cast<double>(
                             std::accumulate(terms.occurrences.begin(), terms.occurrences.end(), std::int64_t{0})),
                     "rows must hold all occurrences");
        const std::vector<double> idf(n_terms, 1.5);
        timed("4 tf-idf", [&] {
            tfidf<double, std::int32_t>(run.context, data.span(), std::get<Buffer<std::int32_t>>(csr.indices).span(),
                                        std::get<Buffer<std::int32_t>>(csr.indptr).span(), idf, false, Norm::l2);
            return 0;
        });
    }
    std::printf("%s: %.0f MB, %zu documents, %zu terms, %zu entries\n", c.name, n_bytes / 1e6, texts.size(), n_terms,
                n_entries);
    for (const auto& [step, took] : seconds) {
        bench::print_result(("    " + step.substr(2)).c_str(), took, n_bytes, "B", peak);
        total += took;
    }
    bench::print_result("    in all", total, n_bytes, "B", peak);
}

} // namespace

int main(int argc, char** argv) {
    const int n_threads = bench::threads_from(argc, argv);
    const bench::Peaks peaks = bench::print_machine(n_threads);
    static CharacterTable table;
    fill(table);
    for (const std::size_t megabytes : {1, 10, 30}) {
        const std::vector<std::string> texts = make_documents(megabytes * 1'000'000);
        for (const Case& c :
             {Case{"words", Level::word, 1, 1, TokenRule::words(2)},
              Case{"one word and two", Level::word, 1, 2, TokenRule::words(2)},
              Case{"3 to 5 characters within words", Level::character_word, 3, 5, TokenRule::not_space()},
              Case{"3 to 5 characters", Level::character, 3, 5, TokenRule::space()}})
            count(c, table, texts, n_threads, 0.5e9 * peaks.copy_gb);
    }
}
