// What is scored: hypotheses, and one or several references to each.
#pragma once

#include "core/context.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "text/unicode/document.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace mlcore::metrics {

/// A missing reference: a document without data (an empty one has some).
inline bool is_missing(const text::Document& reference) { return reference.data == nullptr; }

struct Segments {
    std::span<const text::Document> hypotheses;
    std::span<const std::vector<text::Document>> references; // streams, each as long as hypotheses
    std::size_t n_characters = 0;                            // of all of them

    std::size_t size() const { return hypotheses.size(); }
};

/// The texts of one segment as arrays of characters of one width, so that they compare as bytes.
class SegmentTexts {
  public:
    SegmentTexts(const Segments& segments) : segments_(segments) {}

    /// f(hypothesis, references) with std::span<const Char> and a span of those, missing references left out; Char is
    /// std::uint8_t where all are Latin-1, else char32_t.
    template <class F>
    void visit(std::size_t segment, F&& f) {
        documents_.clear();
        documents_.push_back(segments_.hypotheses[segment]);
        for (const std::vector<text::Document>& stream : segments_.references)
            if (!is_missing(stream[segment])) documents_.push_back(stream[segment]);
        std::size_t n_wide = 0;
        bool latin = true;
        for (const text::Document& document : documents_) {
            n_wide += document.size;
            latin = latin && document.width == 1;
        }
        // Positions and bytes of words are 32-bit numbers.
        if (n_wide >= std::size_t{1} << 30) throw ValueError("texts of a billion characters cannot be one segment");
        if (latin) {
            narrow_texts_.clear();
            for (const text::Document& document : documents_)
                narrow_texts_.emplace_back(static_cast<const std::uint8_t*>(document.data), document.size);
            call(narrow_texts_, f);
            return;
        }
        if (wide_.size() < n_wide) wide_.resize(n_wide);
        wide_texts_.clear();
        char32_t* to = wide_.data();
        for (const text::Document& document : documents_) {
            text::visit_width(document, [&](const auto* from) { std::copy_n(from, document.size, to); });
            wide_texts_.emplace_back(to, document.size);
            to += document.size;
        }
        call(wide_texts_, f);
    }

  private:
    template <class Text, class F>
    static void call(const std::vector<Text>& texts, F&& f) {
        f(texts.front(), std::span(texts).subspan(1));
    }

    const Segments& segments_;
    std::vector<text::Document> documents_;
    std::vector<char32_t> wide_;
    std::vector<std::span<const std::uint8_t>> narrow_texts_;
    std::vector<std::span<const char32_t>> wide_texts_;
};

/// f(segment, scratch) for all segments, on all threads; each has a Scratch of its own, made of `arguments`.
template <class Scratch, class F, class... Arguments>
void for_each_segment(const RunContext& ctx, const Segments& segments, double ns_per_character, F&& f,
                      const Arguments&... arguments) {
    if (segments.size() == 0) return;
    const double ns =
        ns_per_character * static_cast<double>(segments.n_characters) / static_cast<double>(segments.size()) + 200;
    const int n_threads = threads_for(ctx, ns * static_cast<double>(segments.size()));
    std::vector<std::unique_ptr<Scratch>> scratch(static_cast<std::size_t>(n_threads));
    parallel_tasks(ctx, segments.size(), ns, [&](std::size_t segment, int thread) {
        auto& mine = scratch[static_cast<std::size_t>(thread)];
        if (!mine) mine = std::make_unique<Scratch>(segments, arguments...);
        f(segment, *mine);
    });
}

} // namespace mlcore::metrics
