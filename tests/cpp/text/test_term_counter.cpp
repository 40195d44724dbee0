#include "check.hpp"

#include "text/terms_twin.hpp"

#include "text/vectorizer/term_counter.hpp"
#include "text/vectorizer/term_index.hpp"

#include "core/context.hpp"
#include "core/error.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

const CharacterTable& characters() {
    static const auto* const table = [] {
        auto* made = new CharacterTable;
        twin::fill(*made);
        return made;
    }();
    return *table;
}

Analysis analysis(Level level, std::size_t min_n, std::size_t max_n, twin::Strings stop = {}) {
    const TokenRule rule = level == Level::word        ? TokenRule::words(2)
                           : level == Level::character ? TokenRule::space()
                                                       : TokenRule::not_space();
    return {characters(), {true, Accents::keep, rule}, level, min_n, max_n, std::move(stop)};
}

twin::Strings strings(const PackedTerms& packed) {
    twin::Strings all;
    for (const std::string_view text : views(packed)) all.emplace_back(text);
    return all;
}

/// Compares rows with counts; columns are those of `terms`, sorted.
void check_rows(const CsrCounts& csr, const twin::Counts& counts, const twin::Strings& terms) {
    const auto& data = std::get<Buffer<std::int64_t>>(csr.data);
    const auto& indices = std::get<Buffer<std::int32_t>>(csr.indices);
    const auto& indptr = std::get<Buffer<std::int32_t>>(csr.indptr);
    CHECK_EQUAL(indptr.size(), counts.size() + 1);
    std::size_t entry = 0;
    for (std::size_t row = 0; row < counts.size(); ++row) {
        CHECK_EQUAL(static_cast<std::size_t>(indptr[row]), entry);
        for (const auto& [term, times] : counts[row]) { // both ascend
            const auto found = std::lower_bound(terms.begin(), terms.end(), term);
            if (found == terms.end() || *found != term) continue;
            if (entry >= data.size() || indices[entry] != found - terms.begin() || data[entry] != times)
                return check::fail(term.c_str(), static_cast<int>(row), "wrong entry");
            ++entry;
        }
    }
    CHECK_EQUAL(entry, data.size());
}

struct Case {
    Level level;
    std::size_t min_n, max_n;
    twin::Strings stop_words;
};
const Case cases[] = {
    {Level::word, 1, 1, {}},
    {Level::word, 1, 1, {"ta", "et", "et", "never"}},
    {Level::word, 1, 2, {}},
    {Level::word, 2, 4, {"ta", "oe"}},
    {Level::word, 3, 3, {}},
    {Level::word, 1, 80, {}},
    {Level::character, 1, 1, {}},
    {Level::character, 2, 5, {}},
    {Level::character, 1, 20, {}},
    {Level::character_word, 1, 1, {}},
    {Level::character_word, 3, 5, {}},
    {Level::character_word, 2, 100, {}},
    {Level::character_word, 9, 12, {}},
};

} // namespace

TEST(terms_counts_and_rows_are_those_of_the_twin_for_any_threads) {
    const twin::Strings texts = twin::random_documents(1, 1000, 800);
    const auto documents = twin::views(texts);
    for (const Case& c : cases) {
        const std::size_t n = c.max_n > 10 ? 60 : texts.size();
        std::vector<twin::Strings> all(n);
        for (std::size_t i = 0; i < n; ++i) all[i] = twin::terms(texts[i], c.level, c.min_n, c.max_n, c.stop_words);
        const twin::Counts counts = twin::count(all);
        std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected;
        for (const auto& document : counts)
            for (const auto& [term, times] : document) {
                ++expected[term].first;
                expected[term].second += times;
            }
        twin::Strings expected_terms;
        for (const auto& [term, unused] : expected) expected_terms.push_back(term);

        const Analysis how = analysis(c.level, c.min_n, c.max_n, c.stop_words);
        for (const int n_threads : {1, 2, 5}) {
            StandaloneRun run(n_threads);
            TermCounter counter(&how);
            const std::size_t first = n / 3; // in two parts
            counter.add(run.context, std::span(documents).first(first), true);
            counter.add(run.context, std::span(documents).subspan(first, n - first), true);
            CHECK_EQUAL(counter.n_documents(), n);
            CHECK_EQUAL(counter.n_terms(), expected.size());
            const auto terms = counter.terms(run.context);
            CHECK(strings(terms.packed) == expected_terms);
            std::size_t i = 0;
            for (const auto& [term, numbers] : expected) {
                if (terms.documents[i] != numbers.first || terms.occurrences[i] != numbers.second)
                    return check::fail(term.c_str(), n_threads, "wrong count");
                ++i;
            }
            std::vector<std::int32_t> columns(expected.size());
            std::iota(columns.begin(), columns.end(), 0);
            check_rows(counter.rows(run.context, columns, columns.size(), false, Values::int64), counts,
                       expected_terms);
            CHECK_THROWS(ValueError, counter.terms(run.context)); // its rows are gone

            // The same terms as a fixed vocabulary.
            const auto known = views(terms.packed);
            const TermIndex index(run.context, &how, known, columns, columns.size());
            CHECK(index.fits(&how));
            check_rows(index.transform(run.context, std::span(documents).first(n), how, false, Values::int64), counts,
                       expected_terms);
        }
    }
}

TEST(terms_without_a_column_are_left_out) {
    const twin::Strings texts = twin::random_documents(2, 400, 300);
    const auto documents = twin::views(texts);
    StandaloneRun run(2);
    const Analysis how = analysis(Level::word, 1, 2);
    TermCounter counter(&how);
    counter.add(run.context, documents, true);
    const auto terms = counter.terms(run.context);
    const twin::Strings all = strings(terms.packed);
    std::vector<std::int32_t> columns(all.size(), -1);
    twin::Strings kept;
    for (std::size_t i = 0; i < all.size(); i += 3) {
        columns[i] = static_cast<std::int32_t>(kept.size());
        kept.push_back(all[i]);
    }
    std::vector<twin::Strings> read;
    for (const std::string& text : texts) read.push_back(twin::terms(text, Level::word, 1, 2, {}));
    check_rows(counter.rows(run.context, columns, kept.size(), false, Values::int64), twin::count(read), kept);

    std::vector<std::string_view> some(kept.begin(), kept.end());
    std::vector<std::int32_t> places(kept.size());
    std::iota(places.begin(), places.end(), 0);
    const TermIndex index(run.context, &how, some, places, kept.size());
    check_rows(index.transform(run.context, documents, how, false, Values::int64), twin::count(read), kept);
}

TEST(a_counter_goes_on_from_what_another_one_had) {
    const twin::Strings texts = twin::random_documents(3, 300, 200);
    const auto documents = twin::views(texts);
    StandaloneRun run(2);
    for (const Case& c : cases) {
        if (c.max_n > 10) continue;
        const Analysis how = analysis(c.level, c.min_n, c.max_n, c.stop_words);
        TermCounter whole(&how), first(&how), second(&how), restored(&how);
        whole.add(run.context, documents, false);
        first.add(run.context, std::span(documents).first(100), false);
        second.add(run.context, std::span(documents).subspan(100), false);
        const auto before = first.terms(run.context);
        restored.restore(run.context, views(before.packed), before.documents.span(), before.occurrences.span(), 100);
        restored.merge(run.context, second);
        first.add(run.context, std::span(documents).subspan(100), false);
        const auto expected = whole.terms(run.context);
        for (TermCounter* counter : {&first, &restored}) {
            const auto got = counter->terms(run.context);
            CHECK_EQUAL(counter->n_documents(), texts.size());
            CHECK(strings(got.packed) == strings(expected.packed));
            CHECK(std::equal(got.documents.begin(), got.documents.end(), expected.documents.begin()));
            CHECK(std::equal(got.occurrences.begin(), got.occurrences.end(), expected.occurrences.begin()));
        }
    }
}

TEST(tokens_are_terms_as_they_are) {
    const twin::Strings texts = twin::random_documents(4, 500, 200);
    std::vector<twin::Strings> documents;
    twin::Strings flat;
    std::vector<std::size_t> starts{0};
    for (const std::string& text : texts) {
        documents.push_back(twin::terms(text, Level::word, 1, 2, {}));
        flat.insert(flat.end(), documents.back().begin(), documents.back().end());
        starts.push_back(flat.size());
    }
    const auto tokens = twin::views(flat);
    const twin::Counts counts = twin::count(documents);
    for (const int n_threads : {1, 3}) {
        StandaloneRun run(n_threads);
        TermCounter counter(nullptr);
        counter.add_tokens(run.context, {tokens, starts}, true);
        const auto terms = counter.terms(run.context);
        const twin::Strings all = strings(terms.packed);
        std::vector<std::int32_t> columns(all.size());
        std::iota(columns.begin(), columns.end(), 0);
        check_rows(counter.rows(run.context, columns, columns.size(), false, Values::int64), counts, all);
        const TermIndex index(run.context, nullptr, views(terms.packed), columns, columns.size());
        std::vector<RowChunk> rows;
        index.read_tokens(run.context, {tokens, starts}, rows);
        check_rows(index.to_csr(run.context, std::move(rows), false, Values::int64), counts, all);
    }
}

TEST(nothing_comes_of_nothing) {
    StandaloneRun run(2);
    const Analysis how = analysis(Level::word, 1, 2);
    for (const std::size_t n : {0, 3}) {
        const twin::Strings texts(n);
        TermCounter counter(&how);
        counter.add(run.context, twin::views(texts), true);
        CHECK_EQUAL(counter.n_documents(), n);
        CHECK_EQUAL(counter.n_terms(), 0u);
        CHECK_EQUAL(counter.terms(run.context).packed.starts.size(), 1u);
        const CsrCounts csr = counter.rows(run.context, {}, 0, false, Values::float32);
        CHECK_EQUAL(std::get<Buffer<std::int32_t>>(csr.indptr).size(), n + 1);
        CHECK_EQUAL(std::get<Buffer<float>>(csr.data).size(), 0u);
    }
}

TEST(an_interrupted_counter_says_so) {
    StandaloneRun run(2);
    const Analysis how = analysis(Level::word, 1, 1);
    TermCounter counter(&how);
    const twin::Strings texts{"some words"};
    run.stop.request();
    CHECK_THROWS(Interrupted, counter.add(run.context, twin::views(texts), true));
    StandaloneRun again(2);
    CHECK_THROWS(ValueError, counter.add(again.context, twin::views(texts), true));
    CHECK_THROWS(ValueError, counter.terms(again.context));
    CHECK_THROWS(ValueError, counter.n_terms());
}
