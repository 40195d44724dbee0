"""Functions of the user in the place of each step, and classes that override a method: Python makes the terms then."""

import re
from functools import partial

import numpy as np
import pytest
import sklearn.feature_extraction.text as reference
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import mlcore

DOCUMENTS = ["The cats' paws", "a cat", "no CATS, no dogs!", "", "été 12 dogs the été", "a-b c-d a-b"]
OTHERS = ["dogs and cats' 12", "été", "nothing a-b"]
NAMES = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
named = pytest.mark.parametrize("name", NAMES)


def reverse(text):
    return text[::-1]


def drop_digits(text):
    return re.sub(r"\d", "", text)


def two_letters(text):
    return (text[i : i + 2] for i in range(0, len(text), 2))


def upper_words(text):
    return tuple(text.upper().split())


NO_PATTERN = {"token_pattern": None}
OPTIONS = {
    "preprocessor": {"preprocessor": reverse},
    "preprocessor, n-grams": {"preprocessor": reverse, "ngram_range": (1, 3)},
    "preprocessor, char": {"preprocessor": reverse, "analyzer": "char", "ngram_range": (1, 3)},
    "preprocessor, char_wb": {"preprocessor": drop_digits, "analyzer": "char_wb", "ngram_range": (2, 3)},
    "preprocessor, stop words": {"preprocessor": str.lower, "stop_words": "english"},
    "accents": {"strip_accents": drop_digits},
    "accents, char": {"strip_accents": drop_digits, "analyzer": "char", "lowercase": False},
    "tokenizer": {"tokenizer": str.split, **NO_PATTERN},
    "tokenizer, n-grams": {"tokenizer": str.split, "ngram_range": (2, 3), **NO_PATTERN},
    "tokenizer, stop words": {"tokenizer": str.split, "stop_words": ["the", "no"], **NO_PATTERN},
    "tokenizer, accents": {"tokenizer": two_letters, "strip_accents": "ascii", **NO_PATTERN},
    "tokenizer, preprocessor": {"tokenizer": two_letters, "preprocessor": reverse, **NO_PATTERN},
    "partial": {"tokenizer": partial(re.findall, r"[a-z]+"), **NO_PATTERN},
    "pattern with a group": {"token_pattern": r"(\w)\w+"},
    "pattern with a group, n-grams": {"token_pattern": r"\b(\w+)s\b", "ngram_range": (1, 2)},
    "pattern with a look": {"token_pattern": r"\w+(?=s)"},
    "pattern with flags": {"token_pattern": r"(?i)[A-C]+"},
    "pattern of several sets": {"token_pattern": r"[a-z]+-[a-z]+|\d+"},
    "pattern of nothing": {"token_pattern": ""},
    "analyzer": {"analyzer": upper_words},
    "analyzer, generator": {"analyzer": two_letters},
    "analyzer, list": {"analyzer": list},
}


def outcome(call):
    try:
        X = call()
    except TypeError:
        return None
    return dense(X)


def dense(X):
    return X.toarray() if X.shape[1] < 1000 else X[:, np.unique(X.indices)].toarray()


@named
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_functions_of_the_user(name, options):
    ours, theirs = getattr(mlcore, name)(**options), getattr(reference, name)(**options)
    if options.get("tokenizer") is two_letters:  # n-grams of a generator: scikit-learn fails for more than unigrams
        assert options.get("ngram_range") is None
    expected = outcome(lambda: theirs.fit_transform(DOCUMENTS))
    found = outcome(lambda: ours.fit_transform(DOCUMENTS))
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    found = outcome(lambda: ours.transform(OTHERS))
    np.testing.assert_allclose(found, outcome(lambda: theirs.transform(OTHERS)), rtol=1e-14)
    if name != "HashingVectorizer":
        assert ours.vocabulary_ == theirs.vocabulary_
        parts = getattr(mlcore, name)(**options)
        for document in DOCUMENTS:
            parts.partial_fit([document])
        np.testing.assert_array_equal(outcome(lambda: parts.transform(OTHERS)), found)
    assert clone(ours).get_params().keys() == ours.get_params().keys()


@named
def test_documents_that_only_an_analyzer_understands(name):
    documents = [{"title": "a cat", "body": "a dog"}, {"title": "one dog", "body": ""}]

    def analyze(document):
        return document["title"].split() + document["body"].split()

    found = getattr(mlcore, name)(analyzer=analyze).fit_transform(documents)
    expected = getattr(reference, name)(analyzer=analyze).fit_transform(documents)
    np.testing.assert_allclose(dense(found), dense(expected))
    tokens = [["a", "cat"], ["one", "dog", "dog"], []]  # tokens that are there already
    for options in ({"analyzer": lambda tokens: tokens}, {"analyzer": list}):
        found = getattr(mlcore, name)(**options).fit_transform(tokens)
        expected = getattr(reference, name)(**options).fit_transform(tokens)
        np.testing.assert_allclose(dense(found), dense(expected))
    options = {"preprocessor": lambda d: d, "tokenizer": lambda d: d, "token_pattern": None, "ngram_range": (1, 2)}
    found = getattr(mlcore, name)(**options).fit_transform(tokens)
    expected = getattr(reference, name)(**options).fit_transform(tokens)
    np.testing.assert_allclose(dense(found), dense(expected))


# ---- subclasses ------------------------------------------------------------------------------------------------------


def stemmed(module, name):
    class Stemmed(getattr(module, name)):
        """Words without their s, as people add a stemmer."""

        def build_analyzer(self):
            analyze = super().build_analyzer()
            return lambda document: (word.rstrip("s") for word in analyze(document))

    return Stemmed()


def with_tokens(module, name):
    class WithTokens(getattr(module, name)):
        def build_tokenizer(self):
            tokenize = super().build_tokenizer()
            return lambda text: [token for token in tokenize(text) if not token.isdigit()]

    return WithTokens(ngram_range=(1, 2))


def prepared(module, name):
    class Prepared(getattr(module, name)):
        def build_preprocessor(self):
            preprocess = super().build_preprocessor()
            return lambda text: preprocess(text).replace("cat", "dog")

    return Prepared()


def with_stop_words(module, name):
    class WithStopWords(getattr(module, name)):
        def get_stop_words(self):
            return frozenset({"dogs", "the"})

    return WithStopWords()


def decoded(module, name):
    class Decoded(getattr(module, name)):
        def decode(self, doc):
            return super().decode(doc["text"])

    return Decoded()


@named
@pytest.mark.parametrize("make", [stemmed, with_tokens, prepared, with_stop_words, decoded])
def test_methods_that_a_subclass_overrides(name, make):
    documents, others = DOCUMENTS, OTHERS
    if make is decoded:
        documents, others = ([{"text": text} for text in texts] for texts in (documents, others))
    ours, theirs = make(mlcore, name), make(reference, name)
    expected = outcome(lambda: theirs.fit_transform(documents))
    np.testing.assert_allclose(outcome(lambda: ours.fit_transform(documents)), expected, rtol=1e-14)
    plain = getattr(mlcore, name)(ngram_range=ours.ngram_range)
    if make is not decoded:
        assert not np.array_equal(outcome(lambda: plain.fit_transform(documents)), expected)
    expected = outcome(lambda: theirs.transform(others))
    np.testing.assert_allclose(outcome(lambda: ours.transform(others)), expected, rtol=1e-14)


@named
def test_a_method_that_is_put_into_an_instance(name):
    model = getattr(mlcore, name)()
    model.build_tokenizer = lambda: str.split
    if name == "HashingVectorizer":
        assert (model.transform(["a b c d"]) != 0).sum() == 4
    else:
        assert model.fit(["a b c d"]).vocabulary_ == {"a": 0, "b": 1, "c": 2, "d": 3}


# ---- with others -----------------------------------------------------------------------------------------------------


def test_pipelines_and_searches():
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection import GridSearchCV

    documents = ["good film", "bad film", "a good one", "a bad one", "so good", "so bad", "good good", "bad bad"]
    y = [1, 0, 1, 0, 1, 0, 1, 0]
    model = make_pipeline(mlcore.CountVectorizer(), mlcore.TfidfTransformer(), mlcore.LogisticRegression())
    assert model.fit(documents, y).score(documents, y) == 1
    assert model[:-1].get_feature_names_out().tolist() == ["bad", "film", "good", "one", "so"]
    search = GridSearchCV(
        make_pipeline(mlcore.TfidfVectorizer(), mlcore.LogisticRegression()),
        {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)], "tfidfvectorizer__analyzer": ["word", "char_wb"]},
        cv=2,
    )
    assert search.fit(documents, y).best_score_ == 1
    import pandas as pd

    frame = pd.DataFrame({"text": documents, "title": documents[::-1]})
    table = ColumnTransformer(
        [("text", mlcore.CountVectorizer(), "text"), ("title", mlcore.TfidfVectorizer(), "title")]
    )
    X = table.fit_transform(frame)
    assert X.shape == (8, 10)
    assert table.get_feature_names_out()[0] == "text__bad"
    for name in (*NAMES, "TfidfTransformer"):
        assert not hasattr(getattr(mlcore, name)(), "set_output")  # as there: a frame would have to be dense
