"""Files of word vectors: formats, compression, damage. What the parser itself makes of bytes is tested natively."""

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import struct
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.embedding import KeyedVectors, _vector_files, keyed_vectors

WORDS = ["the", "bär", "北京", "don't", "\U0001f600", "a\u00a0b"]
VECTORS = np.array([[0.1, -2.5], [1e-30, 9e17], [0, -0.0], [1 / 3, 1e-45], [16777216, 7], [1, 2]], dtype=np.float32)


@pytest.fixture
def kv():
    return KeyedVectors(WORDS, VECTORS, [60, 50, 40, 30, 20, 0])


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def records(words, vectors, end=b""):
    return b"".join(
        word.encode() + b" " + struct.pack(f"<{len(vector)}f", *vector) + end
        for word, vector in zip(words, vectors, strict=True)
    )


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("ending", ["txt", "gz", "xz", "bz2", "GZ"])
def test_round_trip(kv, binary, ending, tmp_path):
    path = tmp_path / f"vectors.{ending}"
    kv.save_word2vec_format(path, binary=binary, fvocab=tmp_path / f"counts.{ending}")
    for n_jobs in (1, 2, None):
        loaded = KeyedVectors.load_word2vec_format(os.fspath(path), binary=binary, n_jobs=n_jobs)
        assert loaded.index_to_key == WORDS
        assert same_bits(loaded.vectors, VECTORS)
        assert loaded.counts is None
    for limit in range(1, 9):
        loaded = KeyedVectors.load_word2vec_format(
            path, binary=binary, limit=limit, fvocab=tmp_path / f"counts.{ending}"
        )
        assert loaded.index_to_key == WORDS[:limit]
        assert same_bits(loaded.vectors, VECTORS[:limit])
        assert loaded.counts.tolist() == [60, 50, 40, 30, 20, 0][:limit]
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"counts.{ending}", f"vectors.{ending}"]


def test_bytes_are_those_of_word2vec(kv, tmp_path):
    path = tmp_path / "v"
    kv.save_word2vec_format(path, binary=True, fvocab=tmp_path / "counts")
    assert path.read_bytes() == b"6 2\n" + records(WORDS, VECTORS, b"\n")
    kv.save_word2vec_format(path)
    lines = path.read_text("utf-8").split("\n")
    assert lines[:4] == ["6 2", "the 0.1 -2.5", "bär 1e-30 9e+17", "北京 0 -0"]
    assert lines[-1] == ""
    assert (tmp_path / "counts").read_text("utf-8").split("\n")[:2] == ["the 60", "bär 50"]
    with_header = path.read_bytes()
    kv.save_word2vec_format(path, write_header=False)
    assert b"6 2\n" + path.read_bytes() == with_header
    for limit in (None, 2):
        loaded = KeyedVectors.load_word2vec_format(path, no_header=True, limit=limit)
        assert loaded.index_to_key == WORDS[:limit]
        assert same_bits(loaded.vectors, VECTORS[:limit])


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_layouts_of_the_binary_format(end, tmp_path):
    path = tmp_path / "v.bin"
    path.write_bytes(b"6 2\n" + records(WORDS, VECTORS, end))
    loaded = KeyedVectors.load_word2vec_format(path, binary=True)
    assert loaded.index_to_key == WORDS
    assert same_bits(loaded.vectors, VECTORS)


def test_text_of_word2vec(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("2 3\nthe 0.500000 -0.250000 1.000000 \nof 0.1 0.2 0.3 \n")  # a space after each number
    loaded = KeyedVectors.load_word2vec_format(path)
    assert loaded.index_to_key == ["the", "of"]
    np.testing.assert_array_equal(loaded.vectors, np.float32([[0.5, -0.25, 1], [0.1, 0.2, 0.3]]))


def test_blocks_of_the_writer(monkeypatch, tmp_path):
    monkeypatch.setattr(_vector_files, "_BLOCK", 100)
    vectors = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)
    words = [f"w{i}" for i in range(1000)]
    for binary in (False, True):
        KeyedVectors(words, vectors).save_word2vec_format(tmp_path / "v", binary=binary, n_jobs=2)
        loaded = KeyedVectors.load_word2vec_format(tmp_path / "v", binary=binary)
        assert loaded.index_to_key == words
        assert same_bits(loaded.vectors, vectors)


word = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\v\f\r"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(word, min_size=1, max_size=20, unique=True), st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_word_and_any_number_comes_back(tmp_path_factory, words, size, random):
    bits = np.array([random.getrandbits(32) for _ in range(len(words) * size)], dtype=np.uint32)
    vectors = bits.view(np.float32).reshape(-1, size)
    vectors[~(np.abs(vectors) <= np.float32(1e18))] = 1.5
    kv = KeyedVectors(words, vectors)
    path = tmp_path_factory.mktemp("any") / "v"
    for binary in (False, True):
        kv.save_word2vec_format(path, binary=binary)
        loaded = KeyedVectors.load_word2vec_format(path, binary=binary)
        assert loaded.index_to_key == words
        assert same_bits(loaded.vectors, vectors)


# ---- bad input ----


@pytest.mark.parametrize("bad", ["new york", "", "a\tb", "a\n", "\rb", "a\v", "\fb"])
@pytest.mark.parametrize("binary", [False, True])
def test_words_that_no_such_file_can_hold(bad, binary, tmp_path):
    path = tmp_path / "v"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"the word '.*' (holds white space|is empty), which a file of word2vec"):
        KeyedVectors(["fine", bad], VECTORS[:2]).save_word2vec_format(path, binary=binary)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_save_leaves_the_old_file(kv, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    path = tmp_path / "v.gz"
    path.write_text("old")
    monkeypatch.setattr(_vector_files, "pack_words", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kv.save_word2vec_format(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


GOOD_TEXT = b"3 2\nthe 1 2\nof 3 4\nand 5 6\n"
GOOD_BINARY = b"3 2\n" + records(["the", "of", "and"], [[1, 2], [3, 4], [5, 6]], b"\n")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "the first line must have two numbers"),
        (b"the 1 2\nof 3 4\n", {}, r"the first line must have two numbers.*'the 1 2' \(no_header=True"),
        (b"-3 2\nthe 1 2\n", {}, "the first line must have two numbers.*'-3 2'"),
        (b"999999999999 300\nthe 1 2\n", {}, "999999999999 vectors of 300 numbers are promised, more than the 8 bytes"),
        (b"999999999999 300\nthe 1 2\n", {"binary": True}, "999999999999 vectors of 300 numbers are promised"),
        (b"3 2\nthe 1.25 2.5\nof 3.75 4.5\n", {}, "3 vectors are promised, but there are only 2"),
        (GOOD_TEXT.replace(b"3 4", b"3"), {}, "line 3 has 1 numbers after 'of', expected 2"),
        (GOOD_TEXT.replace(b"3 4", b"3 x"), {}, "line 3 has 'x' in place 2 after 'of'"),
        (GOOD_TEXT.replace(b"3 4", b"3 nan"), {}, "line 3: the vector of 'of' has NaN in place 2"),
        (GOOD_TEXT.replace(b"3 4", b"3 2e18"), {}, r"line 3: the vector of 'of' has 2e\+18 in place 2, more than 1e18"),
        (GOOD_TEXT.replace(b"of", "bär".encode()).replace(b"3 4", b"inf 4"), {}, "the vector of 'bär' has inf"),
        (GOOD_TEXT.replace(b"of", b"o\xff"), {}, "the word of vector 2 is not UTF-8 at byte 13.*errors='replace'"),
        (GOOD_BINARY[:-1], {"binary": True, "limit": 3}, None),
        (GOOD_BINARY[:-2], {"binary": True}, "the bytes end within vector 3 of 3"),
        (GOOD_BINARY + b"x", {"binary": True}, "1 bytes more than the 3 vectors"),
        (GOOD_BINARY.replace(b"of", b"\xe4f"), {"binary": True}, "the word of vector 2 is not UTF-8 at byte 17"),
        (b"1 1\nthe " + struct.pack("<f", np.nan), {"binary": True}, "the vector of 'the' has NaN in place 1"),
        (GOOD_BINARY, {}, "is truncated or damaged|has"),
        (GOOD_TEXT, {"binary": True}, "not in the binary format|promised"),
        (b"1 1\nthe " + struct.pack("<f", -1e30), {"binary": True}, r"'the' has -1e\+30 in place 1, more than 1e18"),
        (b"2 1\n\xff 1\n\xfe 2\n", {"errors": "ignore"}, "no word is left: all 2 are empty"),
        (b"", {"no_header": True}, "the first line must have a word and numbers"),
        (b"\x1f\x8b\x08\x00", {"name": "v.gz"}, "v.gz is damaged"),
        (gzip.compress(GOOD_TEXT, mtime=0)[:-9], {"name": "v.gz"}, "v.gz is damaged"),
        (gzip.compress(GOOD_TEXT, mtime=0)[:20] + b"xxxxxxx", {"name": "v.gz"}, "v.gz is damaged"),
        (bz2.compress(GOOD_TEXT)[:-9], {"name": "v.bz2"}, "v.bz2 is damaged"),
        (GOOD_TEXT, {"name": "v.bz2"}, "v.bz2 is damaged"),
        (lzma.compress(GOOD_TEXT)[:-9], {"name": "v.xz"}, "v.xz is damaged"),
        (GOOD_TEXT, {"name": "v.xz"}, "v.xz is damaged"),
    ],
)
def test_bad_files(content, options, message, tmp_path):
    options = dict(options)
    path = tmp_path / options.pop("name", "v.dat")
    path.write_bytes(content)
    if message is None:
        assert len(KeyedVectors.load_word2vec_format(path, **options)) == 3
        return
    with pytest.raises(ValueError, match=f"(?s){message}") as caught:
        KeyedVectors.load_word2vec_format(path, **options)
    assert str(path) in str(caught.value)


def test_bad_arguments(kv, tmp_path):
    path = tmp_path / "v"
    with pytest.raises(FileNotFoundError):
        KeyedVectors.load_word2vec_format(path)
    with pytest.raises(IsADirectoryError):
        KeyedVectors.load_word2vec_format(tmp_path)
    path.write_bytes(GOOD_TEXT)
    for limit, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match="limit must be"):
            KeyedVectors.load_word2vec_format(path, limit=limit)
    with pytest.raises(ValueError, match=f"limit must be at most {sys.maxsize} or None, got {2**70}"):
        KeyedVectors.load_word2vec_format(path, limit=2**70)
    for name in ("binary", "no_header"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            KeyedVectors.load_word2vec_format(path, **{name: "no"})
    for name in ("binary", "write_header"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 1"):
            kv.save_word2vec_format(path, **{name: 1})
    with pytest.raises(ValueError, match="errors must be 'strict', 'replace' or 'ignore', got 'xml'"):
        KeyedVectors.load_word2vec_format(path, errors="xml")
    with pytest.raises(ValueError, match="no_header is for text files"):
        KeyedVectors.load_word2vec_format(path, binary=True, no_header=True)
    with pytest.raises(ValueError, match="write_header=False is for text files"):
        kv.save_word2vec_format(path, binary=True, write_header=False)
    with pytest.raises(ValueError, match="there are no counts"):
        KeyedVectors(WORDS, VECTORS).save_word2vec_format(path, fvocab=tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        kv.save_word2vec_format(tmp_path / "none" / "v")
    assert path.read_bytes() == GOOD_TEXT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 3\nof 2\n", "has no line for 'and'"),
        (b"the 3\nof\n", "line 2 must be a word and a number, got b'of'"),
        (b"the x\n", "line 1 must be a word and a number"),
        (b"the -3\n", "line 1 must be a word and a number"),
        (b"the 9223372036854775808\n", "line 1 must be a word and a number"),
        (b"\xff 3\n", "line 1 must be a word and a number"),
    ],
)
def test_bad_counts(content, message, tmp_path):
    (tmp_path / "v").write_bytes(GOOD_TEXT)
    (tmp_path / "counts").write_bytes(content)
    with pytest.raises(ValueError, match=f"counts: {message}"):
        KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "counts")


def test_words_in_no_encoding_can_be_read(tmp_path):
    path = tmp_path / "v"
    path.write_bytes(b"4 1\nna\xc3 1\nfine 2\nna\xff 3\n\xfe 4\n")
    with pytest.warns(UserWarning, match="1 words that are empty or repeat an earlier one are left out"):
        loaded = KeyedVectors.load_word2vec_format(path, errors="replace")
    assert loaded.index_to_key == ["na\ufffd", "fine", "\ufffd"]
    assert loaded.vectors.tolist() == [[1], [2], [4]]
    with pytest.warns(UserWarning, match="2 words"):
        assert KeyedVectors.load_word2vec_format(path, errors="ignore").index_to_key == ["na", "fine"]
    path.write_bytes(b"2 1\nna\xc3 1\nfine 2\n")
    assert KeyedVectors.load_word2vec_format(path, errors="ignore").index_to_key == ["na", "fine"]
    (tmp_path / "counts").write_bytes(b"na\xc3 7\nna\xff 5\nfine 6\n")
    loaded = KeyedVectors.load_word2vec_format(path, errors="ignore", fvocab=tmp_path / "counts")
    assert loaded.counts.tolist() == [7, 6]


def test_texts_of_editors_that_write_marks_and_carriage_returns(tmp_path):
    path, counts = tmp_path / "v", tmp_path / "counts"
    counts.write_bytes(b"\xef\xbb\xbfthe 3\r\nof 2\r\n")
    for header in (b"", b"2 2\r\n"):
        path.write_bytes(b"\xef\xbb\xbf" + header + b"the 1 2 \r\nof 3 4 \r\n")
        loaded = KeyedVectors.load_word2vec_format(path, no_header=not header, fvocab=counts)
        assert loaded.index_to_key == ["the", "of"]
        assert loaded.vectors.tolist() == [[1, 2], [3, 4]]
        assert loaded.counts.tolist() == [3, 2]


def test_both_files_or_none_are_replaced(kv, tmp_path, monkeypatch):
    path, counts = tmp_path / "v", tmp_path / "counts.gz"
    path.write_text("old")
    counts.mkdir()
    with pytest.raises(IsADirectoryError):
        kv.save_word2vec_format(path, fvocab=counts)
    counts.rmdir()

    def fails(file, *args):
        file.write(b"half of it")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(keyed_vectors, "write_counts", fails)
        with pytest.raises(OSError, match="full"):
            kv.save_word2vec_format(path, fvocab=counts)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "link").symlink_to(path)
    for same in (path, os.fspath(path), tmp_path / "." / "v", tmp_path / "link"):
        with pytest.raises(ValueError, match=r"fvocab must be another file than path, got '.*' for both"):
            kv.save_word2vec_format(path, fvocab=same)
    assert path.read_text() == "old"


def test_links_and_permissions_stay(kv, tmp_path):
    path, link = tmp_path / "v", tmp_path / "link.gz"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    kv.save_word2vec_format(link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyedVectors.load_word2vec_format(link).index_to_key == WORDS


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(GOOD_TEXT,))
    writer.start()
    loaded = KeyedVectors.load_word2vec_format(tmp_path / "pipe")
    writer.join()
    assert loaded.index_to_key == ["the", "of", "and"]


@pytest.mark.parametrize("binary", [False, True])
def test_damaged_files_raise_value_error_or_load(kv, binary, tmp_path):
    path = tmp_path / "v"
    kv.save_word2vec_format(path, binary=binary)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    n_loaded = 0
    for trial in range(1000):
        data = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(min(8, len(data)) if trial % 3 == 0 else len(data)))
            kind = rng.integers(4)
            if kind == 0:
                data[at] = rng.integers(256)
            elif kind == 1 and len(data) > 1:
                del data[at]
            elif kind == 2:
                data[at:at] = bytes([rng.choice(list(b"0123456789 \n-.e\0\xff"))])
            elif trial % 2 == 0:
                del data[max(at, 1) :]
        path.write_bytes(data)
        with contextlib.suppress(ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            errors = ("strict", "replace", "ignore")[trial % 3]
            loaded = KeyedVectors.load_word2vec_format(path, binary=binary, errors=errors, n_jobs=1)
            assert np.isfinite(loaded.vectors).all()
            assert len(set(loaded.index_to_key)) == len(loaded)
            n_loaded += 1
    assert 20 < n_loaded < 900


@pytest.mark.parametrize(
    ("content", "options", "word", "vector"),
    [
        (b"cat 1 2 3\nat name@domain.com 4 5 6\n", {"no_header": True}, "at name@domain.com", [4, 5, 6]),
        (b". . . 4 5 6\ncat 1 2 3\n", {"no_header": True}, ". . .", [4, 5, 6]),  # the first line does not tell
        (b"3 3\narea 51 4 5 6\ncat 1 2 3\ndog 1 2 3\n", {}, "area 51", [4, 5, 6]),
        (b"2 3\ncat 1 2 3\n. . . 4 5 6\n", {}, ". . .", [4, 5, 6]),
        (b"2 3\ncat 1 2 3\n1 2 4 5 6\n", {}, "1 2", [4, 5, 6]),
        (b"2 3\ncat 1 2 3\nnew\tyork  4 5 6 \r\n", {}, "new\tyork", [4, 5, 6]),
        (b"2 3\n  4 5 6\ncat 1 2 3\n", {}, " ", [4, 5, 6]),
        (b"7 1 2 3\n8 4 5 6\n", {"no_header": True}, "8", [4, 5, 6]),  # a word that is a number
    ],
)
def test_words_with_blanks(content, options, word, vector, tmp_path):
    (tmp_path / "v").write_bytes(content)
    loaded = KeyedVectors.load_word2vec_format(tmp_path / "v", **options)
    assert loaded[word].tolist() == vector
    assert loaded.vector_size == 3


@pytest.mark.parametrize(
    "tiny", ["-3e-400", "1e-50", "-1e-99999999999999999999", f"0.{400 * '0'}1", "0e999", "0.001e-399"]
)
def test_numbers_below_the_range_are_zero(tiny, tmp_path):
    (tmp_path / "v").write_text(f"2 2\na 1 1e-50\nb 1 {tiny}\n")
    assert KeyedVectors.load_word2vec_format(tmp_path / "v")["b"].tolist() == [1, 0]


@pytest.mark.parametrize("huge", ["3e400", "-1e99999999999999999999", 400 * "1", "0.001e+400"])
def test_numbers_beyond_the_range_are_refused(huge, tmp_path):
    (tmp_path / "v").write_text(f"1 2\na 1 {huge}\n")
    with pytest.raises(ValueError, match=r"line 2 has '.*' in place 2 after 'a', which is not a number"):
        KeyedVectors.load_word2vec_format(tmp_path / "v")


@pytest.mark.parametrize("binary", [False, True])
def test_repeated_words_and_vectors_beyond_the_announced_ones(binary, tmp_path):
    words, rows = ["a", "a", "b", "c"], np.arange(8).reshape(4, 2)
    body = (
        records(words, rows, b"\n")
        if binary
        else b"".join(b"%s %d %d\n" % (w.encode(), *r) for w, r in zip(words, rows, strict=True))
    )
    (tmp_path / "v").write_bytes(b"4 2\n" + body)
    with pytest.warns(UserWarning, match="1 words that are empty or repeat an earlier one are left out"):
        loaded = KeyedVectors.load_word2vec_format(tmp_path / "v", binary=binary)
    assert loaded.index_to_key == ["a", "b", "c"]
    np.testing.assert_array_equal(loaded.vectors, [[0, 1], [4, 5], [6, 7]])
    (tmp_path / "w").write_bytes(b"1 2\n" + body)
    with pytest.warns(UserWarning, match="more vectors follow than the 1 that the first line announces"):
        loaded = KeyedVectors.load_word2vec_format(tmp_path / "w", binary=binary)
    assert loaded.index_to_key == ["a"]


def test_of_repeated_words_the_first_count_stays(tmp_path):
    (tmp_path / "v").write_bytes(GOOD_TEXT)
    (tmp_path / "counts").write_bytes(b"the 3\nof 2\nthe 4\nand 1\n")
    loaded = KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "counts")
    np.testing.assert_array_equal(loaded.counts, [3, 2, 1])
