"""Streams: after any number of parts all is as after one fit on the whole."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import mlcore
from mlcore import TfidfTransformer, TfidfVectorizer
from support.process import interrupted

words = st.sampled_from(["the", "cat", "dog", "und", "Fuß", "字典", "a_b", "one"])
documents = st.lists(st.lists(words, max_size=8).map(" ".join), min_size=1, max_size=12)
options = st.fixed_dictionaries(
    {
        "max_df": st.sampled_from([1.0, 0.6, 4]),
        "min_df": st.sampled_from([1, 2, 0.2]),
        "max_features": st.sampled_from([None, 2, 5]),
        "binary": st.booleans(),
        "ngram_range": st.sampled_from([(1, 1), (1, 2)]),
        "vocabulary": st.sampled_from([None, ["cat", "dog", "bird"]]),
    }
)
NAMES = ("CountVectorizer", "TfidfVectorizer")
named = pytest.mark.parametrize("name", NAMES)


def state_of(model):
    try:
        names = model.get_feature_names_out().tolist()
    except ValueError:
        return None
    weights = model.idf_ if hasattr(model, "idf_") else None
    return names, model.vocabulary_, model.n_samples_seen_, model.fixed_vocabulary_, weights


def assert_same(found, whole, texts):
    a, b = state_of(found), state_of(whole)
    if b is None:
        assert a is None
        return
    for x, y in zip(a, b, strict=True):
        np.testing.assert_equal(x, y)
    X, Y = found.transform(texts), whole.transform(texts)
    np.testing.assert_array_equal(X.indices, Y.indices)
    np.testing.assert_array_equal(X.data, Y.data)


def through(way, model, tmp_path):
    if way == "pickle":
        return pickle.loads(pickle.dumps(model))
    if way == "file":
        mlcore.save(model, tmp_path / "model")
        return mlcore.load(tmp_path / "model", mmap_mode="r")
    return model


def fitted(name, parameters, texts):
    """The model of all texts; None where nothing remains of them."""
    try:
        return getattr(mlcore, name)(**parameters).fit(texts)
    except ValueError:
        return None


@named
@settings(deadline=None, max_examples=40)
@given(texts=documents, parameters=options, data=st.data())
def test_parts_are_as_the_whole(name, texts, parameters, data, tmp_path_factory):
    model = getattr(mlcore, name)(**parameters)
    rest = list(texts)
    seen = []
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        part, rest = rest[:n], rest[n:]
        seen += part
        model = model.partial_fit(part)
        assert model.n_samples_seen_ == len(seen)
        if data.draw(st.booleans()):  # what is asked in between changes nothing
            state_of(model)
        model = through(data.draw(st.sampled_from(["", "pickle", "file"])), model, tmp_path_factory.mktemp("models"))
    whole = fitted(name, parameters, texts)
    if whole is None:
        assert state_of(model) is None
    else:
        assert_same(model, whole, texts)


@named
def test_fit_can_be_continued_where_all_terms_have_columns(name):
    texts = ["the cat", "the dog", "one dog"]
    for parameters in ({}, {"vocabulary": ["dog", "the"]}):
        model = getattr(mlcore, name)(**parameters).fit(texts[:2]).partial_fit(texts[2:])
        assert_same(model, getattr(mlcore, name)(**parameters).fit(texts), texts)
        model = getattr(mlcore, name)(**parameters)
        model.fit_transform(texts[:2])
        assert_same(model.partial_fit(texts[2:]), getattr(mlcore, name)(**parameters).fit(texts), texts)
    for pruning in ({"min_df": 2}, {"max_df": 0.9}, {"max_features": 2}):
        model = getattr(mlcore, name)(**pruning).fit(texts)
        before = state_of(model)
        with pytest.raises(ValueError, match=f"partial_fit of {name} must know the counts of all terms, but"):
            model.partial_fit(texts)
        np.testing.assert_equal(state_of(model), before)
    model = getattr(mlcore, name)()
    model.vocabulary_ = {"cat": 0}
    with pytest.raises(ValueError, match="must know the counts of all terms"):
        model.partial_fit(texts)


@named
def test_a_part_that_fails_leaves_all_as_it_was(name):
    def broken():
        yield "a new cat"
        raise RuntimeError("the line is gone")

    for parameters in ({}, {"min_df": 2}, {"vocabulary": ["cat", "dog"]}):
        model = getattr(mlcore, name)(**parameters).partial_fit(["the cat", "the dog"])
        for documents, error in ((broken(), RuntimeError), (["a new cat", None], ValueError)):
            for _ in range(2):
                with pytest.raises(error):
                    model.partial_fit(documents)
                assert model.n_samples_seen_ == 2
                documents = ["a new cat", None]
                error = ValueError
        whole = getattr(mlcore, name)(**parameters).partial_fit(["the cat", "the dog"])
        assert_same(model, whole, ["the cat and the dog"])
        unfitted = getattr(mlcore, name)(**parameters)
        with pytest.raises(RuntimeError):
            unfitted.partial_fit(broken())
        assert unfitted._fitted_attributes() == []


@named
def test_fit_forgets(name):
    model = getattr(mlcore, name)().partial_fit(["the cat"])
    assert_same(model.fit(["one dog"]), getattr(mlcore, name)().fit(["one dog"]), ["the dog"])


@named
def test_fit_keeps_no_terms_without_columns(name):
    texts = [f"word{i} the cat" for i in range(1000)]
    kept = getattr(mlcore, name)(min_df=2).fit(texts)
    assert len(pickle.dumps(kept)) < 4000
    stream = getattr(mlcore, name)(min_df=2).partial_fit(texts)
    assert stream.vocabulary_ == kept.vocabulary_ == {"cat": 0, "the": 1}
    assert stream.partial_fit(["word7"]).vocabulary_ == {"cat": 0, "the": 1, "word7": 2}


def test_documents_one_by_one():
    texts = ["the cat", "the dog and the cat", "one dog"]
    model = TfidfVectorizer()
    for text in texts:
        model.partial_fit([text])
    assert_same(model, TfidfVectorizer().fit(texts), texts)


@settings(deadline=None, max_examples=40)
@given(
    X=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=9),
    cut=st.integers(1, 8),
    smooth=st.booleans(),
    form=st.sampled_from([np.array, sp.csr_array, sp.csc_array]),
)
def test_counts_in_parts(X, cut, smooth, form, tmp_path_factory):
    X = np.array(X, dtype=float)
    cut = min(cut, len(X) - 1)
    with np.errstate(divide="ignore"):
        whole = TfidfTransformer(smooth_idf=smooth).fit(form(X))
        model = TfidfTransformer(smooth_idf=smooth).partial_fit(form(X[:cut]))
        path = tmp_path_factory.mktemp("models") / "model"
        mlcore.save(model, path)
        for found in (model, mlcore.load(path), pickle.loads(pickle.dumps(model))):
            found.partial_fit(form(X[cut:]))
            np.testing.assert_equal(found._get_state(), whole._get_state())
        model = TfidfTransformer(smooth_idf=smooth).fit(form(X[:cut])).partial_fit(form(X[cut:]))
        np.testing.assert_equal(model._get_state(), whole._get_state())
    with pytest.raises(ValueError, match="X has 3 features, but TfidfTransformer is expecting 4 features"):
        model.partial_fit(X[:, :3])
    np.testing.assert_equal(model._get_state(), whole._get_state())


def test_hashing_needs_no_fit():
    model = mlcore.HashingVectorizer()
    assert model.partial_fit(["a word"]) is model
    X = model.transform(["the cat"])
    np.testing.assert_array_equal(X.indices, mlcore.HashingVectorizer().fit_transform(["the cat"]).indices)


@named
def test_vocabularies_that_are_given_and_taken_away_between_parts(name):
    model = getattr(mlcore, name)().partial_fit(["the cat"])
    model.set_params(vocabulary=["dog"]).partial_fit(["the dog"])
    assert model.vocabulary_ == {"dog": 0}
    assert model.n_samples_seen_ == 1
    assert model.partial_fit(["a cat"]).vocabulary_ == {"dog": 0}
    assert model.n_samples_seen_ == 2
    with pytest.raises(ValueError, match="must know the counts of all terms"):
        model.set_params(vocabulary=None).partial_fit(["a cat"])
    assert model.vocabulary_ == {"dog": 0}


@named
def test_parts_cost_what_they_hold(name, monkeypatch):
    """Terms are sorted when columns are asked for, not after each part."""
    model = getattr(mlcore, name)()
    made = []
    table_of = type(model)._table_of
    monkeypatch.setattr(type(model), "_table_of", lambda *arguments: made.append(0) or table_of(*arguments))
    for text in ("the cat", "the dog", "one dog"):
        model.partial_fit([text])
    assert made == []
    assert model.n_samples_seen_ == 3
    assert made == []
    model.transform(["the dog"])
    model.get_feature_names_out()
    assert made == [0]


@named
def test_ctrl_c_counts_a_part_as_a_whole_or_not_at_all(name):
    rng = np.random.default_rng(0)
    few, many = ["the cat"], [f"the {i} dog{i}" for i in rng.integers(0, 10**6, 100_000)] * 3
    model = getattr(mlcore, name)(n_jobs=2).partial_fit(few)

    def work():
        model.partial_fit(many)

    interrupted(work, 0.15)
    assert (model.n_samples_seen_ - len(few)) % len(many) == 0
    whole = (model.n_samples_seen_ - len(few)) // len(many)
    counts = dict(zip(model._settled().terms, model._settled().document_counts.tolist(), strict=True))
    assert counts["the"] == 1 + whole * len(many)
    assert counts["cat"] == 1
    assert_same(model.fit(few), getattr(mlcore, name)().fit(few), few)
