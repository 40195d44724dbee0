"""BertEncoder: texts as vectors, by the weights of a folder (`_read`, `_sentences`); words for masks (`_words`)."""
