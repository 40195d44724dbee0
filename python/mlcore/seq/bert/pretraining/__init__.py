"""BertPretrainer: `_documents` become `_sentence_pairs`, and these lose words (`_masking`) that are to be found."""
