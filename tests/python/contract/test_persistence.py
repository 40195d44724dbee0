"""A model comes back as it was from pickle, joblib, copies and model files, fitted or not."""

import copy
import io
import pickle
from functools import cache

import joblib
import pytest
from sklearn.base import clone

import mlcore
from contract.cases import CLASSES, kind, make, names_of, typical
from contract.runtime import ask
from support.fingerprint import digest, fingerprint


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, path):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def by_copy(model, path):
    return copy.copy(model)


def by_deepcopy(model, path):
    return copy.deepcopy(model)


def by_file(model, path):
    mlcore.save(model, path)
    return mlcore.load(path)


def by_mapped_file(model, path):
    mlcore.save(model, path)
    return mlcore.load(path, mmap_mode="r")


ways = pytest.mark.parametrize("way", [by_pickle, by_joblib, by_copy, by_deepcopy, by_file, by_mapped_file])
with_fit = pytest.mark.parametrize(
    "name", names_of("classifier", "regressor", "rows", "texts", "documents", "sequences")
)


@cache
def fitted(name):
    X, y = typical(name)
    return X if kind(name) == "vectors" else make(name).fit(X, y)


def params_after(way, model):
    """Return parameters as they come back: a path is no part of a file, which has the weights that lay there."""
    params = model.get_params()
    if way in (by_file, by_mapped_file) and isinstance(params.get("model"), str):
        params["model"] = None
    return params


def state_and_answers(model, name):
    if kind(name) == "vectors":
        return fingerprint(model), digest(ask(model, 1))
    X, _ = typical(name)
    return fingerprint(model), fingerprint(model, X)


@ways
@pytest.mark.parametrize("name", CLASSES)
def test_a_model_comes_back_as_it_was(name, way, tmp_path):
    model = fitted(name)
    found = way(model, tmp_path / "model")
    assert type(found) is type(model)
    assert state_and_answers(found, name) == state_and_answers(model, name)
    if kind(name) != "vectors":
        assert found.get_params() == params_after(way, model)
        assert sorted(found._fitted_attributes()) == sorted(model._fitted_attributes())


@ways
@with_fit
def test_an_unfitted_model_does_too(name, way, tmp_path):
    model = make(name)
    found = way(model, tmp_path / "model")
    assert type(found) is type(model)
    assert found.get_params() == params_after(way, model)
    assert fingerprint(found) == ""


@with_fit
def test_a_clone_is_unfitted_and_fits_to_the_same(name):
    model = fitted(name)
    found = clone(model)
    assert fingerprint(found) == ""
    assert state_and_answers(found.fit(*typical(name)), name) == state_and_answers(model, name)
