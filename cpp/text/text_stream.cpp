#include "text/text_stream.hpp"

#include "core/error.hpp"
#include "text/tokenizer.hpp"

#include <algorithm>

namespace mlcore::text {

EncodedBlock TextStream::feed(std::string_view block) {
    EncodedBlock out;
    std::size_t begin = 0;
    if (!cut_.empty()) {
        begin = find_space(block, 0, block.size());
        cut_.append(block.substr(0, begin));
        if (cut_.size() > WordTable::max_word_bytes)
            throw ValueError(name_ + ": the word at byte " + std::to_string(fed_ + begin - cut_.size()) +
                             " is longer than 2 GiB: this is not a text");
        if (begin < block.size()) {
            add(cut_, cut_.data() + cut_.size(), fed_ + begin - cut_.size(), out);
            cut_.clear();
        }
    }
    std::size_t end = block.size();
    while (end > begin && !is_space(block[end - 1])) --end;
    if (cut_.empty()) cut_ = block.substr(end);

    Tokenizer tokenizer(block, begin, end);
    WordRun run;
    while (tokenizer.next(run)) {
        for (std::size_t i = 0; i < run.size(); ++i) {
            const std::string_view word = run[i];
            const auto offset = static_cast<std::uint64_t>(word.data() - block.data());
            add(word, block.data() + block.size(), fed_ + offset, out);
        }
        if (run.ends_text()) end_text(out);
    }
    fed_ += block.size();
    return out;
}

EncodedBlock TextStream::finish() {
    EncodedBlock out;
    if (!cut_.empty()) add(cut_, cut_.data() + cut_.size(), fed_ - cut_.size(), out);
    cut_.clear();
    end_text(out);
    return out;
}

void TextStream::add(std::string_view word, const char* readable, std::uint64_t offset, EncodedBlock& out) {
    if (const std::size_t mark = offset == 0 ? byte_order_mark(word) : 0) {
        word.remove_prefix(mark);
        offset += mark;
        if (word.empty()) return;
    }
    out.ids.push_back(words_->add(word_key(word, readable), word, name_, offset));
    in_text_ = true;
}

void TextStream::end_text(EncodedBlock& out) {
    if (in_text_) out.ends.push_back(static_cast<std::int64_t>(out.ids.size()));
    in_text_ = false;
}

} // namespace mlcore::text
