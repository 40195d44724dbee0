// Where keys and values of past tokens lie while sequences are written. Tokens of a source form a tree: each knows the
// one before it, and hypotheses that share a past share its tokens. To reorder hypotheses is to copy numbers of
// tokens, never keys or values. A token that no hypothesis goes back to any more is freed, and memory is handed out in
// blocks of some tokens of one source: a hypothesis reads few places, and what a finished source had serves others.
// (Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, keep
// lists of blocks a hypothesis, and copy the last one where hypotheses part; a list of tokens needs no copy.)
#pragma once

#include "core/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlcore::nn {

class TokenCache {
  public:
    static constexpr std::size_t block_tokens = 16;

    TokenCache() = default;
    /// token_floats: of a token in each layer.
    TokenCache(std::size_t n_layers, std::size_t token_floats) : n_layers_(n_layers), token_floats_(token_floats) {}

    /// Forgets all tokens; keeps the memory.
    void start(std::size_t n_sources);

    /// A new token of a source behind the token `before`, -1 at its start. It lives until release.
    std::int32_t add(std::size_t source, std::int32_t before);

    /// The last token of a hypothesis that ends or has been continued: it is freed unless a token follows it, and then
    /// the one before it likewise.
    void release(std::int32_t token);

    /// What a token has in a layer.
    float* at(std::size_t layer, std::int32_t token) {
        const auto t = static_cast<std::size_t>(token);
        return memory_[t / block_tokens].data() + (layer * block_tokens + t % block_tokens) * token_floats_;
    }
    const float* at(std::size_t layer, std::int32_t token) const {
        return const_cast<TokenCache*>(this)->at(layer, token);
    }

    std::size_t token_floats() const { return token_floats_; }
    std::size_t n_blocks_in_use() const { return blocks_.size() - free_blocks_.size(); }

  private:
    struct Block {
        std::size_t source;
        std::uint32_t free; // a bit for each of its tokens
    };
    struct Token {
        std::int32_t before;
        std::int32_t n_following;
    };

    void free(std::int32_t token);

    std::size_t n_layers_ = 0, token_floats_ = 0;
    std::vector<Scratch<float>> memory_; // of each block: (layers, block_tokens, token_floats)
    std::vector<Block> blocks_;
    std::vector<Token> tokens_;                         // of all blocks
    std::vector<std::size_t> free_blocks_;              // without a token
    std::vector<std::vector<std::size_t>> open_blocks_; // of each source: those with tokens and room for more
};

} // namespace mlcore::nn
