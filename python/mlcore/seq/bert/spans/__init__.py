"""Places in texts: tags of words (`_tags`, `_token_classifier`), and answers (`_questions`, `_question_answering`)."""
