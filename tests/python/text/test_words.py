"""Words and punctuation marks: cut and joined again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.text._words import join_words, split_words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \t\n", []),
        ("two words", ["two", "words"]),
        ("He (just) said: 3.5!", ["He", " (", "just", ") ", "said", ": ", "3.5", "!"]),
        ("don't T-Shirt 1,000 a.b", ["don't", "T-Shirt", "1,000", "a", ".", "b"]),
        ("-a- 5, 6", ["-", "a", "- ", "5", ", ", "6"]),
        ("a , b", ["a", " , ", "b"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Cafe\u0301 €5", ["Cafe\u0301", " €", "5"]),
    ],
)
def test_tokens(text, tokens):
    assert split_words(text) == tokens


@given(st.one_of(st.text(), st.text("ab1 .,'-(“é\u0301²_\n")))
def test_joined_they_are_the_text_up_to_white_space(text):
    tokens = split_words(text)
    assert join_words(tokens) == " ".join(text.split())
    assert all(token.strip() for token in tokens)


def test_what_a_network_writes_is_readable_whatever_it_is():
    assert join_words([". ", " (", "a", "b", ") ", " (", ", "]) == ". (a b) (,"
    assert join_words([]) == ""
