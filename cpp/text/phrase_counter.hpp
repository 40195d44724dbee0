// How often two words follow each other in the texts of a corpus, with nothing or only connector words ("of", "the")
// between them: the counts that are needed for the phrases of Mikolov et al., "Distributed Representations of Words and
// Phrases and their Compositionality" (2013), with the connectors of gensim.
//
// Exact, in bounded memory: the candidates are divided by hash into shards. Should more distinct ones turn up than fit,
// half of the shards are put off to another pass over the corpus; counts that stay below min_count are dropped after
// each. Threads gather candidates by shard and then add a few hundred at a time under the shard's lock.
#pragma once

#include "core/context.hpp"
#include "text/corpus.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlcore::text {

struct PhraseCounts {
    /// Phrase i is ids[starts[i]] .. ids[starts[i + 1]]: first word, connectors, last word; count[i] times or, for
    /// 2^32 - 1, at least that often. Sorted by ids.
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> starts{0};
    std::vector<std::int64_t> counts;
    std::int64_t n_distinct = 0; // candidates, those of lower count included
};

/// Candidates of `min_count` occurrences or more. All words of the corpus must be known, or words would seem to be
/// neighbours that are not. is_connector has an entry for each word of the vocabulary. Keeps at most some
/// `max_distinct` candidates (21 to 43 bytes each) in memory at a time. The result does not depend on the number of
/// threads.
PhraseCounts count_phrases(const RunContext& ctx, const Corpus& corpus, std::span<const std::uint8_t> is_connector,
                           std::int64_t min_count, std::size_t max_distinct);

} // namespace mlcore::text
