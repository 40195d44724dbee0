// Memory that grows and is freed as a whole: what lies in it never moves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace mlcore::text {

class Arena {
  public:
    /// So many bytes, aligned to 4.
    char* allocate(std::size_t bytes) {
        bytes = (bytes + 3) / 4 * 4;
        if (bytes > left_) {
            const std::size_t size = std::max(bytes, block);
            blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
            next_ = blocks_.back().get();
            left_ = size;
        }
        left_ -= bytes;
        char* const result = next_;
        next_ += bytes;
        return result;
    }

  private:
    static constexpr std::size_t block = 1 << 16;

    std::vector<std::unique_ptr<char[]>> blocks_;
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
