"""Characters, lower case, accents and tokens as Python's `re`, `str` and `unicodedata` and scikit-learn have them."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import strip_accents_ascii, strip_accents_unicode

from mlcore._native import core

ALL = [chr(c) for c in range(0x110000)]
STRIP = {None: lambda text: text, "ascii": strip_accents_ascii, "unicode": strip_accents_unicode}

# Characters that lower case, accents and tokens treat in a way of their own, among some that they do not.
SPECIAL = (
    "Σσς İIıi ǅǆ ßẞ éÉ ñ ﬁ ½ ² Å K Ω \u0301\u0345\u00ad·' ' 한글 각 ㈎ 𝐀𝟘 ﷺ "
    "\u0660 \u2028\u2003\u3000\x85\xa0\x1c\x1f \x00 \ud800\udfff _-@ ab YZ 09 \t\n ϓ \u03a3\u03a3 中文字 ｱﾞ Ⅷ ⓐ"
)
TEXTS = st.text(
    st.one_of(st.sampled_from(SPECIAL), st.characters(exclude_categories=[]), st.sampled_from("abcXYZ 019_ .,\n")),
    max_size=300,
)


def prepared(text: str, lowercase: bool, accents: str | None) -> str:
    """The text as scikit-learn's preprocessing leaves it."""
    return STRIP[accents](text.lower() if lowercase else text)


def test_kinds_and_categories_of_every_character():
    kinds, categories = core.text.character_facts(0, 0x110000)
    is_word = [re.match(r"\w", c) is not None for c in ALL]
    np.testing.assert_array_equal(kinds & 1 != 0, is_word)
    np.testing.assert_array_equal(kinds & 2 != 0, [re.match(r"\s", c) is not None for c in ALL])
    np.testing.assert_array_equal(kinds & 2 != 0, [c.isspace() for c in ALL])
    expected = [{"P": 1, "S": 2, "N": 4}.get(unicodedata.category(c)[0], 0) for c in ALL]
    np.testing.assert_array_equal(categories, expected)


@pytest.mark.parametrize("accents", [None, "ascii", "unicode"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_what_becomes_of_every_character(lowercase, accents):
    # A bar neither changes nor combines with what is beside it. In lower case, sigma depends on its neighbours: the bar
    # is none.
    text = "|".join(ALL)
    (got,) = core.text.characters([text], lowercase, accents)
    assert "".join(got) == re.sub(r"\s\s+", " ", prepared(text, lowercase, accents))


def test_lower_case_needs_no_second_time():
    # Documents with a capital sigma come in Python's lower case already and go through ours.
    assert all(c.lower().lower() == c.lower() for c in ALL)


@pytest.mark.parametrize("accents", [None, "ascii", "unicode"])
@pytest.mark.parametrize("lowercase", [False, True])
@given(text=TEXTS)
@example(text="ΟΔΟΣ ΟΔΟΣ. ΣΑΣ A\u0345Σ Σ İΣ")
@example(text=SPECIAL * 40)
@settings(deadline=None)
def test_characters_of_random_texts(lowercase, accents, text):
    expected = re.sub(r"\s\s+", " ", prepared(text, lowercase, accents))
    assert core.text.characters([text], lowercase, accents) == [list(expected)]


PATTERNS = [
    r"(?u)\b\w\w+\b",
    r"(?u)\b\w+\b",
    r"\w+",
    r"\w\w\w*",
    r"\b\w{3,}",
    r"\S+",
    r"[^\s]+",
    r"[a-zA-Z]+",
    r"\b[a-zA-Z]+\b",
    r"(?u)\b[a-zA-Z][a-zA-Z]+\b",
    r"\b[a-z0-9_]{3,}\b",
    r"[a-zA-Z0-9]+",
    r"[A-Z]{2,}",
    r"[\w'-]+",
    r"[\w\-.@]{2,}",
    r"[-+*/]+",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(texts=st.lists(TEXTS, max_size=3), lowercase=st.booleans(), accents=st.sampled_from([None, "ascii", "unicode"]))
@settings(max_examples=60, deadline=None)
def test_tokens_of_random_texts(pattern, texts, lowercase, accents):
    assert core.text.knows_pattern(pattern)
    expected = [re.findall(pattern, prepared(text, lowercase, accents)) for text in texts]
    assert core.text.words(texts, pattern, lowercase, accents) == expected


@pytest.mark.parametrize("pattern", [r"(?u)\b\w\w+\b", r"\S+", r"\b[a-zA-Z]+\b"])
@given(
    text=st.lists(st.tuples(st.sampled_from("a_é中 .İ\U00010400"), st.integers(1, 3000)), max_size=8),
    accents=st.sampled_from([None, "ascii"]),
)
@settings(max_examples=60, deadline=None)
def test_words_longer_than_what_is_read_at_once(pattern, text, accents):
    document = "".join(c * n for c, n in text)
    expected = re.findall(pattern, prepared(document, True, accents))
    assert core.text.words([document], pattern, True, accents) == [expected]
    assert core.text.characters([document], True, accents) == [
        list(re.sub(r"\s\s+", " ", prepared(document, True, accents)))
    ]


@given(text=TEXTS)
@settings(deadline=None)
def test_words_of_str_split(text):
    assert core.text.words([text], r"\S+", False, None) == [text.split()]


ATOMS = [r"\w", r"\S", r"\d", r"\s", "[a-z]", "[a-zA-Z0-9]", "[^a-z]", "[]a]", "[a-]", r"[\w-]", "[+--]", ".", "a", "["]


@given(
    flags=st.sampled_from(["", "(?u)", "(?i)", "(?a)"]),
    edges=st.tuples(*[st.sampled_from(["", r"\b", r"\B", "^"])] * 2),
    atoms=st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3),
    quantifier=st.sampled_from(["", "+", "*", "?", "+?", "{2,}", "{0,}", "{2}", "{1,3}", "++", "{,3}"]),
    text=TEXTS,
)
@settings(max_examples=500, deadline=None)
def test_a_pattern_that_is_known_means_what_re_makes_of_it(flags, edges, atoms, quantifier, text):
    pattern = flags + edges[0] + "".join(atoms) + quantifier + edges[1]
    if core.text.knows_pattern(pattern):
        assert core.text.words([text], pattern, False, None) == [re.findall(pattern, text)]
    else:
        with pytest.raises(ValueError, match="pattern must be one that the core knows"):
            core.text.words([text], pattern, False, None)


@pytest.mark.parametrize(
    "pattern",
    ["", "a", r"\w", r"\w*", r"(\w+)", r"\w+|\d", r"(?i)\w+", r"\b\S+\b", r"\b[a-z]+", r"[[a]+", r"[a--b]+", r"[\d]+"],
)
def test_patterns_that_python_must_read(pattern):
    assert not core.text.knows_pattern(pattern)


def test_patterns_of_any_characters_can_be_asked_for():
    assert not core.text.knows_pattern("é+")
    assert not core.text.knows_pattern("\ud800")


@pytest.mark.parametrize("bad", [b"bytes", None, 3.0, ["nested"]])
def test_items_that_are_no_str_are_named(bad):
    with pytest.raises(TypeError, match=r"texts\[1\] must be a str, got"):
        core.text.words(["fine", bad], r"\w+", True, None)


def test_what_is_no_list_is_named():
    with pytest.raises(TypeError, match="texts must be a list of str, got a value of type 'str'"):
        core.text.words("text", r"\w+", True, None)
    with pytest.raises(ValueError, match="accents must be 'ascii', 'unicode' or None, got 'all'"):
        core.text.words(["text"], r"\w+", True, "all")


def test_a_subclass_of_str_is_read_as_the_str_that_it_is():
    class Loud(str):
        def lower(self):
            return 3

    assert core.text.words([Loud("ΣΑΣ Abc")], r"\w+", True, None) == [["σας", "abc"]]
