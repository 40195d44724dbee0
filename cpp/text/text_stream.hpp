// A text that comes in blocks (a compressed file as it is unpacked), turned into ids. A word that a block's end cuts in
// two is kept until its second half comes.
#pragma once

#include "text/word_table.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mlcore::text {

/// Words as ids of a table, and the texts that ended among them: text ends as positions in ids. An end at 0 is that of
/// a text whose words all came before.
struct EncodedBlock {
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> ends;
};

class TextStream {
  public:
    /// New words go into `words`, under the name of the source if they are faulty.
    TextStream(std::shared_ptr<WordTable> words, std::string name) : words_(std::move(words)), name_(std::move(name)) {}

    /// Throws ValueError, naming source and byte, for what is not UTF-8 or holds NUL.
    EncodedBlock feed(std::string_view block);
    /// After the last block: the word and the text that are still open.
    EncodedBlock finish();

  private:
    void add(std::string_view word, const char* readable, std::uint64_t offset, EncodedBlock& out);
    void end_text(EncodedBlock& out);

    std::shared_ptr<WordTable> words_;
    std::string name_;
    std::string cut_;       // start of a word that goes on in the next block
    std::uint64_t fed_ = 0; // bytes
    bool in_text_ = false;  // words have come since the last end of a text
};

} // namespace mlcore::text
