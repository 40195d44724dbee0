"""What a file says of a model is compared with the description of its class before anything is built from it."""

import contextlib
import copy
import json
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import mlcore
from fuzz import seeds
from fuzz.mutations import Forgery, _file
from mlcore import (
    SVR,
    GBDTClassifier,
    GBDTRegressor,
    LinearSVC,
    LogisticRegression,
    NeuralRegressor,
    Ridge,
    Word2Vec,
)
from mlcore._files import checksum, header_checksum
from mlcore._registry import CLASSES
from mlcore._state import (
    Array,
    Csr,
    Dict,
    Distinct,
    Int,
    Labels,
    Number,
    OneOf,
    Optional,
    check_entries,
    pack_csr,
    unpack_csr,
)


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [model for model in seeds.models() if model._fitted_attributes()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


def forge(path, change):
    """Change the header and the tensors of a file as somebody might who knows the format, checksums included."""
    parsed = Forgery(path.read_bytes())
    header, tensors = parsed.header, {name: values.copy() for name, values in parsed.tensors.items()}
    change(header, tensors)
    text = json.dumps(header)
    metadata = {"mlcore": text, "mlcore_crc32": checksum(text, tensors)}
    metadata["mlcore_header_crc32"] = header_checksum(text, tensors)
    path.write_bytes(_file(tensors, metadata))


def tensor_of(header, *names):
    node = header["state"]
    for name in names:
        node = node[name]
    return node["!tensor"]


def test_every_class_is_described_and_no_entry_is_taken_on_trust(fitted, path):
    seen = set()
    for model in fitted:
        seen.add(type(model).__name__)
        mlcore.save(model, path)
        original = path.read_bytes()
        spec = type(model)._state_spec
        names = set(Forgery(original).header["state"])
        assert names <= set(spec)
        assert {name for name, entry in spec.items() if not isinstance(entry, Optional)} <= names
        for name in names:
            for value in (None, "x", -7, 1.5, True, [], [[1, 2]], {}, {"a": None}):
                path.write_bytes(original)
                forge(path, lambda header, tensors, name=name, value=value: header["state"].update({name: value}))
                with contextlib.suppress(ValueError):  # but if it happens to be a value that is possible
                    loaded = mlcore.load(path)
                    mlcore.save(loaded, path)
            if not isinstance(spec[name], Optional):
                path.write_bytes(original)
                forge(path, lambda header, tensors, name=name: header["state"].pop(name))
                with pytest.raises(ValueError, match=f"'{name}' of .* is missing"):
                    mlcore.load(path)
    assert seen == set(CLASSES) - {"HashingVectorizer"}  # which learns nothing


def test_what_load_would_refuse_is_not_written(fitted, path):
    kept_as_they_are = {"solver_", "_link"}  # texts
    # these are asked for a state
    made_of_objects = {
        "history_",
        "module_",
        "phrases_",
        "tokenizer_",
        "words_",
        "_forest",
        "_kernel",
        "_table",
        "_source",
        "_target",
    }
    for model in fitted:
        for name in vars(model).keys() & type(model)._state_spec.keys() - kept_as_they_are - made_of_objects:
            changed = copy.copy(model)
            vars(changed)[name] = "something else"
            with pytest.raises(ValueError, match=name):
                mlcore.save(changed, path)
            assert not path.exists()
    ridge = Ridge().fit(seeds.X, seeds.NUMBERS)
    ridge.note_ = 3
    with pytest.raises(ValueError, match="note_ is no fitted attribute of Ridge"):
        mlcore.save(ridge, path)
    ridge = Ridge().fit(seeds.X, seeds.NUMBERS)
    ridge.coef_ = ridge.coef_[:2]
    with pytest.raises(ValueError, match="coef_ must be an array"):
        mlcore.save(ridge, path)


def test_parameters_are_valid_in_both_directions(path):
    with pytest.raises(ValueError, match="'alpha' parameter of Ridge must be"):
        mlcore.save(Ridge(alpha="much"), path)
    mlcore.save(Ridge(), path)
    forge(path, lambda header, tensors: header["params"].update(alpha="much"))
    with pytest.raises(ValueError, match="'alpha' parameter of Ridge must be"):
        mlcore.load(path)


@pytest.mark.parametrize(
    ("part", "at", "value"),
    [("indptr", 18, 1 << 20), ("indptr", 3, -1), ("indptr", 0, 1), ("indices", 5, 3), ("indices", 5, -1)],
)
def test_a_sparse_model_with_places_out_of_range(part, at, value, path):
    model = SVR().fit(seeds.SPARSE, seeds.NUMBERS)
    mlcore.save(model, path)

    def change(header, tensors):
        tensors[tensor_of(header, "support_vectors_", "csr", part)][at] = value

    forge(path, change)
    with pytest.raises(ValueError, match=f"support_vectors_ .*(sparse matrix|ascending)"):  # noqa: F541
        mlcore.load(path)
    getattr(model.support_vectors_, part)[at] = value
    with pytest.raises(ValueError, match="is no valid sparse matrix"):
        mlcore.save(model, path)


def test_sparse_coefficients_come_back(path):
    for model in (LinearSVC(), LogisticRegression(l1_ratio=1, C=0.5)):
        model.fit(seeds.X, seeds.NAMES).sparsify()
        mlcore.save(model, path)
        loaded = mlcore.load(path)
        np.testing.assert_array_equal(loaded.coef_.toarray(), model.coef_.toarray())
        np.testing.assert_array_equal(loaded.predict(seeds.X), model.predict(seeds.X))

    def flat(header, tensors):  # as older files have it
        packed = header["state"]["coef_"]
        header["state"]["coef_"] = {**packed["csr"], "shape": packed["shape"]}

    forge(path, flat)
    np.testing.assert_array_equal(mlcore.load(path).predict(seeds.X), model.predict(seeds.X))


def categorical_model():
    y = np.where(seeds.FRAME["colour"] == "é", 1.0, -1.0) + seeds.NUMBERS / 9
    return GBDTRegressor(n_estimators=8, max_leaf_nodes=4, min_samples_leaf=1, random_state=0).fit(seeds.FRAME, y)


def test_tables_of_categories_do_not_overlap(path):
    """One large table that every split names: the model would be built from as many copies."""
    mlcore.save(categorical_model(), path)

    def change(header, tensors):
        offsets = tensors[tensor_of(header, "_forest", "category_offset")]
        sizes = tensors[tensor_of(header, "_forest", "category_size")]
        name = tensor_of(header, "_forest", "category_words")
        assert (offsets >= 0).sum() > 3
        tensors[name] = np.ones(50_000, np.uint32)
        sizes[offsets >= 0] = 50_000
        offsets[offsets >= 0] = 0

    forge(path, change)
    begun = time.process_time()
    with pytest.raises(ValueError, match="other categories"):
        mlcore.load(path)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("category_offset", 0, "the same category set"),
        ("category_size", 2, "other categories"),
        ("feature", 99, "feature|categories"),
        ("feature", -2, "feature must be from -1"),
        ("left", 0, "impossible children"),
        ("value", np.nan, "value must be finite"),
        ("threshold", np.nan, "categories|not a number"),
    ],
)
def test_trees_are_trees(name, value, message, path):
    mlcore.save(categorical_model(), path)

    def change(header, tensors):
        is_categorical = tensors[tensor_of(header, "_forest", "category_offset")] >= 0
        feature = tensors[tensor_of(header, "_forest", "feature")]
        at = np.flatnonzero((feature >= 0) & (is_categorical if name != "threshold" else ~is_categorical))[-1]
        tensors[tensor_of(header, "_forest", name)][at] = value

    forge(path, change)
    with pytest.raises(ValueError, match=message):
        mlcore.load(path)


def test_a_network_is_compared_with_its_weights_before_it_is_built(path):
    model = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(seeds.X, seeds.NUMBERS)
    mlcore.save(model, path)
    forge(path, lambda header, tensors: header["params"].update(hidden_layer_sizes={"!tuple": [30_000, 30_000]}))
    tracemalloc.start()
    with pytest.raises(ValueError, match="must have shape"):
        mlcore.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
    mlcore.save(model, path)
    for wrong in (["a"], [2.5], [0], [-3], [10**30], [[4, 4]], {"!float": "nan"}):
        forge(path, lambda header, tensors, wrong=wrong: header["params"].update(hidden_layer_sizes=wrong))
        with pytest.raises(ValueError, match="hidden_layer_sizes"):
            mlcore.load(path)


def test_a_tensor_is_named_once(path):
    mlcore.save(categorical_model(), path)

    def change(header, tensors):
        name = header["state"]["categories_"]
        name[0] = name[1]

    forge(path, change)
    with pytest.raises(ValueError, match="does not hold a valid GBDTRegressor"):
        mlcore.load(path)
    mlcore.save(Ridge().fit(seeds.X, np.column_stack([seeds.NUMBERS, seeds.NUMBERS])), path)
    forge(path, lambda header, tensors: header["state"].update(intercept_=header["state"]["coef_"]))
    with pytest.raises(ValueError, match="named twice"):
        mlcore.load(path)


def test_an_array_of_texts_is_no_bomb(path):
    model = GBDTClassifier(n_estimators=1).fit(seeds.X, np.where(seeds.NUMBERS > 0, "yes", "no"))
    mlcore.save(model, path)

    def change(header, tensors):
        texts = ["x" * 100_000, *map(str, range(100_000))]
        header["state"]["classes_"] = {"!array": texts, "dtype": "U", "shape": [len(texts)]}

    forge(path, change)
    with pytest.raises(ValueError, match="too wide"):
        mlcore.load(path)
    model.classes_ = np.array(["x" * 20_000, *map(str, range(2_000))])  # 160 MB
    with pytest.raises(ValueError, match="too wide"):
        mlcore.save(model, path)


def test_words_are_unique_and_texts(path):
    mlcore.save(Word2Vec(vector_size=3, min_count=1, epochs=1, sample=0).fit(seeds.TEXTS), path)
    original = path.read_bytes()

    def twice(header, tensors):
        bytes_, offsets = (tensors[part["!tensor"]] for part in header["state"]["words_"]["!tuple"])
        first = bytes_[offsets[0] : offsets[1]].copy()
        for i in range(1, len(offsets) - 1):
            if offsets[i + 1] - offsets[i] == len(first):
                bytes_[offsets[i] : offsets[i + 1]] = first

    forge(path, twice)
    with pytest.raises(ValueError, match="unique"):
        mlcore.load(path)
    path.write_bytes(original)
    forge(path, lambda h, t: t[h["state"]["words_"]["!tuple"][0]["!tensor"]].__setitem__(0, 0xFF))
    with pytest.raises(ValueError, match="UTF-8"):
        mlcore.load(path)


# ---- the pieces ------------------------------------------------------------------------------------------------------


def test_sizes_by_name():
    spec = {"n": Int(1, 9, size="n"), "a": Array("f8", ("n", lambda sizes: sizes["n"] + 1)), "b": Optional(Array("i4"))}
    assert check_entries(spec, {"n": 2, "a": np.zeros((2, 3))}, "X") == {"n": 2}
    for state, message in (
        ({"n": 3, "a": np.zeros((2, 3))}, r"a must have size 3 \(n\), got 2"),
        ({"n": 2, "a": np.zeros((2, 2))}, "a must have size 3, got 2"),
        ({"n": 2, "a": np.zeros(2)}, "a must be an array of 2 dimensions, got an array of float64 of shape"),
        ({"n": 2, "a": np.zeros((2, 3), int)}, "a must be an array of f8, got an array of int64"),
        ({"n": 2, "a": [0.0]}, "a must be an array of f8, got list"),
        ({"n": 2}, "'a' of X is missing"),
        ({"n": 10, "a": None}, "n must be from 1 to 9, got int 10"),
        ({"n": True, "a": None}, "n must be a whole number, got bool True"),
        ({"n": 2, "a": np.zeros((2, 3)), "b": None}, "b must be an array of i4"),
        ({"n": 2, "a": np.zeros((2, 3)), "c": None}, "c is no fitted attribute of X"),
        ([], "the state of X must be a dict, got list"),
    ):
        with pytest.raises(ValueError, match=message):
            check_entries(spec, state, "X")


def test_the_first_entry_that_fits_sets_the_sizes():
    entry = OneOf(Array("f8", ("n",)), Array("f8", ("k", "n")))
    sizes = {}
    entry.check(np.zeros((2, 3)), "a", sizes)
    assert sizes == {"k": 2, "n": 3}
    with pytest.raises(ValueError, match=r"a must have size 3 \(n\), got 4"):
        entry.check(np.zeros((2, 4)), "a", sizes)
    assert sizes == {"k": 2, "n": 3}


@pytest.mark.parametrize(
    ("entry", "good", "bad"),
    [
        (Number(0, 1), [0, 1.0, np.float32(0.5)], [-0.1, 2, "1", None, True, 10**30, [1]]),
        (Number(is_finite=True), [1e308, -5], [np.nan, np.inf]),
        (Array("f8", low=0, is_finite=True), [np.zeros(2), np.empty(0)], [-np.ones(2), np.array([np.nan])]),
        (Array("f4 f8", is_finite=True), [np.zeros(2, "f4")], [np.zeros(2, "f2"), np.array([1, np.inf])]),
        (
            Labels(),
            [np.array([1, 2]), np.array(["a", "b"]), np.array(["a", "b"], object), np.array([False, True])],
            [
                np.array([2, 1]),
                np.array([1, 1]),
                np.array([1]),
                np.array([0.5, 1.0]),
                np.array([1.0, np.nan]),
                [1, 2],
                np.array([1, "a"], object),
                np.array([None, 1], object),
                np.array([[1, 2]]),
            ],
        ),
        (
            Distinct(),
            [np.array([2.0, 1.0]), np.array([2**60, 1]), np.array(["b", "a"], object), np.empty(0)],
            [np.array([1.0, 1.0]), np.array([np.nan]), np.zeros(1, np.float32), np.array(["a", 1], object), [1.0]],
        ),
        (Dict({"a": Int()}), [{"a": 1}], [{}, {"a": "1"}, {"a": 1, "b": 1}, [1]]),
    ],
)
def test_entries(entry, good, bad):
    for value in good:
        entry.check(value, "it", {})
    for value in bad:
        with pytest.raises(ValueError, match="it"):
            entry.check(value, "it", {})


def test_sparse_matrices_are_packed():
    packed = pack_csr(seeds.SPARSE)
    Csr(("rows", "columns")).check(packed, "it", sizes := {})
    assert sizes == {"rows": 40, "columns": 3}
    np.testing.assert_array_equal(unpack_csr(packed).toarray(), seeds.SPARSE.toarray())
    packed["csr"]["indices"] = packed["csr"]["indices"][::-1].copy()
    with pytest.raises(ValueError, match=r"ascending|sparse matrix"):
        Csr((40, 3)).check(packed, "it", {})
