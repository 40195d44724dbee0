#include "check.hpp"

#include "core/random.hpp"
#include "embedding/vector_file.hpp"

#include <cstring>
#include <limits>

using namespace mlcore;
using namespace mlcore::embedding;

namespace {

constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

struct Words {
    std::vector<std::uint8_t> utf8;
    std::vector<std::int64_t> offsets{0};

    Words(std::initializer_list<std::string> words) {
        for (const std::string& word : words) add(word);
    }
    void add(const std::string& word) {
        utf8.insert(utf8.end(), word.begin(), word.end());
        offsets.push_back(static_cast<std::int64_t>(utf8.size()));
    }
    PackedWords packed() const { return {utf8, offsets}; }
};

std::string name_of(std::size_t i) { return std::string("w").append(std::to_string(i)); }

std::string joined(const std::vector<std::string>& pieces) {
    std::string text;
    for (const std::string& piece : pieces) text += piece;
    return text;
}

VectorFile parse(const std::string& bytes, bool binary, std::size_t limit = all, bool has_header = true,
                 int n_threads = 2) {
    const StandaloneRun run(n_threads);
    const std::vector<char> exact(bytes.begin(), bytes.end()); // so that a sanitizer sees a byte read too many
    return binary ? parse_binary(run.context, exact, limit) : parse_text(run.context, exact, limit, has_header);
}

std::string word(const std::string& bytes, const VectorFile& file, std::size_t i) {
    return bytes.substr(static_cast<std::size_t>(file.begins[i]),
                        static_cast<std::size_t>(file.ends[i] - file.begins[i]));
}

std::string message(const std::string& bytes, bool binary, std::size_t limit = all, bool has_header = true) {
    try {
        parse(bytes, binary, limit, has_header);
    } catch (const ValueError& e) {
        return e.what();
    }
    return "no error";
}

void check_message(const std::string& bytes, bool binary, const std::string& part, bool has_header = true) {
    const std::string text = message(bytes, binary, all, has_header);
    if (text.find(part) == std::string::npos) CHECK_EQUAL(text, part); // shows both
}

std::string record(const std::string& word, std::initializer_list<float> values, const std::string& end = "") {
    std::string bytes = word + ' ';
    for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return bytes + end;
}

/// n words "w0" .. and vectors of all kinds of bits that are allowed.
struct Sample {
    Words words{};
    std::vector<float> values;
    std::size_t rows, cols;

    Sample(std::size_t n, std::size_t d) : values(n * d), rows(n), cols(d) {
        const Philox random(1, 2);
        for (std::size_t i = 0; i < n; ++i) words.add(name_of(i));
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::uint32_t bits = random.u32(i);
            if ((bits & 0x7fffffff) > 0x5d000000) bits ^= 0x40000000; // below 6e17
            std::memcpy(&values[i], &bits, sizeof bits);
        }
    }
    std::string text() const { return header() + format(false, 2); }
    std::string binary() const { return header() + format(true, 2); }
    std::string header() const { return std::to_string(rows) + ' ' + std::to_string(cols) + '\n'; }
    std::string format(bool is_binary, int n_threads) const {
        const StandaloneRun run(n_threads);
        const auto view = row_major<const float>(values.data(), rows, cols);
        return joined(is_binary ? format_binary(run.context, words.packed(), view)
                                : format_text(run.context, words.packed(), view));
    }
};

void check_equal(const Sample& sample, const std::string& bytes, const VectorFile& file, std::size_t rows) {
    CHECK_EQUAL(file.rows, rows);
    CHECK_EQUAL(file.cols, sample.cols);
    CHECK_EQUAL(file.values.size(), rows * sample.cols);
    CHECK_EQUAL(std::memcmp(file.values.data(), sample.values.data(), rows * sample.cols * sizeof(float)), 0);
    for (std::size_t i = 0; i < rows; ++i) CHECK_EQUAL(word(bytes, file, i), name_of(i));
}

} // namespace

TEST(every_float_comes_back_from_both_formats) {
    for (std::size_t rows : {1, 2, 127, 128, 129, 1000})
        for (std::size_t cols : {1, 3, 50})
            for (int n_threads : {1, 3}) {
                const Sample sample(rows, cols);
                check_equal(sample, sample.text(), parse(sample.text(), false, all, true, n_threads), rows);
                check_equal(sample, sample.binary(), parse(sample.binary(), true, all, true, n_threads), rows);
                const std::string bare = sample.format(false, n_threads);
                check_equal(sample, bare, parse(bare, false, all, false, n_threads), rows);
                CHECK(bare == sample.format(false, 1));
                for (std::size_t limit : {std::size_t{1}, rows / 2 + 1, rows, rows + 5}) {
                    check_equal(sample, sample.text(), parse(sample.text(), false, limit), std::min(limit, rows));
                    check_equal(sample, sample.binary(), parse(sample.binary(), true, limit), std::min(limit, rows));
                    check_equal(sample, bare, parse(bare, false, limit, false), std::min(limit, rows));
                }
            }
}

TEST(text_is_what_other_programs_read) {
    const Words words{"the", "b\xc3\xa4r"};
    const std::vector<float> values{0.1F, -2, 1e-30F, 16777216};
    const StandaloneRun run;
    CHECK_EQUAL(joined(format_text(run.context, words.packed(), row_major(values.data(), 2, 2))),
                "the 0.1 -2\nb\xc3\xa4r 1e-30 16777216\n");
    const MatrixView<const float> transposed{values.data(), 2, 2, 1, 2};
    CHECK_EQUAL(joined(format_text(run.context, words.packed(), transposed)),
                "the 0.1 1e-30\nb\xc3\xa4r -2 16777216\n");
    CHECK_EQUAL(joined(format_binary(run.context, words.packed(), transposed)),
                record("the", {0.1F, 1e-30F}, "\n") + record("b\xc3\xa4r", {-2, 16777216}, "\n"));
}

TEST(layouts_of_other_programs_are_read) {
    // word2vec.c ends each number with a space; some editors write \r\n; fields may be far apart
    for (const char* text : {"2 3\nthe 0.5 -1.0 2 \nof 1e2 +.5 -0 \n", "2 3\r\nthe 0.5 -1 2\r\nof 100 0.5 -0\r\n",
                             "2 3 \nthe\t0.5   -1 2\nof 1E+2 5e-1 -0.0", "2 3\nthe 0.5 -1 2\nof 100 .5 -0\n\n \n"}) {
        const VectorFile file = parse(text, false);
        CHECK_EQUAL(word(text, file, 0), "the");
        CHECK_EQUAL(word(text, file, 1), "of");
        const float expected[] = {0.5F, -1, 2, 100, 0.5F, -0.0F};
        CHECK_EQUAL(std::memcmp(file.values.data(), expected, sizeof expected), 0);
    }
    // a newline after a record (word2vec.c), none (gensim), or one before the word
    for (const char* end : {"", "\n", "\n\n"}) {
        const std::string bytes = std::string("2 2\n") + record("the", {1, 2}, end) + record("of", {3, 4}, end);
        const VectorFile file = parse(bytes, true);
        CHECK_EQUAL(word(bytes, file, 0), "the");
        CHECK_EQUAL(word(bytes, file, 1), "of");
        CHECK_EQUAL(file.values[3], 4);
    }
    // numbers that float32 rounds to 0 or to a denormal one
    const VectorFile tiny = parse("1 3\nx 1e-60 -1e-41 -1e18\n", false);
    CHECK_EQUAL(tiny.values[0], 0);
    CHECK_EQUAL(tiny.values[1], -1e-41F);
    CHECK_EQUAL(tiny.values[2], -1e18F);
    // a byte order mark, which some editors write
    for (const char* text : {"\xef\xbb\xbfthe 1 2\nof 3 4\n", "\xef\xbb\xbf"
                                                              "2 2\nthe 1 2\nof 3 4\n"}) {
        const VectorFile file = parse(text, false, all, text[3] == '2');
        CHECK_EQUAL(file.rows, 2u);
        CHECK_EQUAL(word(text, file, 0), "the");
        CHECK_EQUAL(file.values[3], 4);
    }
    // the columns of a first line with a blank and \r at its end
    CHECK_EQUAL(parse("the 1 2 \r\nof 3 4 \r\n", false, all, false).cols, 2u);
    CHECK_EQUAL(parse("the 1 2\r\nof 3 4\r\n", false, all, false).cols, 2u);
}

TEST(words_with_blanks) {
    const std::string text = "4 2\n. . . 1 2\nat x@y.z 3 4\n1 2 5 6\n  7 8\n";
    for (const int n_threads : {1, 2}) {
        const VectorFile file = parse(text, false, all, true, n_threads);
        CHECK_EQUAL(word(text, file, 0), ". . .");
        CHECK_EQUAL(word(text, file, 1), "at x@y.z");
        CHECK_EQUAL(word(text, file, 2), "1 2");
        CHECK_EQUAL(word(text, file, 3), " ");
        for (std::size_t i = 0; i < 8; ++i) CHECK_EQUAL(file.values[i], static_cast<float>(i + 1));
    }
}

TEST(more_vectors_than_promised_are_left) {
    CHECK_EQUAL(parse("2 1\na 1\nb 2\nc 3\n", false).rows, 2u);
    CHECK(parse("2 1\na 1\nb 2\nc 3\n", false).has_more);
    CHECK(!parse("2 1\na 1\nb 2\n\n", false).has_more);
    CHECK(!parse("2 1\na 1\nb 2\n", false, 1).has_more); // the limit is the caller's
    const std::string binary = std::string("1 1\n") + record("a", {1}, "\n");
    CHECK(!parse(binary, true).has_more);
    CHECK(parse(binary + record("b", {2}, "\n") + record("c", {3}), true).has_more);
}

TEST(bad_text_is_refused_with_its_line) {
    for (const char* header : {"", "\n", "the 0.1 0.2\n", "2\n", "2 3", "2 3 4\n", "-2 3\n", "2 -3\n", "2 3x\n",
                               "99999999999999999999 3\n", "2.0 3\n", "\xff\xfe\n", " \n"})
        check_message(header, false, "the first line must have two numbers");
    check_message("the 0.1 0.2\n", false, "'the 0.1 0.2' (no_header=True");
    check_message("0 3\n", false, "no vectors");
    check_message("3 0\n", false, "no vectors");
    check_message("1000000000000 300\nthe 1 2\n", false, "more than the 8 bytes that follow can hold");
    check_message("1 9223372036854775807\nthe 1 2\n", false, "more than the 8 bytes");
    check_message("9223372036854775807 9223372036854775807\nthe 1 2\n", false, "more than the 8 bytes");
    check_message("3 1\nthe 1000\nof 2000\n", false, "3 vectors are promised, but there are only 2");
    check_message("2 2\na 1 2\nb 3\n\n\n", false, "line 3 has 1 numbers after 'b', expected 2");
    check_message("2 2\na x y\nb 3 4\n", false, "line 2 has 'x' in place 1 after 'a', which is not a number");
    check_message("2 2\na 1 2\nb 3 4,5\n", false, "line 3 has '4,5' in place 2 after 'b', which is not a number");
    check_message("2 2\na 1 2\nb 3 +-5\n", false, "line 3 has '+-5' in place 2");
    check_message("2 2\na 1 2\n 3 4 5 6\n", false, "line 3 has no word");
    check_message("4 2\na 1 2\n\nb 3 4\nc 50000 60000\n", false, "line 3 has no word");
    check_message("1 2\na 1 1e999\n", false, "line 2 has '1e999' in place 2");
    check_message("1 2\na 1 1e39\n", false, "line 2: the vector of 'a' has inf in place 2");
    check_message("2 2\na 1 2\nb\xc3\xa4r nan 1\n", false, "line 3: the vector of 'b\xc3\xa4r' has NaN in place 1");
    check_message("2 2\na 1 2\nb\xff -inf 1\n", false, "line 3: the vector of 'b\\xff' has -inf in place 1");
    check_message("1 2\na 1 -2e18\n", false, "line 2: the vector of 'a' has -2e+18 in place 2, more than 1e18");
    check_message("the\nof 1\n", false, "the first line must have a word and numbers", false);
    check_message("", false, "the first line must have a word and numbers", false);
    check_message("the 1 2\nof 1\n", false, "line 2 has 1 numbers after 'of', expected 2", false);
    std::string wide = "x";
    for (int i = 0; i < 1000; ++i) wide += " 1";
    for (int i = 0; i < 1000; ++i) wide += "\ny 1";
    check_message(wide, false, "1001 vectors of 1000 numbers are promised", false);
    // The first bad line of several, however many threads there are.
    std::string many = "5000 2\n";
    for (int i = 0; i < 5000; ++i) many += i % 700 == 650 ? "w 1\n" : "word 1 2\n";
    for (int repeat = 0; repeat < 20; ++repeat) check_message(many, false, "line 652 has 1 numbers");
    CHECK_EQUAL(parse(many, false, 650).rows, 650u);
}

TEST(bad_binary_is_refused) {
    const std::string good = std::string("2 2\n") + record("the", {1, 2}, "\n") + record("of", {3, 4}, "\n");
    CHECK_EQUAL(parse(good, true).rows, 2u);
    for (std::size_t size = 0; size + 1 < good.size(); ++size) check_message(good.substr(0, size), true, "");
    for (std::size_t size = 0; size + 1 < good.size(); ++size) CHECK(message(good.substr(0, size), true) != "no error");
    check_message(good.substr(0, good.size() - 2), true, "the bytes end within vector 2 of 2");
    check_message(good.substr(0, good.size() - 8), true, "more than the 17 bytes that follow can hold");
    check_message(good + "x", true, "1 bytes more than the 2 vectors");
    check_message(std::string("9 2\n") + good.substr(4), true, "9 vectors of 2 numbers are promised, more than");
    check_message("4611686018427387904 4611686018427387904\nabc", true, "more than the 3 bytes");
    check_message("-1 2\n", true, "the first line must have two numbers");
    check_message(std::string("1 1\n") + record("", {1}) + "  ", true, "vector 1 of 1 has no word, at byte 4");
    check_message(std::string("2 1\n") + record("a", {1}) + record("b", {-std::numeric_limits<float>::infinity()}),
                  true, "the vector of 'b' has -inf in place 1");
    check_message(std::string("1 1\n") + record("a", {1e30F}), true, "the vector of 'a' has 1e+30 in place 1, more");
    check_message("1 2\nthe 0.25 0.125\n", true, "not in the binary format");
    CHECK_EQUAL(parse(std::string("9 2\n") + good.substr(4), true, 2).rows, 2u); // the limit is met
}

TEST(words_that_files_cannot_hold) {
    const StandaloneRun run(2);
    const float values[] = {1, 2};
    const auto view = row_major<const float>(values, 2, 1);
    for (const char* bad : {"new york", "a\tb", "a\n", "\rb", "a\vb", "\f", ""})
        for (bool binary : {false, true}) {
            const Words words{"fine", bad};
            CHECK_THROWS(ValueError, binary ? format_binary(run.context, words.packed(), view)
                                            : format_text(run.context, words.packed(), view));
        }
    const Words words{"a", "b"};
    for (const std::vector<std::int64_t>& offsets :
         {std::vector<std::int64_t>{0, 2}, {0, 3, 2}, {1, 1, 2}, {0, 1, 3}, {-1, 1, 2}, {0, 1, 1, 2}})
        CHECK_THROWS(ValueError, format_text(run.context, {words.utf8, offsets}, view));
}

TEST(damaged_files_raise_or_load) {
    const Sample sample(40, 5);
    std::size_t n_loaded = 0, n_refused = 0;
    for (const bool binary : {false, true}) {
        const std::string good = binary ? sample.binary() : sample.text();
        const Philox random(3, binary);
        for (std::uint64_t trial = 0; trial < 4000; ++trial) {
            std::string bytes = good;
            const std::uint64_t n_changes = 1 + random.u32(trial * 16) % 3;
            for (std::uint64_t c = 0; c < n_changes; ++c) {
                const std::uint32_t where = random.u32(trial * 16 + 4 * c + 1),
                                    what = random.u32(trial * 16 + 4 * c + 2);
                const std::size_t at = where % (trial % 2 == 0 ? std::size_t{12} : bytes.size());
                switch (what % 4) {
                case 0:
                    bytes[at] = static_cast<char>(what >> 8);
                    break;
                case 1:
                    bytes.erase(at, 1 + (what >> 8) % 30);
                    break;
                case 2:
                    bytes.insert(at, 1, "0123456789 \n-.e\0\xff"[(what >> 8) % 17]);
                    break;
                default:
                    bytes.resize(trial % 2 == 0 ? bytes.size() : at);
                }
                if (bytes.empty()) break;
            }
            for (const bool has_header : {true, false}) {
                if (binary && !has_header) continue;
                try {
                    const VectorFile file = parse(bytes, binary, all, has_header, 1 + trial % 2);
                    for (std::size_t i = 0; i < file.rows; ++i) {
                        CHECK(file.begins[i] >= 0 && file.begins[i] < file.ends[i]);
                        CHECK(static_cast<std::size_t>(file.ends[i]) < bytes.size());
                    }
                    for (const float value : file.values) CHECK(std::isfinite(value));
                    ++n_loaded;
                } catch (const ValueError&) {
                    ++n_refused;
                }
            }
        }
    }
    CHECK(n_loaded > 500 && n_refused > 2000); // else the changes are of one kind
}
