#include "check.hpp"

#include "text/characters_twin.hpp"

#include "core/random.hpp"
#include "text/analysis/character_reader.hpp"
#include "text/analysis/word_reader.hpp"
#include "text/word_table.hpp"

#include <algorithm>
#include <map>

using namespace mlcore;
using namespace mlcore::text;

namespace {

TokenRule letters(std::size_t min_length, bool whole_words) {
    TokenRule rule{.min_length = min_length, .whole_words = whole_words};
    for (char c = 'a'; c <= 'z'; ++c) rule.ascii[static_cast<std::size_t>(c)] = true;
    return rule;
}

std::vector<TokenRule> all_rules() {
    return {TokenRule::words(1), TokenRule::words(2), TokenRule::words(3), TokenRule::not_space(),
            letters(1, false),   letters(2, false),   letters(1, true),    letters(3, true)};
}

std::vector<std::string> read_words(const Analyzer& analyzer, WordReader& reader, const Document& document) {
    std::vector<std::string> all;
    WordRun run;
    bool ended = false;
    for (reader.start(document); reader.next(run);) {
        CHECK(!ended);
        ended = run.ends_text();
        for (std::size_t i = 0; i < run.size(); ++i) {
            const std::string_view word = run[i];
            CHECK(reader.readable() >= word.data() + word.size() + 64);
            const WordKey key = word_key(word, reader.readable()), same = word_key(std::string(word));
            CHECK(key.head == same.head && key.tail == same.tail && key.length == same.length);
            if (analyzer.blanks_others()) CHECK(word.data()[-1] == ' ' && word.data()[word.size()] == ' ');
            all.emplace_back(word);
        }
    }
    CHECK(ended);
    return all;
}

/// Documents of parts of characters of every sort, and of long runs of one.
std::u32string random_text(std::uint64_t seed, std::size_t n_parts, char32_t limit) {
    const std::u32string some =
        U"abXYZ019__  ..\t\n\x1c\x85\xa0\xe9\xc9\xb4\xbd\u0130\u0301\u2003\u212a\ufdfa中丁\U00010400";
    const Philox random(seed, 0);
    std::u32string text;
    std::uint64_t draw = 0;
    const auto character = [&]() -> char32_t {
        const char32_t c = some[random.below(draw++, some.size())];
        return c < limit ? c : U'q';
    };
    for (std::size_t part = 0; part < n_parts; ++part) {
        const std::uint64_t kind = random.below(draw++, 20);
        if (kind == 0)
            text.append(random.below(draw++, 5000), character());
        else if (kind < 8)
            text.append(random.below(draw++, 90), character());
        else if (kind < 10) // half of a surrogate pair
            text += limit > 0x10000 ? char32_t{0xD800} : U'.';
        else
            for (std::uint64_t i = random.below(draw++, 100); i-- > 0;) text += character();
    }
    return text;
}

struct Sort {
    int width;
    char32_t limit;
};
constexpr Sort sorts[] = {{1, 0x80}, {1, 0x100}, {2, 0x10000}, {4, 0x110000}, {4, 0x80}};
constexpr Accents all_accents[] = {Accents::keep, Accents::ascii, Accents::unicode};

} // namespace

TEST(words_of_random_documents_are_those_of_the_twin) {
    for (const TokenRule& rule : all_rules())
        for (const Accents accents : all_accents)
            for (const bool lowercase : {false, true}) {
                const Analyzer analyzer(twin::table(), {lowercase, accents, rule});
                WordReader reader(analyzer); // one for all documents
                for (std::uint64_t seed = 0; seed < 12; ++seed)
                    for (const Sort sort : sorts) {
                        const std::u32string text = random_text(seed, 3 * seed, sort.limit);
                        const twin::Text own(text, sort.width);
                        CHECK(read_words(analyzer, reader, own.document()) ==
                              twin::words(twin::prepared(text, lowercase, accents), rule));
                    }
            }
}

TEST(words_around_the_sizes_of_blocks_and_batches) {
    for (const TokenRule& rule : {TokenRule::words(1), TokenRule::words(2), TokenRule::not_space(), letters(1, true)})
        for (const std::size_t gap : {0, 1, 62, 63, 64, 65, 1983, 1984, 2046, 2047, 2048, 2049})
            for (const std::size_t length : {1, 2, 62, 63, 64, 65, 128, 2047, 2048, 2049, 9000})
                for (const char32_t* ending : {U"", U" ", U" b", U" bc", U"\xe9", U" \xe9"}) {
                    const std::u32string text = std::u32string(gap, U' ') + std::u32string(length, U'a') + ending;
                    const Analyzer analyzer(twin::table(), {.rule = rule});
                    WordReader reader(analyzer);
                    CHECK(read_words(analyzer, reader, twin::Text(text, 1).document()) == twin::words(text, rule));
                }
}

TEST(a_reader_may_leave_a_document_and_start_another) {
    const Analyzer analyzer(twin::table(), {.rule = TokenRule::words(1)});
    WordReader reader(analyzer);
    const twin::Text first(std::u32string(5000, U'a'), 1), second(U"b c", 2);
    WordRun run;
    reader.start(first.document());
    CHECK(reader.next(run));
    CHECK(read_words(analyzer, reader, second.document()) == std::vector<std::string>({"b", "c"}));
    CHECK(read_words(analyzer, reader, Document{}).empty());
}

TEST(characters_of_random_documents_are_those_of_the_twin) {
    for (const Accents accents : all_accents)
        for (const bool lowercase : {false, true})
            for (const std::size_t overlap : {0, 1, 4, 3000}) {
                const Analyzer analyzer(twin::table(), {lowercase, accents, TokenRule::space()});
                CharacterReader reader(analyzer, overlap);
                for (std::uint64_t seed = 0; seed < 12; ++seed)
                    for (const Sort sort : sorts) {
                        const std::u32string text = random_text(seed, 3 * seed, sort.limit);
                        const twin::Text own(text, sort.width);
                        std::vector<std::string> all;
                        CharacterRun run;
                        for (reader.start(own.document()); reader.next(run);) {
                            CHECK(run.size > run.repeated);
                            CHECK_EQUAL(run.repeated, std::min(overlap, all.size()));
                            bool ascii = true;
                            std::vector<std::string> here;
                            for (std::size_t i = 0; i < run.size; ++i) {
                                here.emplace_back(run.bytes + run.offsets[i], run.offsets[i + 1] - run.offsets[i]);
                                ascii = ascii && here.back().size() == 1;
                            }
                            CHECK_EQUAL(run.ascii, ascii);
                            CHECK(std::equal(here.begin(), here.begin() + static_cast<std::ptrdiff_t>(run.repeated),
                                             all.end() - static_cast<std::ptrdiff_t>(run.repeated)));
                            all.insert(all.end(), here.begin() + static_cast<std::ptrdiff_t>(run.repeated), here.end());
                        }
                        CHECK(all == twin::characters(twin::prepared(text, lowercase, accents)));
                    }
            }
}

TEST(the_table_says_what_was_entered) {
    const CharacterTable& table = twin::table();
    for (char32_t c = 0; c < 0x110000; c += c < 0x5000 ? 1 : 37) {
        CHECK_EQUAL(table.is_word(c), twin::is_word(c));
        CHECK_EQUAL(table.is_space(c), twin::is_space(c));
        CHECK_EQUAL(table.is_punctuation(c), (twin::categories(c) & CharacterTable::punctuation) != 0);
        CHECK_EQUAL(table.is_symbol(c), (twin::categories(c) & CharacterTable::symbol) != 0);
        CHECK_EQUAL(table.is_number(c), (twin::categories(c) & CharacterTable::number) != 0);
        std::u32string lower, plain;
        table.append_lower(c, lower);
        table.append_without_accents(c, Accents::unicode, plain);
        CHECK(lower == twin::lower(c));
        CHECK(plain == twin::without_accents(c));
    }
}

TEST(what_was_not_entered_is_a_character_of_no_kind) {
    const CharacterTable table;
    std::u32string all;
    table.append_lower(U'A', all);
    table.append_without_accents(0xE9, Accents::unicode, all);
    table.append_without_accents(0xE9, Accents::ascii, all);
    CHECK(all == U"A\xe9");
    CHECK(!table.is_word(U'a') && !table.is_space(U' ') && !table.is_punctuation(U'.'));
}
