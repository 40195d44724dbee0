"""Files that are written whole or not at all, the tensors and values in them, and what killed writers leave behind."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import mlcore
from mlcore import Ridge
from mlcore._files import Decoder, Encoder, checksum, header_checksum, read_tensors, replacing, write_tensors

WRITER = """
import sys, time
from pathlib import Path
from mlcore._files import replacing
with replacing(Path(sys.argv[1])) as (file,):
    file.write(b"half of it")
    file.flush()
    print("writing", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of a save."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "theirs"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def parts(folder):
    return sorted(folder.glob(".*.part"))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_save_removes_what_a_killed_one_left(end, writer, tmp_path):
    (left,) = parts(tmp_path)
    assert left.read_bytes() == b"half of it"
    writer.send_signal(end)
    writer.wait(timeout=60)
    assert parts(tmp_path) == [left]
    mlcore.save(Ridge(), tmp_path / "ours")
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_what_others_are_writing_stays(writer, tmp_path):
    (theirs,) = parts(tmp_path)
    mlcore.save(Ridge(), tmp_path / "ours")
    assert parts(tmp_path) == [theirs]
    with replacing(tmp_path / "ours"):  # and what this process is writing
        assert len(parts(tmp_path)) == 2
        mlcore.save(Ridge(), tmp_path / "another")
        assert len(parts(tmp_path)) == 2
    assert parts(tmp_path) == [theirs]


def test_only_files_of_that_name_are_removed(tmp_path):
    (tmp_path / "other.part").write_text("")
    (tmp_path / ".mlcore-folder.part").mkdir()
    (tmp_path / ".mlcore-link.part").symlink_to(tmp_path / "other.part")
    os.mkfifo(tmp_path / ".mlcore-pipe.part")
    (tmp_path / ".mlcore-abandoned.part").write_text("")
    mlcore.save(Ridge(), tmp_path / "ours")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"ours", "other.part", ".mlcore-folder.part", ".mlcore-link.part", ".mlcore-pipe.part"}


def test_a_part_that_is_removed_before_it_is_locked_is_made_again(monkeypatch, tmp_path):
    import fcntl

    flock, seen = fcntl.flock, []

    def slow(file, operation):
        if not seen:
            (first,) = parts(tmp_path)
            first.unlink()
            seen.append(first)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    mlcore.save(Ridge(), tmp_path / "ours")
    assert mlcore.load(tmp_path / "ours").alpha == 1.0
    assert len(seen) == 1
    assert parts(tmp_path) == []


def test_no_locks_are_no_error(monkeypatch, tmp_path):
    import fcntl

    def flock(file, operation):
        raise OSError("not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / ".mlcore-abandoned.part").write_text("")  # nobody can tell: it stays
    mlcore.save(Ridge(), tmp_path / "ours")
    assert mlcore.load(tmp_path / "ours").alpha == 1.0
    assert len(parts(tmp_path)) == 1


# ---- values and tensors ----

VALUES = {
    "numbers": [None, True, 3, -0.5, float("inf"), float("-inf"), np.float32(0.25), np.int64(7)],
    "nested": {"pair": (1, ("a", [2])), 3: "by a number", "!odd": {"x", "y"}, "frozen": frozenset({1, 2})},
    "arrays": [np.arange(6, dtype=np.int16).reshape(2, 3).T, np.array([], dtype=bool), np.float64(1.5) * np.ones(2)],
    "types": [np.int64, np.float32, np.bool_, bool, float, np.dtype("u2"), np.dtype(np.float64)],
    "texts": [np.array(["a", "bcd"]), np.array(["a", None, 2], dtype=object)],
}


def test_values_and_tensors_come_back(tmp_path):
    encode, path = Encoder("a test"), tmp_path / "values"
    text = json.dumps(encode(VALUES, "the values"), allow_nan=False)
    with replacing(path) as (file,):
        write_tensors(file, encode.tensors, {"text": text, "sum": checksum(text, encode.tensors)})
    for is_mapped in (False, True):
        metadata, tensors = read_tensors(path, is_mapped=is_mapped)
        assert metadata["sum"] == checksum(metadata["text"], tensors)
        assert header_checksum(text, tensors) == header_checksum(text, encode.tensors)
        found = Decoder(tensors)(json.loads(metadata["text"]))
        assert found["numbers"] == VALUES["numbers"]
        assert found["nested"] == VALUES["nested"]
        assert list(map(repr, found["types"])) == list(map(repr, VALUES["types"]))
        for name in ("arrays", "texts"):
            for array, expected in zip(found[name], VALUES[name], strict=True):
                assert array.dtype == expected.dtype
                np.testing.assert_array_equal(array, expected)


def test_values_of_other_types_are_named():
    with pytest.raises(ValueError, match=r"the loss of a test cannot be saved.* is a function"):
        Encoder("a test")({"loss": [lambda: None]}, "the loss")
    for other in (str, np.str_, np.dtype(object), dict):
        with pytest.raises(ValueError, match=r"the dtype of a test cannot be saved"):
            Encoder("a test")(other, "the dtype")
    for forged in ({"!dtype": "O"}, {"!type": "str"}, {"!type": "U9"}, {"!dtype": "no"}, {"!type": [1]}):
        with pytest.raises((ValueError, TypeError)):
            Decoder({})(forged)


def test_each_tensor_is_read_once():
    encode = Encoder("a test")
    value = encode([np.ones(2)], "ones")
    with pytest.raises(ValueError, match="missing, or named twice"):
        Decoder(encode.tensors)(value * 2)


def test_checksums_see_contents_and_forms():
    ones, text = {"0": np.ones(2)}, "{}"
    assert checksum(text, ones) != checksum(text, {"0": np.array([1.0, 2.0])})
    assert header_checksum(text, ones) == header_checksum(text, {"0": np.array([1.0, 2.0])})
    assert header_checksum(text, ones) != header_checksum(text, {"0": np.ones((1, 2))})


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_types_that_numpy_does_not_have(tmp_path, kind):
    """bfloat16 is the upper half of a float32; what is narrower is refused by name."""
    values = np.array([0x3F80, 0xC049, 0x7F80, 0x0001], np.uint16)
    written = values if kind == "BF16" else values.astype(np.uint8)
    path = tmp_path / "weights"
    with path.open("wb") as file:
        write_tensors(file, {"a": written}, {"format": "pt"})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    name = b'"U16"' if kind == "BF16" else b'"U8"'
    header = content[8 : 8 + length].replace(name, f'"{kind}"'.encode())
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    if kind == "BF16":
        found = read_tensors(path, is_mapped=True)[1]["a"]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.float32([1, -3.140625, np.inf, 2.0**-133]))
    else:
        with pytest.raises(ValueError, match="tensor 'a' has the type 'F8_E4M3', which is not read"):
            read_tensors(path, is_mapped=True)
