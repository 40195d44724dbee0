"""The core beside the naive twin, which needs no scikit-learn: terms, counts, weights, hashes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlcore import CountVectorizer, HashingVectorizer, TfidfVectorizer
from twins import text as twin

OFTEN = "aAbZéÉßİſΣσς字 ﬁ\u0301\u0345  \n\t\x1c_9٣-.'"
characters = st.one_of(st.sampled_from(OFTEN), st.characters(exclude_categories=["Cs"]))
documents = st.lists(st.text(characters, max_size=40), min_size=1, max_size=5)
analyses = st.fixed_dictionaries(
    {
        "level": st.sampled_from(["word", "char", "char_wb"]),
        "pattern": st.sampled_from([twin.TOKEN_PATTERN, r"\w+", r"\S+", "[a-z]{2,}", r"[\w'-]+"]),
        "lowercase": st.booleans(),
        "accents": st.sampled_from([None, "ascii", "unicode"]),
        "min_n": st.integers(1, 3),
        "max_n": st.integers(3, 5),
        "stop_words": st.sampled_from([[], ["ab", "a9"]]),
    }
)

SIGMA = {
    "level": "word",
    "pattern": r"\w+",
    "lowercase": True,
    "accents": None,
    "min_n": 1,
    "max_n": 3,
    "stop_words": [],
}


def options_of(analysis):
    options = {
        "analyzer": analysis["level"],
        "lowercase": analysis["lowercase"],
        "strip_accents": analysis["accents"],
        "ngram_range": (analysis["min_n"], analysis["max_n"]),
    }
    if analysis["level"] == "word":
        options |= {"token_pattern": analysis["pattern"], "stop_words": analysis["stop_words"]}
    return options


@settings(deadline=None, max_examples=150)
@given(documents=documents, analysis=analyses)
@example(["ΑΣ ΑΣΑ Σ", "İi I"], SIGMA)
def test_terms_and_counts(documents, analysis):
    lists = [twin.terms_of(document, **analysis) for document in documents]
    terms, document_counts, term_counts, rows = twin.counted(lists)
    model = CountVectorizer(**options_of(analysis))
    if not terms:
        with pytest.raises(ValueError, match="hold no terms"):
            model.fit(documents)
        return
    X = model.fit_transform(documents)
    assert model.get_feature_names_out().tolist() == terms
    np.testing.assert_array_equal(X.toarray(), twin.matrix(rows, model.vocabulary_))
    assert model._table.document_counts.tolist() == document_counts
    assert model._table.term_counts.tolist() == term_counts
    np.testing.assert_array_equal(model.transform(documents[::-1]).toarray(), X.toarray()[::-1])
    weights = twin.idf(document_counts, len(documents))
    found = TfidfVectorizer(**options_of(analysis)).fit_transform(documents)
    np.testing.assert_allclose(found.toarray(), twin.tfidf(X.toarray(), weights), rtol=1e-13)


@settings(deadline=None, max_examples=80)
@given(documents=documents, analysis=analyses, n_features=st.sampled_from([5, 2**20]), sign=st.booleans())
def test_hashes(documents, analysis, n_features, sign):
    lists = [twin.terms_of(document, **analysis) for document in documents]
    model = HashingVectorizer(**options_of(analysis), n_features=n_features, alternate_sign=sign, norm=None)
    X = model.transform(documents)
    for row, expected in zip(X, twin.hashed_rows(lists, n_features, sign), strict=True):
        assert dict(zip(row.indices.tolist(), row.data.tolist(), strict=True)) == expected


def test_murmur_hash():
    """Known values of MurmurHash3_x86_32."""
    assert [twin.murmur3(data) for data in (b"", b"a", b"test", b"Hello, world!")] == [
        0,
        0x3C2569B2,
        0xBA6BD213 - 2**32,
        0xC0363E43 - 2**32,
    ]


def test_rules_of_the_twin():
    """The rules, by cases that can be checked by eye."""
    assert twin.word_terms("a bc d_e f9 'gh'") == ["bc", "d_e", "f9", "gh"]
    assert twin.word_terms("ab cd ef", max_n=2, stop_words={"cd"}) == ["ab", "ef", "ab ef"]
    assert twin.char_terms("a  b", 2, 2) == ["a ", " b"]
    assert twin.char_wb_terms("ab c", 3, 4) == [" ab", "ab ", " ab ", " c "]
    assert twin.plain("Été ǅ", accents="ascii") == "ete dz"
    assert twin.plain("ÉTÉ 字", lowercase=False, accents="unicode") == "ETE 字"
