// Words and characters of documents in memory: bytes of the document a second, beside the machine's rate of reading.
// Texts of made-up words whose lengths and share of letters beyond ASCII are those of the languages named.
#include "bench.hpp"
#include "core/random.hpp"
#include "text/analysis/character_reader.hpp"
#include "text/analysis/word_reader.hpp"
#include "text/hashing/hashed_rows.hpp"
#include "text/unicode/character_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace mlcore;
using namespace mlcore::text;

namespace {

/// Letters, digits and white space of the alphabets below.
void fill(CharacterTable& table) {
    for (std::size_t number = 0; number < 0x600; ++number) {
        CharacterTable::CasePage page;
        for (std::size_t i = 0; i < page_size; ++i) {
            const auto c = static_cast<char32_t>(number * page_size + i);
            const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c < 0x530) ||
                                (c >= 0x4E00 && c < 0xA000) || (c >= 0x10000 && c < 0x11000);
            page.kinds[i] = letter ? CharacterTable::word : c <= ' ' ? CharacterTable::space : 0;
            if ((c >= 'A' && c <= 'Z') || (c >= 0x410 && c < 0x430)) page.lower[i] = 32;
        }
        table.set_cases(number, page);
    }
}

struct Language {
    const char* name;
    int width;                // bytes a code point
    double beyond;            // share of letters beyond ASCII ...
    char32_t first, n_beyond; // ... and which
};

std::vector<std::uint8_t> make_text(const Language& language, std::size_t n_characters) {
    const Philox random(1, 0);
    std::vector<std::uint8_t> bytes;
    std::uint64_t draw = 0;
    std::size_t n = 0;
    const auto append = [&](char32_t c) {
        for (int i = 0; i < language.width; ++i) bytes.push_back(static_cast<std::uint8_t>(c >> 8 * i));
        ++n;
    };
    while (n < n_characters) {
        auto length = 1 + random.below(draw++, 5);
        length += random.below(draw++, 6);
        for (std::uint64_t i = 0; i < length; ++i) {
            const bool beyond = random.uniform(draw++) < language.beyond;
            const auto letter = static_cast<char32_t>(random.below(draw++, beyond ? language.n_beyond : 26));
            append(beyond ? language.first + letter : letter + (i == 0 && letter < 3 ? U'A' : U'a'));
        }
        append(random.below(draw++, 10) == 0 ? U'.' : U' ');
        if (random.below(draw++, 60) == 0) append(U'\n');
    }
    return bytes;
}

} // namespace

int main() {
    const bench::Peaks peaks = bench::print_machine(1);
    static CharacterTable table;
    fill(table);
    StandaloneRun run(1);
    for (const Language& language :
         {Language{"English, 1 byte", 1, 0, U'a', 1}, Language{"English, 2 bytes", 2, 0, U'a', 1},
          Language{"English, 4 bytes", 4, 0, U'a', 1}, Language{"German, 1 byte", 1, 0.03, 0xE4, 20},
          Language{"Russian, 2 bytes", 2, 1, 0x430, 32}, Language{"Chinese, 2 bytes", 2, 1, 0x4E00, 3000},
          Language{"old scripts, 4 bytes", 4, 1, 0x10000, 1000}}) {
        const std::vector<std::uint8_t> text = make_text(language, 4'000'000);
        const std::size_t size = text.size() / static_cast<std::size_t>(language.width);
        const Document document{text.data(), size, language.width, language.width == 1 && language.beyond == 0};
        const auto print = [&](const char* what, auto&& f) {
            const std::string name = std::string(language.name) + ", " + what;
            bench::print_result(name.c_str(), bench::median_seconds(f), static_cast<double>(text.size()), "B",
                                1e9 * peaks.read_gb);
        };
        const auto read_words = [&](const char* what, const TokenRule& rule) {
            const Analyzer analyzer(table, {.rule = rule});
            WordReader reader(analyzer);
            print(what, [&] {
                WordRun words;
                std::size_t n = 0;
                for (reader.start(document); reader.next(words);) n += words.size();
                bench::keep(n);
            });
        };
        read_words("\\w\\w+", TokenRule::words(2));
        read_words("\\S+", TokenRule::not_space());
        const Analyzer spaces(table, {.rule = TokenRule::space()});
        Normaliser normaliser(spaces);
        print("UTF-8 and bits alone", [&] {
            for (normaliser.start(document); !normaliser.exhausted();)
                bench::keep(normaliser.read(64, Normaliser::batch_bytes));
        });
        CharacterReader reader(spaces, 4);
        print("characters", [&] {
            CharacterRun characters;
            for (reader.start(document); reader.next(characters);) bench::keep(characters.size);
        });
        const Analysis analysis(table, {}, Level::word, 1, 1, {});
        const std::vector<Document> documents(1, document);
        print("hashed row", [&] {
            bench::keep(
                hashed_rows<double>(run.context, documents, analysis, {TermHash(1 << 20, true), false}).data[0]);
        });
    }
}
