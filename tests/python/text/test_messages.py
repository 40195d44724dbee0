"""Errors and warnings of the vectorizers: where scikit-learn has one there is one, in these words."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.feature_extraction.text as reference
from sklearn.exceptions import NotFittedError

import mlcore

DOCUMENTS = ["the cat", "the dog and the cat", "one dog"]
NAMES = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
WITH_VOCABULARY = NAMES[:2]
named = pytest.mark.parametrize("name", NAMES)
learning = pytest.mark.parametrize("name", WITH_VOCABULARY)


def raises(name, message, options, documents=DOCUMENTS, error=ValueError, methods=("fit", "fit_transform")):
    """Our error has these words; scikit-learn raises one too."""
    for method in methods:
        with pytest.raises(error) as caught:
            getattr(getattr(mlcore, name)(**options), method)(documents)
        assert re.match(message, str(caught.value)), str(caught.value)
        with pytest.raises(Exception):  # noqa: B017, PT011 - of any kind, as here
            getattr(getattr(reference, name)(**options), method)(documents)


def warns(name, message, options, documents=DOCUMENTS):
    """There is one warning, with these words; scikit-learn warns too."""
    with pytest.warns(UserWarning, match=message) as caught:
        getattr(mlcore, name)(**options).fit_transform(documents)
    assert len(caught) == 1
    assert caught[0].filename == __file__, "not of the line that the user can change"
    with pytest.warns(UserWarning, match="."):
        getattr(reference, name)(**options).fit_transform(documents)


# ---- parameters ------------------------------------------------------------------------------------------------------

FAULTY = {
    "input": ["contents", 1],
    "encoding": [7],
    "decode_error": ["raise"],
    "strip_accents": ["ASCII", 3],
    "lowercase": ["yes"],
    "preprocessor": ["lower"],
    "tokenizer": ["split"],
    "stop_words": ["german", 5],
    "token_pattern": [7],
    "ngram_range": [[1, 2], 2],
    "analyzer": ["words", 3],
    "binary": [2],
    "dtype": ["number", np.float16, object, "U3"],
    "n_jobs": [0, 1.5],
    "verbose": [-1, "loud"],
}
FAULTY_OF_VOCABULARY = {
    "max_df": [1.1, -0.1, 0, "all"],
    "min_df": [2.0, -1, "few"],
    "max_features": [0, -1, 2.5],
    "vocabulary": [7],
}
FAULTY_OF = {
    "CountVectorizer": FAULTY | FAULTY_OF_VOCABULARY,
    "TfidfVectorizer": FAULTY | FAULTY_OF_VOCABULARY | {"norm": ["l3"], "use_idf": ["no"], "smooth_idf": [3]},
    "HashingVectorizer": FAULTY | {"n_features": [0, 2**31, 2.5], "norm": ["l3"], "alternate_sign": ["no"]},
}


@named
def test_parameters_out_of_range(name):
    for parameter, values in FAULTY_OF[name].items():
        for value in values:
            with pytest.raises((ValueError, TypeError), match=rf"The '{parameter}' parameter of {name} must be .* Got"):
                getattr(mlcore, name)(**{parameter: value}).fit(DOCUMENTS)


@named
def test_ngram_ranges(name):
    who = f"ngram_range of {name} must be "
    raises(name, rf"{who}\(min_n, max_n\) with 1 <= min_n <= max_n, got \(2, 1\)", {"ngram_range": (2, 1)})
    for bad in ((1,), (1, 2, 3), (1.0, 2.0), ("a", "b")):
        raises(name, f"{who}two whole numbers", {"ngram_range": bad}, methods=("fit_transform",))
    for bad in ((0, 1), (-1, 2)):  # scikit-learn makes terms of no words of them
        with pytest.raises(ValueError, match=f"{who}.*1 <= min_n"):
            getattr(mlcore, name)(ngram_range=bad).fit(DOCUMENTS)
    with pytest.raises(ValueError, match=who):
        getattr(mlcore, name)(ngram_range=(2, 1)).build_analyzer()


@named
def test_token_patterns(name):
    who = f"token_pattern of {name} must "
    methods = ("fit_transform",)
    two = r"(\w)(\w)"
    raises(name, f"{who}have one capturing group at most.* with 2: write", {"token_pattern": two}, methods=methods)
    raises(name, f"{who}be a regular expression, got '\\(': missing", {"token_pattern": "("}, methods=methods)
    raises(
        name, f"{who}be a regular expression where tokenizer is None, got None", {"token_pattern": None}
    ) if False else None
    with pytest.raises(ValueError, match=f"{who}be a regular expression where tokenizer is None, got None"):
        getattr(mlcore, name)(token_pattern=None).fit_transform(DOCUMENTS)


# ---- what callables return -------------------------------------------------------------------------------------------


@named
def test_callables_must_return_text(name):
    model = getattr(mlcore, name)(preprocessor=len)
    with pytest.raises(TypeError, match=f"preprocessor of {name} must return a str, got .* 'int' for document 0"):
        model.fit_transform(DOCUMENTS)
    for analyzer in (lambda document: [1, 2], lambda document: ["a", None], lambda document: [b"a"]):
        with pytest.raises(TypeError, match=f"the terms of {name} must be str, got .* for document 0"):
            getattr(mlcore, name)(analyzer=analyzer).fit_transform(DOCUMENTS)
    with pytest.raises(TypeError):
        getattr(mlcore, name)(analyzer=len).fit_transform(DOCUMENTS)


@named
def test_errors_of_callables_come_through(name):
    def fails(document):
        raise RuntimeError(f"cannot do {document}")

    for parameter in ("analyzer", "preprocessor", "tokenizer", "strip_accents"):
        options = {parameter: fails, "token_pattern": None if parameter == "tokenizer" else r"(?u)\b\w\w+\b"}
        model = getattr(mlcore, name)(**options)
        with pytest.raises(RuntimeError, match="cannot do the cat"):
            model.fit_transform(DOCUMENTS)
        assert model._fitted_attributes() == []


# ---- vocabularies ----------------------------------------------------------------------------------------------------


@learning
def test_vocabularies_that_cannot_be(name):
    who = f"vocabulary of {name} "
    raises(name, f"{who}must hold one term at least, got none", {"vocabulary": []})
    raises(name, f"{who}must hold one term at least, got none", {"vocabulary": {}})
    raises(name, f"{who}must hold each term once, got 'cat' twice", {"vocabulary": ["cat", "dog", "cat"]})
    raises(name, f"{who}must give each term a column of its own", {"vocabulary": {"cat": 0, "dog": 0}})
    raises(
        name,
        f"{who}of 2 terms must give them the columns 0 to 1, and none has column 1",
        {"vocabulary": {"a": 0, "b": 2}},
    )
    with pytest.raises(TypeError, match=f"{who}must hold terms of str, got 3"):
        getattr(mlcore, name)(vocabulary=["a", 3]).fit(DOCUMENTS)
    with pytest.raises(TypeError, match=f"{who}must have whole numbers as columns, got 0.0"):
        getattr(mlcore, name)(vocabulary={"a": 0.0}).fit(DOCUMENTS)


@learning
def test_nothing_remains(name):
    for documents in ([], ["", " "], ["a b c"]):
        for options in ({}, {"ngram_range": (1, 2)}, {"ngram_range": (2, 3)}):
            raises(name, f"the documents of {name} hold no terms", options, documents)
    raises(name, f"the documents of {name} hold no terms", {"stop_words": ["the"]}, ["the the"])
    raises(name, f"max_df of {name} allows 1 documents of a term at most, min_df 2 at", {"max_df": 1, "min_df": 2})
    raises(name, f"no term of {name} is in as few documents as max_df=1.0 and in as many as min_df=3", {"min_df": 3})
    model = getattr(mlcore, name)(min_df=3).partial_fit(DOCUMENTS)  # may still come
    for ask in (lambda: model.transform(DOCUMENTS), model.get_feature_names_out, lambda: model.vocabulary_):
        with pytest.raises(ValueError, match=f"no term of {name} is in as few documents"):
            ask()
    assert model.partial_fit(["cat", "cat and dog"]).vocabulary_ == {"cat": 0, "dog": 1}


@learning
def test_nothing_is_known_before_fit(name):
    model = getattr(mlcore, name)()
    message = f"This {name} instance is not fitted yet"
    for ask in (
        lambda: model.transform(DOCUMENTS),
        lambda: model.inverse_transform(np.eye(2)),
        model.get_feature_names_out,
        lambda: model.vocabulary_,
        lambda: model.n_samples_seen_,
    ):
        with pytest.raises(NotFittedError, match=message):
            ask()
    assert not hasattr(model, "vocabulary_")
    assert not hasattr(model, "idf_")
    if name == "TfidfVectorizer":
        with pytest.raises(NotFittedError, match=message):  # a vocabulary alone has no weights
            mlcore.TfidfVectorizer(vocabulary=["cat"]).transform(DOCUMENTS)


@learning
def test_matrices_of_other_widths(name):
    model = getattr(mlcore, name)().fit(DOCUMENTS)
    for X in (np.ones((2, 3)), sp.csr_array((2, 9))):
        with pytest.raises(ValueError, match=rf"X of {name} must have 5 columns, one a term, got {X.shape[1]}"):
            model.inverse_transform(X)
    broken = sp.csr_array(np.eye(5))
    broken.indices[2] = 77
    with pytest.raises(ValueError, match=f"X of {name} is no valid sparse matrix"):
        model.inverse_transform(broken)


def test_weights_that_cannot_be():
    model = mlcore.TfidfVectorizer().fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"idf_ of TfidfVectorizer must have shape \(5,\), one a term, got \(4,\)"):
        model.idf_ = np.ones(4)
    with pytest.raises(ValueError, match=r"idf_ of TfidfVectorizer must have shape \(n_terms,\), got \(1, 5\)"):
        model.idf_ = np.ones((1, 5))
    model = mlcore.TfidfVectorizer(use_idf=False).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="idf_ of TfidfVectorizer can be set with use_idf=True only"):
        model.idf_ = np.ones(5)
    with pytest.raises(AttributeError, match="no idf_ with use_idf=False"):
        _ = model.idf_
    model = mlcore.TfidfVectorizer().fit(DOCUMENTS)
    model.vocabulary_ = {"cat": 0}
    assert model.vocabulary_ == {"cat": 0}
    with pytest.raises(NotFittedError, match="TfidfVectorizer has terms, but no idf_ of them"):
        model.transform(DOCUMENTS)
    model.idf_ = [2.0]
    assert model.set_params(norm=None).transform(["a cat"]).toarray().tolist() == [[2.0]]
    with pytest.raises(ValueError, match="of real numbers"):
        mlcore.TfidfVectorizer(dtype=complex).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="must hold one document at least"):
        mlcore.TfidfVectorizer(vocabulary=["cat"]).fit([])
    with np.errstate(divide="ignore"):
        model = mlcore.TfidfVectorizer(vocabulary=["cat", "fish"], smooth_idf=False).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="a weight is infinite"):
        model.transform(["a fish"])


# ---- warnings --------------------------------------------------------------------------------------------------------


@named
@pytest.mark.parametrize(
    ("options", "parameter", "why"),
    [
        ({"stop_words": ["you've"], "analyzer": "char"}, "stop_words", "analyzer is not 'word'"),
        ({"tokenizer": str.split, "analyzer": "char", "token_pattern": None}, "tokenizer", "analyzer is not 'word'"),
        ({"tokenizer": str.split, "token_pattern": r"\w+"}, "token_pattern", "tokenizer is given"),
        ({"preprocessor": str.upper, "analyzer": str.split}, "preprocessor", "analyzer is a callable"),
        ({"ngram_range": (1, 2), "analyzer": str.split}, "ngram_range", "analyzer is a callable"),
        ({"token_pattern": r"\w+", "analyzer": "char"}, "token_pattern", "analyzer is not 'word'"),
    ],
)
def test_parameters_without_effect(name, options, parameter, why):
    warns(name, f"The parameter '{parameter}' of {name} is not used, since {why}", options)


@named
def test_stop_words_that_do_not_fit_the_tokens(name):
    stop_words = ["and", "all", "the", "you've", "The"]
    message = rf"The stop_words of {name} do not fit its preprocessing and tokens: they give the tokens \['ve', 'you'\]"
    warns(name, message, {"stop_words": stop_words})
    model = getattr(mlcore, name)(stop_words=stop_words)
    with pytest.warns(UserWarning, match=message):
        model.fit_transform(DOCUMENTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit_transform(DOCUMENTS)  # once
        model.set_params(stop_words=["the"]).fit_transform(DOCUMENTS)
        getattr(mlcore, name)(stop_words=["the", "AND"], preprocessor=lambda text: text["a field"])._warn_of_stop_words(
            {"the"}, lambda text: text["a field"], str.split
        )  # no function for words
    with pytest.warns(UserWarning, match=message):
        model.set_params(stop_words=list(stop_words)).build_analyzer()


@learning
def test_upper_case_in_a_vocabulary(name):
    warns(name, f"vocabulary of {name} has terms with upper case", {"vocabulary": ["cat", "Dog"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = getattr(mlcore, name)(vocabulary=["cat", "Dog"], lowercase=False).fit(DOCUMENTS)
        model.set_params(lowercase=True).transform(DOCUMENTS)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, bool])
def test_weights_of_whole_numbers(dtype):
    warns(
        "TfidfVectorizer",
        f"dtype of TfidfVectorizer should be float32 or float64: {np.dtype(dtype)} counts are",
        {"dtype": dtype},
    )
    with pytest.warns(UserWarning, match="dtype"):
        assert mlcore.TfidfVectorizer(dtype=dtype).fit_transform(DOCUMENTS).dtype == np.float64


@named
def test_sparse_arrays_where_scikit_learn_gives_them(name):
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("this scikit-learn gives sparse matrices only")
    with sklearn.config_context(sparse_interface="sparray"):
        X = getattr(mlcore, name)().fit_transform(DOCUMENTS)
        assert isinstance(X, sp.csr_array)
        assert isinstance(mlcore.TfidfTransformer().fit_transform(X), sp.csr_array)
    assert isinstance(getattr(mlcore, name)().fit_transform(DOCUMENTS), sp.csr_matrix)


@pytest.mark.parametrize(
    ("options", "document", "message"),
    [
        ({}, ["two", "tokens"], "need analyzer=list"),
        ({}, Path("a.txt"), "need input='filename'"),
        ({"input": "file"}, "a.txt", r"document 0 .* has read\(\), got a value of type 'str'"),
    ],
)
def test_what_a_document_of_another_type_may_have_meant(options, document, message):
    with pytest.raises(TypeError, match=message):
        mlcore.CountVectorizer(**options).fit([document])


def test_lists_of_tokens():
    vectorizer = mlcore.CountVectorizer(analyzer=list).fit([["two", "tokens"], ["two"]])
    assert vectorizer.vocabulary_ == {"tokens": 0, "two": 1}
