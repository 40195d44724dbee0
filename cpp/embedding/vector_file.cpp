#include "embedding/vector_file.hpp"

#include "core/parallel.hpp"
#include "linalg/nearest.hpp"
#include "text/tokenizer.hpp"
#include "text/utf8.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace mlcore::embedding {
namespace {

static_assert(std::endian::native == std::endian::little, "binary files are little-endian");

constexpr std::size_t group_size = 128;    // lines or records handed to a thread at once
constexpr std::size_t longest_header = 64; // two numbers

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// For messages: long words cut, control characters (all else, too, if it is not UTF-8) as \xNN.
std::string quoted(std::string_view word) {
    constexpr std::size_t most = 60;
    std::size_t size = std::min(word.size(), most);
    while (size < word.size() && size > 0 && (word[size] & 0xc0) == 0x80) --size; // no half characters
    const bool readable = text::first_bad_byte(word.substr(0, size)) == size;
    std::string text = "'";
    for (const char c : word.substr(0, size)) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte >= ' ' && byte < 0x7f) || (byte > 0x7f && readable)) {
            text += c;
            continue;
        }
        constexpr char digits[] = "0123456789abcdef";
        text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    return text + (size < word.size() ? "...'" : "'");
}

std::string number(std::size_t n) { return std::to_string(n); }

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

/// Without the \r of \r\n.
const char* without_return(const char* begin, const char* newline) {
    return newline != begin && newline[-1] == '\r' ? newline - 1 : newline;
}

struct Header {
    std::size_t rows = 0, cols = 0;
    const char* end = nullptr; // after its newline
};

Header parse_header(std::span<const char> bytes, const char* hint) {
    const char* const begin = bytes.data();
    const char* const end = begin + bytes.size();
    const char* const newline = std::find(begin, begin + std::min(bytes.size(), longest_header), '\n');
    const char* const line_end = without_return(begin, newline);
    const auto wrong = [&] {
        return ValueError(
            "the first line must have two numbers, how many vectors there are and how long they are, got " +
            quoted(between(begin, line_end)) + hint);
    };
    const auto take = [&](const char*& p) {
        while (p != line_end && is_blank(*p)) ++p;
        std::int64_t value = 0;
        const auto [stop, error] = std::from_chars(p, line_end, value);
        if (error != std::errc() || (stop != line_end && !is_blank(*stop)) || value < 0) throw wrong();
        p = stop;
        return static_cast<std::size_t>(value);
    };
    const char* p = begin;
    Header header;
    header.rows = take(p);
    header.cols = take(p);
    while (p != line_end && is_blank(*p)) ++p;
    if (p != line_end || newline == end || *newline != '\n') throw wrong();
    if (header.rows == 0 || header.cols == 0) throw ValueError("the first line says that there are no vectors");
    header.end = newline + 1;
    return header;
}

/// Refuses what cannot be in the file: `rows` items of at least `bytes_per_value` * cols + `extra` bytes each.
void check_room(std::size_t rows, std::size_t cols, std::size_t bytes_per_value, std::size_t extra, std::size_t room) {
    const std::size_t most = room / bytes_per_value;
    if (cols <= most && rows <= (room + 1) / (bytes_per_value * cols + extra))
        return; // the last newline may be missing
    throw ValueError(number(rows) + " vectors of " + number(cols) + " numbers are promised, more than the " +
                     number(room) + " bytes that follow can hold: the file is truncated or damaged");
}

bool all_usable(const float* values, std::size_t n) {
    int bad = 0;
    for (std::size_t i = 0; i < n; ++i) bad += !(std::abs(values[i]) <= linalg::largest_entry); // NaN, too
    return bad == 0;
}

std::string not_usable(const float* values, std::size_t n, std::string_view word) {
    const float* bad =
        std::find_if(values, values + n, [](float x) { return !(std::abs(x) <= linalg::largest_entry); });
    char digits[32];
    const auto result = std::to_chars(digits, digits + sizeof digits, *bad);
    return "the vector of " + quoted(word) + " has " +
           (std::isnan(*bad) ? "NaN" : std::string(between(digits, result.ptr))) + " in place " +
           number(static_cast<std::size_t>(bad - values) + 1) + (std::isfinite(*bad) ? ", more than 1e18" : "");
}

/// Where groups of items begin, and the error of the first item that has one: what the message says must not depend on
/// which thread came first.
class Groups {
  public:
    explicit Groups(std::size_t n_items)
        : n_items_(n_items), count_((n_items + group_size - 1) / group_size), first_bad_(count_), errors_(count_) {}

    /// f(begin, end) -> optional error, over items of a group. Throws the first one.
    template <class F>
    void run(const RunContext& ctx, double ns_per_item, F&& f) {
        parallel_tasks(ctx, count_, ns_per_item * group_size, [&](std::size_t group, int) {
            if (group > first_bad_.load(std::memory_order_relaxed)) return;
            const std::size_t begin = group * group_size;
            std::optional<std::string> error = f(begin, std::min(begin + group_size, n_items_));
            if (!error) return;
            errors_[group] = std::move(*error);
            std::size_t seen = first_bad_.load(std::memory_order_relaxed);
            while (group < seen && !first_bad_.compare_exchange_weak(seen, group, std::memory_order_relaxed)) {}
        });
        if (first_bad_ < count_) throw ValueError(errors_[first_bad_]);
    }

  private:
    std::size_t n_items_, count_;
    std::atomic<std::size_t> first_bad_;
    std::vector<std::string> errors_;
};

// ---- reading text ----

/// Whether a decimal number, not 0, that is out of float64's range is so because it is small: its first digit that is
/// not 0 stands after the decimal point once the exponent has moved that.
bool is_tiny(const char* begin, const char* end) {
    const char* const exponent_at = std::find_if(begin, end, [](char c) { return c == 'e' || c == 'E'; });
    const char* const point = std::find(begin, exponent_at, '.');
    const char* const first = std::find_if(begin, exponent_at, [](char c) { return c >= '1' && c <= '9'; });
    const bool is_negative = exponent_at != end && exponent_at + 1 != end && exponent_at[1] == '-';
    const char* digits = exponent_at == end ? end : exponent_at + 1;
    if (digits != end && (*digits == '-' || *digits == '+')) ++digits;
    std::int64_t exponent = 0;
    if (std::from_chars(digits, end, exponent).ec == std::errc::result_out_of_range) return is_negative;
    return (point - first) + (is_negative ? -exponent : exponent) <= 0;
}

/// One number; p is then after it. False where there is none, or one that no float32 comes near. What is too small for
/// float32 or float64 is 0.
bool parse_number(const char*& p, const char* end, float& value) {
    const char* start = p;
    if (start != end && *start == '+') ++start;
    if (start != p && start != end && *start == '-') return false;
    auto [stop, error] = std::from_chars(start, end, value);
    if (error == std::errc::result_out_of_range) { // of float32: too large, or so small that it is 0
        double wide = 0;
        const std::from_chars_result again = std::from_chars(start, end, wide);
        stop = again.ptr;
        error = again.ec;
        if (error == std::errc::result_out_of_range && is_tiny(start, stop)) error = std::errc();
        value = static_cast<float>(wide);
    }
    if (error != std::errc() || (stop != end && !is_blank(*stop))) return false;
    p = stop;
    return true;
}

/// Where the last `cols` fields of a line begin, or null if there are not so many.
const char* last_fields(const char* begin, const char* end, std::size_t cols) {
    const char* p = end;
    for (std::size_t c = 0; c < cols; ++c) {
        while (p != begin && is_blank(p[-1])) --p;
        if (p == begin) return nullptr;
        while (p != begin && !is_blank(p[-1])) --p;
    }
    return p;
}

/// The end of a word with blanks inside, or of nothing but blanks, before numbers that begin at `numbers`: one blank is
/// not the word's. `begin` if there is none.
const char* end_of_spaced_word(const char* begin, const char* numbers) {
    if (numbers - begin < 2) return begin;
    const char* end = numbers - 1;
    if (std::all_of(begin, end, is_blank)) return end;
    if (is_blank(*begin)) return begin;
    while (is_blank(end[-1])) --end;
    return end;
}

std::optional<std::string> parse_numbers(const char* begin, const char* word_end, const char* end, std::size_t cols,
                                         float* values) {
    const char* p = word_end;
    const auto word = [&] { return quoted(between(begin, word_end)); };
    for (std::size_t c = 0; c < cols; ++c) {
        while (p != end && is_blank(*p)) ++p;
        if (p == end) return "has " + number(c) + " numbers after " + word() + ", expected " + number(cols);
        if (!parse_number(p, end, values[c]))
            return "has " + quoted(between(p, std::find_if(p, end, is_blank))) + " in place " + number(c + 1) +
                   " after " + word() + ", which is not a number";
    }
    while (p != end && is_blank(*p)) ++p;
    if (p != end) return "has more than " + number(cols) + " numbers after " + word();
    if (!all_usable(values, cols)) return ": " + not_usable(values, cols, between(begin, word_end));
    return std::nullopt;
}

/// A word and `cols` numbers. As a rule the word ends at the first blank; where that does not work out, the last `cols`
/// fields are the numbers and all before them is the word (". . .", "at name@domain.com", " ").
std::optional<std::string> parse_line(const char* begin, const char* end, std::size_t cols, float* values,
                                      const char*& word_end) {
    word_end = std::find_if(begin, end, is_blank);
    std::optional<std::string> error = "has no word at its beginning";
    if (word_end != begin) error = parse_numbers(begin, word_end, end, cols, values);
    if (!error) return error;
    const char* const numbers = last_fields(begin, end, cols);
    if (!numbers) return error;
    const char* const spaced_end = end_of_spaced_word(begin, numbers);
    if (spaced_end == begin || spaced_end == word_end) return error;
    if (auto other = parse_numbers(begin, spaced_end, end, cols, values)) return other->front() == ':' ? other : error;
    word_end = spaced_end;
    return std::nullopt;
}

const char* end_of_line(const char* begin, const char* end) {
    if (begin == end) return end; // memchr may not be given the null of an empty file
    const auto* newline = static_cast<const char*>(std::memchr(begin, '\n', static_cast<std::size_t>(end - begin)));
    return newline ? newline : end;
}

/// Numbers at the end of a line, one field at least being the word; and whether nothing but one word is before them.
std::pair<std::size_t, bool> count_numbers(const char* begin, const char* end) {
    end = without_return(begin, end);
    std::size_t fields = 0, numbers = 0;
    for (const char* p = std::find_if_not(begin, end, is_blank); p != end; p = std::find_if_not(p, end, is_blank)) {
        const char* const field_end = std::find_if(p, end, is_blank);
        float value = 0;
        numbers = parse_number(p, field_end, value) && p == field_end ? numbers + 1 : 0;
        p = field_end;
        ++fields;
    }
    const bool has_blank_word = begin != end && is_blank(*begin);
    if (numbers == fields && !has_blank_word && numbers > 0) --numbers; // a word that is a number
    return {numbers, numbers + 1 == fields && !has_blank_word};
}

/// Numbers in a line of a file without header. The first line tells, unless its word may have blanks inside: then it is
/// what most of the first lines have.
std::size_t count_columns(const char* p, const char* end) {
    constexpr std::size_t most_lines = 100;
    const auto [first, is_plain] = count_numbers(p, end_of_line(p, end));
    if (is_plain) return first;
    std::vector<std::size_t> counts;
    while (p < end && counts.size() < most_lines) {
        const char* const newline = end_of_line(p, end);
        counts.push_back(count_numbers(p, newline).first);
        p = newline == end ? end : newline + 1;
    }
    std::size_t best = 0, best_times = 0;
    for (const std::size_t count : counts) {
        const auto times = static_cast<std::size_t>(std::count(counts.begin(), counts.end(), count));
        if (times > best_times || (times == best_times && count > best)) best = count, best_times = times;
    }
    return best;
}

} // namespace

VectorFile parse_text(const RunContext& ctx, std::span<const char> bytes, std::size_t limit, bool has_header) {
    const char* const file = bytes.data();
    const char* const end = file + bytes.size();
    const std::size_t mark = std::string_view(file, bytes.size()).starts_with("\xef\xbb\xbf") ? 3 : 0;
    Header header;
    if (has_header) {
        header = parse_header(bytes.subspan(mark), " (no_header=True reads a file without it, as GloVe's are)");
    } else {
        header = {std::numeric_limits<std::size_t>::max(), 0, file + mark};
    }
    // White space at the end is not a line.
    const char* last = end;
    while (last != header.end && text::is_space(last[-1])) --last;
    if (!has_header) {
        header.cols = count_columns(header.end, last);
        if (header.cols == 0) throw ValueError("the first line must have a word and numbers");
    }

    const std::size_t wanted = std::min(header.rows, limit);
    if (has_header) check_room(wanted, header.cols, 2, 2, static_cast<std::size_t>(end - header.end));
    std::vector<const char*> group_begins;
    std::size_t rows = 0;
    const char* p = header.end;
    for (; rows < wanted && p < last; ++rows) {
        if (rows % group_size == 0) {
            group_begins.push_back(p);
            if (rows % (64 * group_size) == 0) ctx.checkpoint();
        }
        p = std::min(end_of_line(p, last) + 1, last);
    }
    const std::size_t header_lines = has_header ? 1 : 0;
    if (has_header && rows < wanted)
        throw ValueError(number(header.rows) + " vectors are promised, but there are only " + number(rows) +
                         ": the file is truncated or damaged");
    check_room(rows, header.cols, 2, 2, static_cast<std::size_t>(end - header.end) + 2);

    VectorFile out{Buffer<float>(rows * header.cols),
                   rows,
                   header.cols,
                   std::vector<std::int64_t>(rows),
                   std::vector<std::int64_t>(rows),
                   has_header && rows == header.rows && p < last};
    const double ns = 20.0 * static_cast<double>(header.cols);
    Groups(rows).run(ctx, ns, [&](std::size_t row, std::size_t row_end) -> std::optional<std::string> {
        const char* line = group_begins[row / group_size];
        for (; row < row_end; ++row) {
            const char* const newline = end_of_line(line, last);
            const char* const line_end = without_return(line, newline);
            const char* word_end = nullptr;
            if (auto error = parse_line(line, line_end, header.cols, out.values.data() + row * header.cols, word_end))
                return "line " + number(row + 1 + header_lines) + (error->front() == ':' ? "" : " ") + *error;
            out.begins[row] = line - file;
            out.ends[row] = word_end - file;
            line = newline + 1;
        }
        return std::nullopt;
    });
    return out;
}

namespace {

/// Whether bytes are nothing but whole records of vectors that could be in such a file.
bool are_records(const char* p, const char* end, std::size_t cols) {
    std::vector<float> values(cols);
    while (p != end) {
        const auto* space = static_cast<const char*>(std::memchr(p, ' ', static_cast<std::size_t>(end - p)));
        if (!space || space == p || static_cast<std::size_t>(end - space - 1) < cols * sizeof(float)) return false;
        std::memcpy(values.data(), space + 1, cols * sizeof(float));
        if (!all_usable(values.data(), cols)) return false;
        p = std::find_if(space + 1 + cols * sizeof(float), end, [](char c) { return c != '\n'; });
    }
    return true;
}

} // namespace

VectorFile parse_binary(const RunContext& ctx, std::span<const char> bytes, std::size_t limit) {
    const char* const file = bytes.data();
    const char* const end = file + bytes.size();
    const Header header = parse_header(bytes, "");
    const std::size_t rows = std::min(header.rows, limit), cols = header.cols;
    check_room(rows, cols, sizeof(float), 2, static_cast<std::size_t>(end - header.end));
    const std::size_t width = cols * sizeof(float);

    VectorFile out{Buffer<float>(rows * cols),      rows, cols, std::vector<std::int64_t>(rows),
                   std::vector<std::int64_t>(rows), false};
    const auto skip_newlines = [end](const char* p) { return std::find_if(p, end, [](char c) { return c != '\n'; }); };
    const char* p = header.end;
    for (std::size_t row = 0; row < rows; ++row) {
        if (row % 65536 == 0) ctx.checkpoint();
        p = skip_newlines(p); // of the record before
        const auto* space = static_cast<const char*>(std::memchr(p, ' ', static_cast<std::size_t>(end - p)));
        if (!space || static_cast<std::size_t>(end - space - 1) < width)
            throw ValueError("the bytes end within vector " + number(row + 1) + " of " + number(header.rows) +
                             ": the file is truncated or damaged, or not in the binary format");
        if (space == p)
            throw ValueError("vector " + number(row + 1) + " of " + number(header.rows) + " has no word, at byte " +
                             number(static_cast<std::size_t>(p - file)) + ": the file is damaged");
        out.begins[row] = p - file;
        out.ends[row] = space - file;
        p = space + 1 + width;
    }
    p = skip_newlines(p);
    if (rows == header.rows && p != end) {
        if (!are_records(p, end, cols))
            throw ValueError(number(static_cast<std::size_t>(end - p)) + " bytes more than the " + number(header.rows) +
                             " vectors that are promised, or the file is not in the binary format");
        out.has_more = true;
    }

    Groups(rows).run(ctx, 5.0 + 0.3 * static_cast<double>(cols),
                     [&](std::size_t row, std::size_t row_end) -> std::optional<std::string> {
                         for (; row < row_end; ++row) {
                             float* values = out.values.data() + row * cols;
                             std::memcpy(values, file + out.ends[row] + 1, width);
                             if (!all_usable(values, cols))
                                 return not_usable(values, cols, between(file + out.begins[row], file + out.ends[row]));
                         }
                         return std::nullopt;
                     });
    return out;
}

// ---- writing ----

namespace {

std::string_view word_at(const PackedWords& words, std::size_t i) {
    return between(reinterpret_cast<const char*>(words.utf8.data()) + words.offsets[i],
                   reinterpret_cast<const char*>(words.utf8.data()) + words.offsets[i + 1]);
}

/// f(row, text) appends one vector to the text of its group.
template <class F>
std::vector<std::string> format(const RunContext& ctx, const PackedWords& words, MatrixView<const float> vectors,
                                double ns_per_value, F&& f) {
    const auto offsets = words.offsets;
    if (offsets.size() != vectors.rows + 1 || offsets.front() != 0 ||
        offsets.back() != static_cast<std::int64_t>(words.utf8.size()) ||
        !std::is_sorted(offsets.begin(), offsets.end()))
        throw ValueError("offsets of words must ascend from 0 to the number of bytes, one more than there are vectors");
    std::vector<std::string> pieces((vectors.rows + group_size - 1) / group_size);
    const double ns = 10 + ns_per_value * static_cast<double>(vectors.cols);
    Groups(vectors.rows).run(ctx, ns, [&](std::size_t row, std::size_t end) -> std::optional<std::string> {
        std::string& text = pieces[row / group_size];
        for (; row < end; ++row) {
            const std::string_view word = word_at(words, row);
            if (word.empty() || std::any_of(word.begin(), word.end(), text::is_space))
                return "the word " + quoted(word) + (word.empty() ? " is empty" : " holds white space") +
                       ", which a file of word2vec cannot hold (mlcore.save keeps any word)";
            text += word;
            text += ' ';
            f(row, text);
        }
        return std::nullopt;
    });
    return pieces;
}

} // namespace

std::vector<std::string> format_text(const RunContext& ctx, const PackedWords& words, MatrixView<const float> vectors) {
    return format(ctx, words, vectors, 40, [&](std::size_t row, std::string& text) {
        for (std::size_t c = 0; c < vectors.cols; ++c) {
            char digits[32];
            const auto result = std::to_chars(digits, digits + sizeof digits, vectors(row, c));
            text.append(digits, result.ptr);
            text += c + 1 == vectors.cols ? '\n' : ' ';
        }
    });
}

std::vector<std::string> format_binary(const RunContext& ctx, const PackedWords& words,
                                       MatrixView<const float> vectors) {
    return format(ctx, words, vectors, 1, [&](std::size_t row, std::string& text) {
        const std::size_t begin = text.size();
        text.resize(begin + vectors.cols * sizeof(float));
        for (std::size_t c = 0; c < vectors.cols; ++c) {
            const float value = vectors(row, c);
            std::memcpy(text.data() + begin + c * sizeof(float), &value, sizeof value);
        }
        text += '\n';
    });
}

} // namespace mlcore::embedding
