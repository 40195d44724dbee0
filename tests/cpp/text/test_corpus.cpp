#include "check.hpp"

#include "text/twin.hpp"

#include "text/id_corpus.hpp"
#include "text/text_corpus.hpp"
#include "text/text_stream.hpp"

#include "core/error.hpp"

#include <algorithm>

using namespace mlcore;
using namespace mlcore::text;

namespace {

/// Texts put together again from the pieces, as words; also checks what pieces promise.
std::vector<twin::Text> read_all(const Corpus& corpus, const Vocabulary& vocabulary) {
    std::vector<twin::Text> texts;
    Piece piece;
    piece.ids.assign(7, -5); // what it held before must not show
    piece.ends.assign(3, 9);
    for (std::size_t p = 0; p < corpus.n_pieces(); ++p) {
        corpus.read(p, piece);
        CHECK_EQUAL(piece.ends.empty() ? 0 : piece.ends.back(), piece.ids.size());
        CHECK(!piece.continues || (!texts.empty() && !piece.ids.empty()));
        std::size_t begin = 0;
        for (const std::size_t end : piece.ends) {
            CHECK(end > begin);
            if (begin > 0 || !piece.continues) texts.emplace_back();
            for (; begin < end; ++begin) texts.back().emplace_back(vocabulary.word(piece.ids[begin]));
        }
    }
    return texts;
}

std::string listed(const WordTable& words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i)
        text += std::string(words.word(static_cast<std::int32_t>(i))) + ":" + std::to_string(words.counts()[i]) + " ";
    return text;
}

/// Words in the order of their first appearance, with their counts.
std::string listed(const twin::Text& words) {
    auto counts = twin::counts(words);
    std::string text;
    for (const std::string& word : words) {
        if (counts[word] > 0) text += word + ":" + std::to_string(counts[word]) + " ";
        counts[word] = 0;
    }
    return text;
}

std::shared_ptr<const Vocabulary> vocabulary_of(const WordTable& words, std::int64_t min_count = 1) {
    return std::make_shared<Vocabulary>(Vocabulary::build(words, min_count, 0));
}

/// The numbered form of a file, fed in blocks of random sizes.
struct Numbered {
    Numbered(twin::Random& random, std::string_view text, std::size_t most) : words(std::make_shared<WordTable>()) {
        TextStream stream(words, "stream");
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t n = random.below(most + 1);
            append(stream.feed(text.substr(at, n)));
            at += n;
        }
        append(stream.finish());
    }
    void append(const EncodedBlock& block) {
        for (const std::int64_t end : block.ends) ends.push_back(static_cast<std::int64_t>(ids.size()) + end);
        ids.insert(ids.end(), block.ids.begin(), block.ids.end());
    }
    std::shared_ptr<WordTable> words;
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> ends;
};

void compare_with_twin(const std::vector<std::string>& contents) {
    std::vector<TextFile> files;
    std::vector<twin::Text> texts;
    for (const std::string& content : contents) {
        files.push_back({content, "file"});
        for (twin::Text& text : twin::split(content)) texts.push_back(std::move(text));
    }
    const twin::Text words = twin::words(texts);
    for (const int n_threads : {1, 2, 7}) {
        TextCorpus corpus(files);
        StandaloneRun run(n_threads);
        const WordTable table = corpus.count(run.context);
        CHECK(listed(table) == listed(words));
        CHECK_EQUAL(corpus.n_tokens(), static_cast<std::int64_t>(words.size()));
        CHECK_EQUAL(corpus.n_texts(), static_cast<std::int64_t>(texts.size()));
        CHECK_EQUAL(corpus.tokens_before(0), 0);
        const auto vocabulary = vocabulary_of(table);
        corpus.set_vocabulary(vocabulary);
        CHECK(read_all(corpus, *vocabulary) == texts);
        Piece piece;
        for (std::size_t p = 0; p < corpus.n_pieces(); ++p) {
            corpus.read(p, piece);
            CHECK_EQUAL(corpus.tokens_before(p + 1) - corpus.tokens_before(p),
                        static_cast<std::int64_t>(piece.ids.size()));
        }
    }
}

constexpr std::size_t piece_bytes = TextCorpus::piece_bytes;

} // namespace

TEST(pieces_give_every_word_once) {
    twin::Random random(1);
    compare_with_twin({});
    compare_with_twin({""});
    compare_with_twin({"", "\n", "a", "", " \t\r\n", "b\n"});
    compare_with_twin({std::string(3 * piece_bytes, ' ')});
    compare_with_twin({std::string(3 * piece_bytes, '\n') + "a"});
    for (const double newlines : {0.0, 0.001, 0.3}) // one text over all pieces, one over several, short ones
        for (const std::size_t n : {1000, 65'000, 66'000, 400'000})
            compare_with_twin({random.text(n, 500, newlines), random.text(n, 500, newlines)});
}

TEST(borders_of_pieces_at_every_place) {
    for (const char* around : {"a b", "a\nb", "ab", "a \n b", "a\n\nb", "a\r\nb", " \n ", "a ", "\xC3\xA9z"})
        for (int shift = -6; shift <= 2; ++shift) {
            std::string text(piece_bytes + static_cast<std::size_t>(shift + 6) - 6, 'x');
            for (std::size_t i = 50; i < text.size(); i += 51) text[i] = ' ';
            compare_with_twin({text + around});
            compare_with_twin({text + around + std::string(piece_bytes, ' ') + "end"});
        }
}

TEST(a_word_over_many_pieces) {
    const std::string word(10 << 20, 'x');
    compare_with_twin({"before " + word + " after"});
    compare_with_twin({word});
    compare_with_twin({"a\n" + word, word + "\nb"});
}

TEST(unknown_words_are_dropped) {
    twin::Random random(2);
    const std::string content = random.text(300'000, 3000, 0.2);
    TextCorpus corpus({{content, "file"}});
    StandaloneRun run(2);
    const WordTable table = corpus.count(run.context);
    const auto vocabulary = vocabulary_of(table, 14);
    CHECK(vocabulary->size() > 10 && vocabulary->size() < table.size());
    corpus.set_vocabulary(vocabulary);
    twin::Text expected;
    for (const std::string& word : twin::words(twin::split(content)))
        if (vocabulary->id(word) >= 0) expected.push_back(word);
    CHECK(twin::words(read_all(corpus, *vocabulary)) == expected);
    CHECK_EQUAL(corpus.n_tokens(), static_cast<std::int64_t>(twin::words(twin::split(content)).size()));

    corpus.set_vocabulary(std::make_shared<Vocabulary>()); // nothing is known
    CHECK(read_all(corpus, Vocabulary()).empty());
}

TEST(the_first_fault_is_reported_for_any_number_of_threads) {
    twin::Random random(3);
    std::string good = random.text(1'000'000), bad = good;
    std::size_t first = 0;
    for (const std::size_t near : {990'000, 700'000, 400'000, 333'333}) {
        first = near;
        while (!twin::is_space(bad[first])) ++first;
        bad[++first] = '\xFF';
    }
    for (const int n_threads : {1, 2, 7})
        for (int round = 0; round < 3; ++round) {
            TextCorpus corpus({{good, "good.txt"}, {bad, "bad.txt"}, {bad, "worse.txt"}});
            StandaloneRun run(n_threads);
            try {
                corpus.count(run.context);
                check::fail("count", 0, "no error");
            } catch (const ValueError& error) {
                const std::string expected = "bad.txt: not UTF-8: 0xFF at byte " + std::to_string(first);
                CHECK(std::string(error.what()).starts_with(expected));
            }
        }
}

TEST(a_byte_order_mark_is_no_word) {
    const std::string mark = "\xEF\xBB\xBF";
    twin::Random random(4);
    for (const std::string rest : {"a b", "", " a", "\na\n"}) {
        const std::string content = mark + rest;
        TextCorpus corpus({{content, "marked"}, {"plain", "plain"}, {content, "marked"}});
        StandaloneRun run;
        const twin::Text words = twin::words(twin::split(rest + "\nplain\n" + rest));
        CHECK_EQUAL(listed(corpus.count(run.context)), listed(words));
        for (const std::size_t most : {1, 2, 100}) {
            const Numbered numbered(random, content, most);
            CHECK_EQUAL(listed(*numbered.words), listed(twin::words(twin::split(rest))));
        }
    }
}

TEST(blocks_of_a_stream_may_be_cut_anywhere) {
    twin::Random random(5);
    for (const std::size_t most : {1, 3, 70, 5000})
        for (int round = 0; round < 20; ++round) {
            const std::string content = random.text(random.below(20'000));
            const Numbered numbered(random, content, most);
            const std::vector<twin::Text> texts = twin::split(content);
            CHECK(listed(*numbered.words) == listed(twin::words(texts)));
            IdCorpus corpus(numbered.ids, numbered.ends, numbered.words);
            CHECK_EQUAL(corpus.n_texts(), static_cast<std::int64_t>(texts.size()));
            CHECK_EQUAL(numbered.ends.size(), texts.size());
            const auto vocabulary = vocabulary_of(*numbered.words);
            corpus.set_vocabulary(vocabulary);
            CHECK(read_all(corpus, *vocabulary) == texts);
        }
}

TEST(faults_in_a_stream_are_located) {
    for (std::size_t cut = 0; cut <= 12; ++cut) {
        const std::string content = "ab cd\nef\xFFgh ij";
        TextStream stream(std::make_shared<WordTable>(), "file.gz");
        try {
            stream.feed(std::string_view(content).substr(0, cut));
            stream.feed(std::string_view(content).substr(cut));
            stream.finish();
            check::fail("feed", static_cast<int>(cut), "no error");
        } catch (const ValueError& error) {
            CHECK(std::string(error.what()).starts_with("file.gz: not UTF-8: 0xFF at byte 8;"));
        }
    }
}

TEST(numbered_texts_in_pieces) {
    twin::Random random(6);
    for (const double newlines : {0.0, 0.0005, 0.3}) {
        const std::string content = random.text(300'000, 500, newlines);
        const Numbered numbered(random, content, 1 << 16);
        CHECK(numbered.ids.size() > 3 * IdCorpus::piece_words);
        IdCorpus corpus(numbered.ids, numbered.ends, numbered.words);
        const auto vocabulary = vocabulary_of(*numbered.words);
        corpus.set_vocabulary(vocabulary);
        CHECK(read_all(corpus, *vocabulary) == twin::split(content));
        CHECK_EQUAL(corpus.n_tokens(), static_cast<std::int64_t>(numbered.ids.size()));
        CHECK_EQUAL(corpus.n_pieces(), (numbered.ids.size() + IdCorpus::piece_words - 1) / IdCorpus::piece_words);
    }
    // Texts that end where pieces do, and empty ones there.
    const auto words = std::make_shared<WordTable>();
    words->insert("w");
    const std::vector<std::int32_t> ids(2 * IdCorpus::piece_words, 0);
    const std::int64_t half = IdCorpus::piece_words;
    for (const std::vector<std::int64_t>& ends :
         {std::vector<std::int64_t>{half, 2 * half}, {half - 1, half, half, 2 * half, 2 * half}}) {
        IdCorpus corpus(ids, ends, words);
        const auto vocabulary = std::make_shared<Vocabulary>(Vocabulary::build(*words, 0, 0));
        corpus.set_vocabulary(vocabulary);
        CHECK_EQUAL(corpus.n_texts(), static_cast<std::int64_t>(read_all(corpus, *vocabulary).size()));
    }
}

TEST(numbered_texts_are_checked) {
    const auto words = std::make_shared<WordTable>();
    words->insert("w");
    const std::vector<std::int32_t> ids{0, 0};
    const std::vector<std::int64_t> ends{2};
    CHECK_THROWS(ValueError, IdCorpus(std::vector<std::int32_t>{0, 1}, ends, words));
    CHECK_THROWS(ValueError, IdCorpus(std::vector<std::int32_t>{0, -1}, ends, words));
    CHECK_THROWS(ValueError, IdCorpus(ids, std::vector<std::int64_t>{1}, words));
    CHECK_THROWS(ValueError, IdCorpus(ids, std::vector<std::int64_t>{2, 1, 2}, words));
    CHECK_THROWS(ValueError, IdCorpus(ids, std::vector<std::int64_t>{-1, 2}, words));
    CHECK_THROWS(ValueError, IdCorpus(ids, {}, words));
    CHECK_EQUAL(IdCorpus({}, {}, words).n_pieces(), std::size_t{0});
    IdCorpus corpus(ids, ends, words);
    Piece piece;
    CHECK_THROWS(InternalError, corpus.read(0, piece)); // no vocabulary yet
    corpus.set_vocabulary(std::make_shared<Vocabulary>());
    CHECK_THROWS(ValueError, corpus.set_vocabulary(std::make_shared<Vocabulary>()));
}

TEST(files_that_change_after_the_count_do_no_harm) {
    twin::Random random(7);
    std::string content = random.text(3 * piece_bytes, 100, 0.1);
    TextCorpus corpus({{content, "file"}});
    StandaloneRun run;
    corpus.set_vocabulary(vocabulary_of(corpus.count(run.context)));
    for (char& c : content) c = random.chance(0.5) ? '1' : ' ';
    Piece piece;
    for (std::size_t p = 0; p < corpus.n_pieces(); ++p) corpus.read(p, piece); // the sanitizer watches
}
