// Naive twins of the tokenizer and its users: texts split byte by byte, words counted in std::map. And random texts to
// try both on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace twin {

using Text = std::vector<std::string>;

inline bool is_space(char c) { return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos; }

/// The texts of a file, each a list of words. Empty ones are left out.
inline std::vector<Text> split(std::string_view bytes) {
    std::vector<Text> texts(1);
    std::string word;
    for (std::size_t i = 0; i <= bytes.size(); ++i) {
        const char c = i < bytes.size() ? bytes[i] : '\n';
        if (!is_space(c)) {
            word += c;
            continue;
        }
        if (!word.empty()) texts.back().push_back(word);
        word.clear();
        if (c == '\n') texts.emplace_back();
    }
    std::erase_if(texts, [](const Text& text) { return text.empty(); });
    return texts;
}

inline Text words(const std::vector<Text>& texts) {
    Text all;
    for (const Text& text : texts) all.insert(all.end(), text.begin(), text.end());
    return all;
}

inline std::map<std::string, std::int64_t> counts(const Text& words) {
    std::map<std::string, std::int64_t> counts;
    for (const std::string& word : words) ++counts[word];
    return counts;
}

class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed) {}

    std::size_t below(std::size_t n) { return engine_() % n; }
    bool chance(double p) { return static_cast<double>(below(1'000'000)) < p * 1e6; }

    /// Of about so many bytes: words of few different lengths, runs of all kinds of whitespace, empty lines.
    std::string text(std::size_t n_bytes, std::size_t n_words = 500, double newlines = 0.1) {
        std::string text;
        while (text.size() < n_bytes) {
            if (!chance(0.02)) text += word(below(n_words));
            do text += chance(newlines) ? '\n' : " \t\r\v\f    "[below(9)];
            while (chance(0.1));
        }
        while (!text.empty() && text.back() > 0 && chance(0.5)) text.pop_back(); // it need not end with a newline
        return text;
    }

    /// Word number i: always the same, of 1 to 40 bytes, not always ASCII.
    static std::string word(std::size_t i) {
        std::mt19937 engine(static_cast<unsigned>(i));
        const std::size_t length = i % 10 < 8 ? 1 + engine() % 9 : 1 + engine() % 40;
        std::string word = std::to_string(i);
        while (word.size() < length)
            word += engine() % 20 ? std::string(1, static_cast<char>('a' + engine() % 26)) : "é";
        return word;
    }

  private:
    std::mt19937 engine_;
};

} // namespace twin
