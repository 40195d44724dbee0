// Terms in lexicographic order of their code points, which is that of their bytes in UTF-8.
#pragma once

#include "core/context.hpp"
#include "text/vectorizer/lexicon.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Strings one after the other: string i is bytes[starts[i]] .. bytes[starts[i + 1]].
struct PackedTerms {
    Buffer<std::uint8_t> bytes;
    Buffer<std::int64_t> starts;
};

std::vector<std::string_view> views(const PackedTerms& terms);

/// Sorts the terms.
void sort_terms(const RunContext& ctx, const Lexicon& lexicon, std::vector<TermId>& terms);

/// The text of each term: words of n-grams with a blank between.
PackedTerms pack_terms(const RunContext& ctx, const Lexicon& lexicon, std::span<const TermId> terms);

} // namespace mlcore::text
