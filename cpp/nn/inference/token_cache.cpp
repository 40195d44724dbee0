#include "nn/inference/token_cache.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace mlcore::nn {
namespace {

constexpr std::uint32_t all_free = (std::uint32_t{1} << TokenCache::block_tokens) - 1;

} // namespace

void TokenCache::start(std::size_t n_sources) {
    free_blocks_.clear();
    for (std::size_t b = blocks_.size(); b-- > 0;) {
        blocks_[b].free = all_free;
        free_blocks_.push_back(b);
    }
    open_blocks_.assign(n_sources, {});
}

std::int32_t TokenCache::add(std::size_t source, std::int32_t before) {
    std::vector<std::size_t>& open = open_blocks_[source];
    if (open.empty()) {
        if (free_blocks_.empty()) {
            MLCORE_CHECK(tokens_.size() + block_tokens <= std::numeric_limits<std::int32_t>::max(), "too many tokens");
            memory_.emplace_back(n_layers_ * block_tokens * token_floats_);
            tokens_.resize(tokens_.size() + block_tokens);
            blocks_.push_back({}); // before its number is free: memory may end between the two
            free_blocks_.push_back(blocks_.size() - 1);
        }
        open.push_back(free_blocks_.back());
        free_blocks_.pop_back();
        blocks_[open.back()] = {source, all_free};
    }
    const std::size_t b = open.back();
    const auto place = static_cast<std::size_t>(std::countr_zero(blocks_[b].free));
    blocks_[b].free &= blocks_[b].free - 1;
    if (blocks_[b].free == 0) open.pop_back();
    const std::size_t token = b * block_tokens + place;
    tokens_[token] = {before, 0};
    if (before >= 0) ++tokens_[static_cast<std::size_t>(before)].n_following;
    return static_cast<std::int32_t>(token);
}

void TokenCache::release(std::int32_t token) {
    while (token >= 0 && tokens_[static_cast<std::size_t>(token)].n_following == 0) {
        const std::int32_t before = tokens_[static_cast<std::size_t>(token)].before;
        free(token);
        if (before >= 0) --tokens_[static_cast<std::size_t>(before)].n_following;
        token = before;
    }
}

void TokenCache::free(std::int32_t token) {
    const std::size_t t = static_cast<std::size_t>(token), b = t / block_tokens;
    Block& block = blocks_[b];
    std::vector<std::size_t>& open = open_blocks_[block.source];
    if (block.free == 0) open.push_back(b);
    block.free |= std::uint32_t{1} << t % block_tokens;
    if (block.free != all_free) return;
    open.erase(std::find(open.begin(), open.end(), b));
    free_blocks_.push_back(b);
}

} // namespace mlcore::nn
