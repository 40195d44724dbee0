// Memory that grows and is freed as a whole: what lies in it never moves.
#pragma once

#include "text/vectorizer/pages.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace mlcore::text {

class Arena {
  public:
    /// So many bytes, aligned to 4.
    char* allocate(std::size_t bytes) {
        bytes = (bytes + 3) / 4 * 4;
        if (bytes > left_) {
            left_ = std::max(bytes, next_block_);
            next_block_ = std::min(2 * next_block_, largest_block);
            blocks_.emplace_back(left_);
            next_ = blocks_.back().data();
        }
        left_ -= bytes;
        char* const result = next_;
        next_ += bytes;
        return result;
    }

  private:
    static constexpr std::size_t largest_block = 1 << 26;

    std::vector<Pages<char>> blocks_;
    std::size_t next_block_ = 1 << 14;
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

/// A string of bytes in an arena, 8 bytes wherever it is referred to.
class StoredText {
  public:
    StoredText() = default;
    StoredText(std::string_view text, Arena& arena) : record_(arena.allocate(sizeof(std::uint32_t) + text.size())) {
        const auto size = static_cast<std::uint32_t>(text.size());
        char* const record = const_cast<char*>(record_);
        std::memcpy(record, &size, sizeof size);
        std::copy(text.begin(), text.end(), record + sizeof size);
    }
    std::string_view view() const {
        std::uint32_t size;
        std::memcpy(&size, record_, sizeof size);
        return {record_ + sizeof size, size};
    }

  private:
    const char* record_ = nullptr;
};

} // namespace mlcore::text
