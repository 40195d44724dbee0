"""From texts to what BERT reads: `_texts` (columns of users), `_cutting`, `_pieces`, `_tokenizer`, `_windows`."""
