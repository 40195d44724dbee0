#include "check.hpp"

#include "text/twin.hpp"

#include "text/tokenizer.hpp"
#include "text/utf8.hpp"

#include "core/error.hpp"
#include "core/memory.hpp"

#include <cstring>

using namespace mlcore;
using namespace mlcore::text;

namespace {

/// What the tokenizer makes of text[begin, limit), empty texts left out.
std::vector<twin::Text> tokenize(std::string_view text, std::size_t begin, std::size_t limit) {
    std::vector<twin::Text> texts(1);
    Tokenizer tokenizer(text, begin, limit);
    WordRun run;
    while (tokenizer.next(run)) {
        for (std::size_t i = 0; i < run.size(); ++i) texts.back().emplace_back(run[i]);
        if (run.ends_text() && !texts.back().empty()) texts.emplace_back();
    }
    if (texts.back().empty()) texts.pop_back();
    return texts;
}

bool same_as_twin(std::string_view text) { return tokenize(text, 0, text.size()) == twin::split(text); }

/// A copy whose last byte is the last one that may be read: the sanitizer sees a read beyond it.
struct Exact {
    explicit Exact(std::string_view text) : bytes(text.begin(), text.end()) {}
    std::string_view view() const { return {bytes.data(), bytes.size()}; }
    std::vector<char> bytes;
};

} // namespace

TEST(every_short_text_over_a_small_alphabet) {
    const char alphabet[] = {'a', ' ', '\n'};
    for (std::size_t length = 0; length <= 9; ++length) {
        std::size_t n = 1;
        for (std::size_t i = 0; i < length; ++i) n *= 3;
        for (std::size_t code = 0; code < n; ++code) {
            std::string text;
            for (std::size_t i = 0, rest = code; i < length; ++i, rest /= 3) text += alphabet[rest % 3];
            if (!same_as_twin(Exact(text).view())) return check::fail(text.c_str(), 0, "other words");
        }
    }
}

TEST(words_and_gaps_around_the_block_and_batch_sizes) {
    for (const std::size_t gap : {0, 1, 63, 64, 65, 2047, 2048, 2049})
        for (const std::size_t length : {1, 62, 63, 64, 65, 127, 128, 129, 2046, 2047, 2048, 2049, 5000})
            for (const char* ending : {"", " ", "\n", "\r\n", "\nb"}) {
                const std::string text = std::string(gap, ' ') + std::string(length, 'a') + ending;
                CHECK(same_as_twin(Exact(text).view()));
            }
}

TEST(random_texts_and_random_bytes) {
    twin::Random random(1);
    for (int round = 0; round < 300; ++round) {
        CHECK(same_as_twin(Exact(random.text(random.below(10'000))).view()));
        std::string bytes(random.below(6000), '\0');
        const bool dense = random.chance(0.5); // every other byte a space: the most words that a batch can hold
        for (char& c : bytes)
            c = static_cast<char>(dense ? "a \n"[random.below(3)] : static_cast<int>(random.below(256)));
        CHECK(same_as_twin(Exact(bytes).view()));
    }
    std::string most;
    for (int i = 0; i < 5000; ++i) most += i % 2 ? '\n' : 'a';
    CHECK(same_as_twin(most));
    CHECK(same_as_twin(std::string(10'000, '\n')));
}

TEST(bytes_beyond_ascii_are_no_whitespace) {
    for (int c = 0; c < 256; ++c) {
        const std::string text{'a', static_cast<char>(c), 'b'};
        CHECK_EQUAL(tokenize(text, 0, 3).size(), std::size_t{c == '\n' ? 2u : 1u});
        CHECK(same_as_twin(text));
        CHECK_EQUAL(text::is_space(static_cast<char>(c)), twin::is_space(static_cast<char>(c)));
    }
}

TEST(adjacent_ranges_give_every_word_once) {
    twin::Random random(2);
    for (int round = 0; round < 300; ++round) {
        const std::string text = random.text(1 + random.below(4000), 500, random.chance(0.5) ? 0.0 : 0.1);
        const std::size_t step = 1 + random.below(round % 3 == 0 ? 5 : 700);
        twin::Text all;
        for (std::size_t begin = 0; begin < text.size(); begin += step) {
            const twin::Text here = twin::words(tokenize(text, begin, std::min(begin + step, text.size())));
            all.insert(all.end(), here.begin(), here.end());
        }
        CHECK(all == twin::words(twin::split(text)));
    }
}

TEST(a_range_inside_a_word_is_empty) {
    const std::string text = "a " + std::string(1000, 'b') + " c";
    CHECK(tokenize(text, 100, 200).empty());
    CHECK(tokenize(text, 3, 1002).empty());
    CHECK(tokenize(text, 3, 1003).empty()); // 'c' starts at 1003
    CHECK_EQUAL(tokenize(text, 3, 1004).size(), std::size_t{1});
    CHECK_EQUAL(tokenize(text, 2, 3)[0][0].size(), std::size_t{1000});
}

TEST(first_whitespace) {
    twin::Random random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string text(random.below(300), 'a');
        if (!text.empty() && random.chance(0.8)) text[random.below(text.size())] = " \t\n\v\f\r"[random.below(6)];
        const std::size_t from = random.below(text.size() + 1), limit = from + random.below(text.size() - from + 1);
        std::size_t expected = from;
        while (expected < limit && !twin::is_space(text[expected])) ++expected;
        CHECK_EQUAL(find_space(Exact(text).view(), from, limit), expected);
    }
}

// ---- UTF-8 ----

namespace {

void append_utf8(std::string& text, std::uint32_t c) {
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
    if (c < 0x80) return void(text += static_cast<char>(c));
    if (c < 0x800) return text += static_cast<char>(0xC0 | c >> 6), tail(0);
    if (c < 0x10000) return text += static_cast<char>(0xE0 | c >> 12), tail(6), tail(0);
    text += static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0);
}

} // namespace

TEST(all_characters_are_fine_and_nothing_else_is) {
    std::string text;
    for (std::uint32_t c = 1; c < 0x110000; ++c)
        if (c < 0xD800 || c > 0xDFFF) append_utf8(text, c);
    CHECK_EQUAL(first_bad_byte(text), text.size());
    // Every byte pair and, below the interesting first bytes, every triple: fine only if the naive decoder says so.
    const auto naive = [](std::string_view s) {
        std::size_t i = 0;
        while (i < s.size()) {
            const auto first = static_cast<unsigned char>(s[i]);
            const std::size_t n = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
            if (n == 0 || first == 0 || first >= 0xF8 || i + n > s.size()) break;
            std::uint32_t c = n == 1 ? first : first & (0x7F >> n);
            bool good = true;
            for (std::size_t k = 1; k < n; ++k) {
                good &= (s[i + k] & 0xC0) == 0x80;
                c = c << 6 | (s[i + k] & 0x3F);
            }
            std::string again;
            if (good) append_utf8(again, c);
            if (!good || again != s.substr(i, n) || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) break;
            i += n;
        }
        return i;
    };
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b)
            for (const int c : {-1, 0, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF}) {
                std::string s{static_cast<char>(a), static_cast<char>(b)};
                if (c >= 0) s += std::string{static_cast<char>(c), '\x80', 'z'};
                if (first_bad_byte(Exact(s).view()) != naive(s))
                    return check::fail("first_bad_byte", a * 256 + b, "differs");
            }
}

TEST(bad_bytes_are_found_at_every_place) {
    for (std::size_t n = 1; n < 40; ++n)
        for (std::size_t i = 0; i < n; ++i)
            for (const char bad : {'\0', '\x80', '\xFF', '\xC3'}) {
                std::string text(n, 'x');
                text[i] = bad;
                CHECK_EQUAL(first_bad_byte(Exact(text).view()), i);
            }
}

TEST(messages_name_source_and_byte) {
    const auto message = [](std::string_view word) -> std::string {
        try {
            check_word(word, "some.txt", 100);
        } catch (const ValueError& error) {
            return error.what();
        }
        return "";
    };
    CHECK(message("fine").empty());
    CHECK(message("caf\xE9").starts_with("some.txt: not UTF-8: 0xE9 at byte 103"));
    CHECK(message(std::string_view("a\0b", 3)).starts_with("some.txt: NUL at byte 101"));
}
