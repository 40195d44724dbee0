"""Model files: what is saved comes back, nothing else does, and an interrupted save harms nothing."""

import contextlib
import json
import os
import stat
import struct

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import mlcore
from mlcore import GBDTClassifier, GBDTRegressor, LogisticRegression, _files
from mlcore.embedding import KeyedVectors


@pytest.fixture(scope="module")
def model():
    frame = pd.DataFrame({"size": np.arange(200) % 9, "colour": pd.Categorical(np.tile(["red", "bläu", "é", "d"], 50))})
    y = np.where(frame["colour"] == "é", "yes", "no")
    fitted = GBDTClassifier(
        n_estimators=4,
        random_state=3,
        class_weight={"no": 1.0, "yes": 2.0},
        monotonic_cst=[1, 0],
        interaction_cst=[(0, 1)],
    )
    fitted.frame = frame
    return fitted.fit(frame, y, X_val=frame, y_val=y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def header_of(path):
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["mlcore"])


def test_round_trip(model, path):
    mlcore.save(model, path)
    loaded = mlcore.load(path)
    assert type(loaded) is GBDTClassifier
    assert loaded.get_params() == model.get_params()
    assert loaded.get_params()["interaction_cst"] == [(0, 1)]
    np.testing.assert_array_equal(loaded.predict_proba(model.frame), model.predict_proba(model.frame))
    assert sorted(loaded._fitted_attributes()) == sorted(model._fitted_attributes())
    for name in ("classes_", "feature_names_in_", "train_score_", "validation_score_", "is_categorical_"):
        ours, theirs = getattr(model, name), getattr(loaded, name)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert loaded.categories_[0] is None
    assert loaded.categories_[1].tolist() == model.categories_[1].tolist()
    for name, values in model.trees_.items():
        np.testing.assert_array_equal(loaded.trees_[name], values)
    header = header_of(path)
    assert header["format_version"] == 1
    assert header["class"] == "GBDTClassifier"
    assert header["library_version"] == mlcore.__version__


@pytest.mark.parametrize("labels", [[0, 1], [False, True], ["a", "b"], np.array(["a", "b"], object), [0.5, 1.5]])
def test_labels_of_any_type_come_back(labels, path):
    labels = np.asarray(labels)
    X = np.arange(60.0).reshape(-1, 1)
    y = labels[np.arange(60) // 30] if labels.dtype != float else (np.arange(60) // 30).astype(float)
    fitted = GBDTClassifier(n_estimators=2).fit(X, y)
    mlcore.save(fitted, path)
    predicted = mlcore.load(path).predict(X)
    assert predicted.dtype == y.dtype
    np.testing.assert_array_equal(predicted, fitted.predict(X))


def test_an_unfitted_estimator_and_odd_numbers(path):
    estimator = GBDTRegressor(learning_rate=np.float32(0.5), max_depth=np.int64(3), monotonic_cst=np.array([1]))
    mlcore.save(estimator, os.fspath(path))
    loaded = mlcore.load(os.fspath(path)).get_params()
    assert loaded["learning_rate"] == 0.5
    assert type(loaded["max_depth"]) is int
    np.testing.assert_array_equal(loaded["monotonic_cst"], [1])
    mlcore.save(LogisticRegression(C=np.inf), path)
    assert np.inf == mlcore.load(path).C


def loss(y, raw, weight):
    return raw - y, np.ones_like(raw)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"loss": loss}, "parameter 'loss'"),
        ({"scoring": lambda estimator, X, y: 0.0}, "parameter 'scoring'"),
        ({"random_state": np.random.RandomState(0)}, "parameter 'random_state'"),
    ],
)
def test_parameters_that_no_file_can_hold(parameters, name, path):
    with pytest.raises(ValueError, match=f"{name} of GBDTRegressor cannot be saved"):
        mlcore.save(GBDTRegressor(**parameters), path)
    assert not path.exists()


def test_only_classes_of_the_library(path):
    class Mine(GBDTRegressor):
        pass

    for other in (Mine(), object(), GBDTRegressor):
        with pytest.raises(
            TypeError,
            match="save takes an estimator of one of the classes AgglomerativeClustering, BertClassifier",
        ):
            mlcore.save(other, path)


def test_every_flipped_or_missing_byte_is_found(model, path):
    mlcore.save(model, path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    n_header = struct.unpack("<Q", data[:8])[0]
    places = np.r_[np.arange(0, 16), rng.integers(16, n_header + 8, 150), rng.integers(n_header + 8, len(data), 150)]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        loaded = None
        with contextlib.suppress(ValueError):
            loaded = mlcore.load(path)
        if loaded is not None:  # in the padding of safetensors' own header, which means nothing
            np.testing.assert_array_equal(loaded.predict_proba(model.frame), model.predict_proba(model.frame))
    for size in [0, 1, 7, 8, 9, n_header, n_header + 8, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match="damaged, truncated or not a model file"):
            mlcore.load(path)
    path.write_bytes(data + b"x")
    with pytest.raises(ValueError, match="damaged"):
        mlcore.load(path)


def test_foreign_files(path):
    with pytest.raises(FileNotFoundError):
        mlcore.load(path)
    with pytest.raises(OSError, match="directory"):
        mlcore.load(path.parent)
    path.write_text("hello, world, this is a text that is no model at all")
    with pytest.raises(ValueError, match="not a model file"):
        mlcore.load(path)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"a safetensors file, but not one that mlcore\.save has written"):
        mlcore.load(path)


def rewrite(path, change):
    """Change the header of a file as somebody might who knows the format, checksum included."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = header_of(path)
    change(header, tensors)
    text = json.dumps(header)
    save_file(tensors, path, {"mlcore": text, "mlcore_crc32": _files.checksum(text, tensors)})


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_values_that_are_nested_too_deep(model, path):
    mlcore.save(model, path)
    rewrite(path, lambda header, tensors: header["state"].update(train_score_=nested(600)))
    with pytest.raises(ValueError, match="is damaged: its values are nested too deep"):
        mlcore.load(path)


def test_a_newer_version_is_refused(model, path):
    mlcore.save(model, path)
    rewrite(path, lambda header, tensors: header.update(format_version=2, library_version="9.1", state="anything"))
    with pytest.raises(ValueError, match=r"format version 2, written by mlcore 9\.1; .* update mlcore to load it"):
        mlcore.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda h, t: h.update({"class": "os.system"}),
        lambda h, t: h.update({"class": ["GBDTClassifier"]}),
        lambda h, t: h.update({"format_version": "1"}),
        lambda h, t: h.update({"format_version": 0}),
        lambda h, t: h.pop("params"),
        lambda h, t: h["params"].update({"n_trees": 3}),
        lambda h, t: h["state"].update({"predict": "forged"}),
        lambda h, t: h["state"].update({"n_estimators": 3}),
        lambda h, t: h["state"].update({"__class__": "forged"}),
        lambda h, t: h["state"].update({"_get_state_": "forged"}),
        lambda h, t: h["state"].update({"train_score_": nested(600)}),
        lambda h, t: h["params"].update({"verbose": nested(600)}),
        lambda h, t: h["state"].update({"_forest": {"baseline": {"!tensor": "99"}}}),
        lambda h, t: h["state"]["_forest"].pop("left"),
        lambda h, t: t.update({h["state"]["_forest"]["left"]["!tensor"]: np.full(3, 7, dtype=np.int32)}),
        lambda h, t: t[h["state"]["_forest"]["left"]["!tensor"]].__setitem__(0, 10_000),
        lambda h, t: t[h["state"]["_forest"]["feature"]["!tensor"]].__setitem__(0, 77),
        lambda h, t: t[h["state"]["_forest"]["tree_offset"]["!tensor"]].__setitem__(1, -5),
    ],
)
def test_forged_files_raise_and_do_not_crash(change, model, path):
    mlcore.save(model, path)
    rewrite(path, change)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        mlcore.load(path)


def test_an_interrupted_save_leaves_the_old_file(model, path, monkeypatch):
    mlcore.save(model, path)
    before = path.read_bytes()

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mlcore.save(GBDTRegressor(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_permissions_are_those_of_an_ordinary_file(model, path):
    ordinary = path.with_name("other")
    ordinary.write_text("")
    mlcore.save(model, path)
    assert path.stat().st_mode == ordinary.stat().st_mode


def test_permissions_of_the_old_file_stay(path):
    path.write_text("secret")
    path.chmod(0o600)
    mlcore.save(GBDTRegressor(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_links_are_followed(path, tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    path.symlink_to(target)
    for _ in range(2):  # it points to nothing, then to a file
        mlcore.save(GBDTRegressor(), path)
        assert path.is_symlink()
        assert isinstance(mlcore.load(target), GBDTRegressor)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["target"]


def test_only_files_are_replaced(path, tmp_path):
    os.mkfifo(path)
    for place in (path, tmp_path, "/dev/null"):
        with pytest.raises(OSError, match="only a regular file can be replaced"):
            mlcore.save(GBDTRegressor(), place)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_name(tmp_path):
    path = tmp_path / ("x" * 255)
    mlcore.save(GBDTRegressor(), path)
    assert isinstance(mlcore.load(path), GBDTRegressor)


# ---- mapped ----


def test_mapped_arrays_lie_in_the_file(path):
    vectors = KeyedVectors(["a", "b"], [[1.5, 2.5], [3.5, 4.5]])
    mlcore.save(vectors, path)
    loaded = mlcore.load(path, mmap_mode="r")
    np.testing.assert_array_equal(loaded.vectors, vectors.vectors)
    assert not loaded.vectors.flags.writeable
    at = path.read_bytes().index(vectors.vectors.tobytes())
    with path.open("r+b") as file:
        file.seek(at)
        file.write(np.float32(7.5).tobytes())
    assert loaded["a"].tolist() == [7.5, 2.5]
    mlcore.load(path, mmap_mode="r")  # not noticed, as documented
    with pytest.raises(ValueError, match="checksum"):
        mlcore.load(path)


def test_mapped_trees(model, path):
    mlcore.save(model, path)
    loaded = mlcore.load(path, mmap_mode="r")
    np.testing.assert_array_equal(loaded.predict_proba(model.frame), model.predict_proba(model.frame))


def test_only_one_way_to_map(path):
    for mode in ("r+", "c", True):
        with pytest.raises(ValueError, match="mmap_mode of load must be None or 'r'"):
            mlcore.load(path, mmap_mode=mode)


def test_damaged_headers_of_mapped_files(model, path):
    mlcore.save(model, path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    n_header = struct.unpack("<Q", data[:8])[0]
    for place in np.r_[np.arange(0, 16), rng.integers(16, n_header + 8, 200)]:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        loaded = None
        with contextlib.suppress(ValueError):
            loaded = mlcore.load(path, mmap_mode="r")
        if loaded is not None:  # in the padding, or the checksum that is not used
            np.testing.assert_array_equal(loaded.predict_proba(model.frame), model.predict_proba(model.frame))
    for size in [0, 1, 7, 8, 9, n_header, n_header + 8, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match="damaged, truncated or not a model file"):
            mlcore.load(path, mmap_mode="r")
    with pytest.raises(FileNotFoundError):
        mlcore.load(path.with_name("none"), mmap_mode="r")


def with_header(path, change):
    """Change the header of the safetensors format itself."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    change(header, next(entry for name, entry in header.items() if name != "__metadata__"))
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


@pytest.mark.parametrize(
    "change",
    [
        lambda header, entry: entry.update(data_offsets=[0, 10**9]),
        lambda header, entry: entry.update(data_offsets=[-8, entry["data_offsets"][1]]),
        lambda header, entry: entry.update(data_offsets=[0.0, 8.0]),
        lambda header, entry: entry.update(data_offsets=[0]),
        lambda header, entry: entry.update(data_offsets=None),
        lambda header, entry: entry.update(shape=[10**9, 10**9]),
        lambda header, entry: entry.update(shape=[2**62, 4]),
        lambda header, entry: entry.update(shape=[-1]),
        lambda header, entry: entry.update(shape="3"),
        lambda header, entry: entry.update(dtype="F128"),
        lambda header, entry: entry.update(dtype="F8_E4M3"),
        lambda header, entry: entry.pop("dtype"),
        lambda header, entry: header.update(more=3),
        lambda header, entry: header.update(more={"dtype": "F32", "shape": [2], "data_offsets": [10**6, 10**6 + 8]}),
    ],
)
@pytest.mark.parametrize("is_checked_before", [True, False])
def test_forged_places_of_mapped_tensors(change, is_checked_before, model, path):
    mlcore.save(model, path)
    with_header(path, change)
    if is_checked_before:
        with pytest.raises(ValueError, match="damaged, truncated or not a model file"):
            mlcore.load(path, mmap_mode="r")
    else:  # our own check, should that of safetensors ever be a weaker one
        with pytest.raises((ValueError, TypeError, KeyError)):
            _files._map_tensors(path)


def test_files_of_other_writers_may_be_unaligned(path):
    vectors = KeyedVectors(["a", "b"], [[1.5, 2.5], [3.5, 4.5]])
    for n in range(8):
        mlcore.save(vectors, path)
        with_header(path, lambda header, entry, n=n: header["__metadata__"].update(odd="x" * n))
        loaded = mlcore.load(path, mmap_mode="r")
        assert loaded.vectors.flags.aligned
        assert loaded.most_similar("a") == vectors.most_similar("a")


def test_files_without_a_checksum_of_the_header_are_read(model, path):
    mlcore.save(model, path)
    with_header(path, lambda header, entry: header["__metadata__"].pop("mlcore_header_crc32"))
    for mode in (None, "r"):
        loaded = mlcore.load(path, mmap_mode=mode)
        np.testing.assert_array_equal(loaded.predict_proba(model.frame), model.predict_proba(model.frame))
