"""Every way to hand over a corpus gives the same words, and a bad one gives a clear error."""

import bz2
import gzip
import io
import lzma
import os
import stat
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlcore._native import core
from mlcore.embedding import _corpus, _files
from mlcore.embedding._corpus import open_corpus

LINES = [
    "the quick brown fox jumps over the lazy dog",
    "",
    "naïve café über 東京 \U0001f600 the the",
    "  two  spaces\tand\x0btabs \x0c\r",
    "a_word_that_is_rather_long_for_a_word",
    "\u00a0 is no ASCII whitespace",
]


def opened(X, n_jobs=2):
    return open_corpus(X, n_jobs=n_jobs, who="Test")


def texts_of(corpus):
    """Texts as lists of words, put together from the pieces, with a vocabulary of all words."""
    vocabulary = core.embedding.Vocabulary.build(corpus.table, 1, 0)
    words = vocabulary.words()
    corpus.core.set_vocabulary(vocabulary)
    texts = []
    for piece in range(corpus.core.n_pieces):
        ids, ends, continues = corpus.core.read(piece)
        for k, text in enumerate(np.split(ids, ends[:-1])):
            if k == 0 and continues:
                texts[-1] += [words[i] for i in text]
            elif len(text):
                texts.append([words[i] for i in text])
    return texts


def summary(corpus):
    """All that a trainer can see, but for the borders of pieces."""
    table = corpus.table
    return table.words(), table.counts().tolist(), corpus.core.n_tokens, corpus.core.n_texts, texts_of(corpus)


def ascii_split(line):
    return line.encode().split()


@pytest.fixture(scope="module")
def lines():
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" * (1 + i % 5) for i in range(2000)] + ["é" * 9, "東京"])
    chosen = words[np.minimum(rng.zipf(1.3, 120_000), len(words)) - 1]
    ends = np.sort(rng.integers(0, len(chosen), 3000))
    return LINES + [" ".join(text) for text in np.split(chosen, ends)]


@pytest.fixture(scope="module")
def files(lines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    data = "\n".join(lines).encode()
    plain = folder / "text.txt"
    plain.write_bytes(data)
    (folder / "text.txt.gz").write_bytes(gzip.compress(data))
    (folder / "text.txt.xz").write_bytes(lzma.compress(data))
    (folder / "text.BZ2").write_bytes(bz2.compress(data))
    return folder


def test_words_counts_and_texts_are_those_of_python(files, lines):
    words, counts, n_tokens, n_texts, texts = summary(opened(files / "text.txt"))
    expected = [[word.decode() for word in ascii_split(line)] for line in lines]
    expected = [text for text in expected if text]
    counter = Counter(word for text in expected for word in text)
    assert words == list(counter)  # in the order of their first appearance
    assert counts == list(counter.values())
    assert (n_tokens, n_texts) == (counter.total(), len(expected))
    assert texts == expected


def test_all_ways_give_the_same(files, lines):
    tokens = [[word.decode() for word in ascii_split(line)] for line in lines]
    plain = files / "text.txt"
    halves = files / "first.txt", files / "second.txt"
    halves[0].write_text("\n".join(lines[:1000]), encoding="utf-8")
    halves[1].write_text("\n".join(lines[1000:]) + "\n\n", encoding="utf-8")
    expected = summary(opened(plain, n_jobs=1))
    assert expected[2] > 120_000
    for way in (
        plain,
        str(plain),
        files / "text.txt.gz",
        files / "text.txt.xz",
        str(files / "text.BZ2"),
        [plain],
        list(halves),
        tuple(halves),
        lines,
        tuple(lines),
        np.array(lines),
        np.array(lines, dtype=object),
        pd.Series(lines),
        pl.Series(lines),
        tokens,
        [tuple(text) for text in tokens],
        [np.array(text, dtype=str) for text in tokens],
        pl.Series(tokens),
        pd.Series(tokens),
    ):
        assert summary(opened(way, n_jobs=3)) == expected, type(way)


def test_many_files_are_spooled(files, lines, monkeypatch):
    monkeypatch.setattr(_corpus, "_MOST_MAPPED", 1)
    corpus = opened([files / "text.txt", files / "text.txt"])
    assert isinstance(corpus.core, core.embedding.IdCorpus)
    assert summary(corpus) == summary(opened([*lines, *lines]))


def test_small_blocks_and_batches_change_nothing(files, lines, monkeypatch):
    expected = summary(opened(files / "text.txt"))
    monkeypatch.setattr(_files, "_BLOCK", 777)
    monkeypatch.setattr(_corpus, "_BATCH", 777)
    assert summary(opened(files / "text.txt.gz")) == expected
    assert summary(opened(lines)) == expected
    assert [line.encode() for line in _files.Lines([files / "text.txt"])] == "\n".join(lines).encode().split(b"\n")


def test_words_of_lists_are_taken_as_they_are():
    texts = [["new york", "", "a\tb"], [], ["new york"]]
    words, counts, n_tokens, n_texts, back = summary(opened(texts))
    assert words == ["new york", "", "a\tb"]
    assert counts == [2, 1, 1]
    assert (n_tokens, n_texts) == (4, 2)
    assert back == [texts[0], texts[2]]


def test_a_corpus_outlives_what_it_was_made_of(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("some words\n" * 50_000)
    corpus = opened(path)
    path.unlink()
    assert len(texts_of(corpus)) == 50_000
    texts = ["some words"] * 1000
    corpus = opened(texts)
    texts.clear()
    assert len(texts_of(corpus)) == 1000


def test_a_pipe_is_read_once_and_spooled(tmp_path, lines):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("\n".join(lines), encoding="utf-8"))
    writer.start()
    corpus = opened(pipe)
    writer.join()
    assert summary(corpus) == summary(opened(lines))


@pytest.mark.parametrize("X", [[], [""], ["", " \n"], [[]], np.array([], dtype=str)])
def test_a_corpus_without_words(X):
    corpus = opened(X)
    assert len(corpus.table) == corpus.core.n_tokens == corpus.core.n_texts == 0


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \t\r\n"])
def test_a_file_without_words(content, tmp_path):
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt.xz").write_bytes(lzma.compress(content))
    for X in (tmp_path / "a.txt", tmp_path / "b.txt.xz", [tmp_path / "a.txt", tmp_path / "b.txt.xz"]):
        assert len(opened(X).table) == 0


def test_a_path_that_is_not_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("a b")
    assert texts_of(opened(path)) == [["a", "b"]]
    path.write_bytes(b"a \xff")
    with pytest.raises(ValueError, match=r"caf\?\.txt: not UTF-8: 0xFF at byte 2"):
        opened(path)


def test_files_without_a_size_are_read():
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("there is no /proc here")
    assert len(texts_of(opened("/proc/cpuinfo"))) > 1


def test_a_list_of_names_of_files_is_no_list_of_texts(tmp_path):
    names = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    Path(names[0]).write_text("a b")
    assert texts_of(opened(names)) == [[name] for name in names]  # one of them is no file
    Path(names[1]).write_text("c d")
    with pytest.raises(ValueError, match=r"pass pathlib\.Path objects"):
        opened(names)


def test_line_ends_and_byte_order_mark(tmp_path):
    path, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    for content in (b"\xef\xbb\xbfa b\r\nc\r\n", b"a b\nc", b"\xef\xbb\xbfa b\nc\n\n"):
        path.write_bytes(content)
        packed.write_bytes(gzip.compress(content))
        for way in (path, packed):
            assert texts_of(opened(way)) == [["a", "b"], ["c"]]
        assert [text.split() for text in _files.Lines([path]) if text] == [["a", "b"], ["c"]]


# ---- bad input ----


def test_what_cannot_be_read_again_is_refused():
    for X in ((text for text in ["a b"]), iter(["a b"]), map(str, ["a b"])):
        with pytest.raises(TypeError, match="can be read only once: pass a list"):
            opened(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (b"text.txt", "got bytes: decode it first"),
        (bytearray(b"a"), "got bytearray"),
        (7, "got a value of type 'int'"),
        (None, "got a value of type 'NoneType'"),
        (np.array("a"), "got a value of type 'ndarray'"),
        ({"a": 1}, "got a dict"),
        ({"a b", "c"}, "got a set, which has no order"),
        (frozenset(["a"]), "which has no order"),
        (pd.DataFrame({"text": ["a"]}), "got a DataFrame: pass its column of texts"),
        (pl.DataFrame({"text": ["a"]}), "got a DataFrame: pass its column of texts"),
        (["a", 7], "text 1 must be a str or a list of str, got a value of type 'int'"),
        (["a", None], "text 1 must be a str or a list of str, got a value of type 'NoneType'"),
        (["a", float("nan")], "text 1 must be"),
        (pd.Series(["a", None]), "text 1 must be"),
        (["a"] * 1500 + [b"b"], "text 1500 must be a str or a list of str, got a value of type 'bytes'"),
        ([["a"], ["b", 3]], "word 1 of text 1 must be a str, got a value of type 'int'"),
        ([["a"], [["b"]]], "word 0 of text 1 must be a str, got a value of type 'list'"),
        (np.ones((2, 3)), "word 0 of text 0 must be a str, got a value of type 'float'"),
        ([Path("a.txt"), "b.txt"], "text 0 must be a str or a list of str, got a value of type 'PosixPath'"),
    ],
)
def test_what_is_no_corpus_is_refused(X, message):
    with pytest.raises(TypeError, match=message):
        opened(X)


@pytest.mark.parametrize("X", ["no such file.txt", "a text, by mistake " * 100, "", "a\0b", "/dev/null/x"])
def test_a_str_is_a_path(X):
    with pytest.raises(FileNotFoundError, match=r"A str as X of Test is a path; to use it as a text, pass .* \[text\]"):
        opened(X)


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.txt"):
        opened(tmp_path / "missing.txt")
    with pytest.raises(FileNotFoundError, match=r"missing\.txt\.gz"):
        opened([tmp_path / "missing.txt.gz"])
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        opened(tmp_path)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        opened(str(tmp_path))
    secret = tmp_path / "secret.txt"
    secret.write_text("a")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(PermissionError, match=r"secret\.txt"):
        opened(secret)
    secret.chmod(stat.S_IRUSR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\nna\xefve", r"not UTF-8: 0xEF at byte 6; convert it"),
        (b"a\0b", r"NUL at byte 1; a text has none"),
        ("wide text".encode("utf-16"), r"not UTF-8: 0xFF at byte 0"),
        ("wide text".encode("utf-16-le"), r"NUL at byte 1.*UTF-16"),
        (b"x " * 100_000 + b"\xc3\xa9 \xc3", r"not UTF-8: 0xC3 at byte 200003"),
        (b"\xef\xbb\xbfa \xff", r"not UTF-8: 0xFF at byte 5"),
    ],
)
def test_bad_bytes_are_located(content, message, tmp_path):
    path, packed = tmp_path / "bad.txt", tmp_path / "bad.txt.gz"
    path.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for way in (path, packed, str(path), [path]):
        with pytest.raises(ValueError, match=rf"bad\.txt(\.gz)?: {message}"):
            opened(way)


def test_bad_characters_in_python_texts_are_located():
    with pytest.raises(ValueError, match="text 3: NUL at byte 2"):
        opened(["a", "b", "c", "é\0"])
    with pytest.raises(ValueError, match="text 1: NUL"):
        opened([["a"], ["b", "c\0"]])
    for X in (["a", "b \ud800"], [["a"], ["\udfff"]]):
        with pytest.raises(ValueError, match="text 1: holds half of a surrogate pair"):
            opened(X)


def test_lines_of_bad_files_are_located(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"ab\ncd\xff")
    with pytest.raises(ValueError, match=r"bad\.txt: not UTF-8: 0xFF at byte 5"):
        list(_files.Lines([path]))


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)])
def test_damaged_archives(ending, pack, tmp_path):
    data = pack(os.urandom(5000).hex().encode())
    path = tmp_path / f"text.txt.{ending}"
    damaged = [data[:n] for n in (1, 10, len(data) // 2, len(data) - 1)]
    damaged += [b"this is no archive", data[:100] + b"\0\xff\0\xff" + data[104:], data[:-6] + b"abcdef"]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"text\.txt\.{ending} is damaged: "):
            opened(path)


def test_no_room_for_the_temporary_file(monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_corpus.tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(OSError, match="No space left") as caught:
        opened(["a b"])
    assert "TMPDIR" in caught.value.__notes__[0]


# ---- the core's own checks ----


def test_vocabulary_of_the_core():
    vocabulary = core.embedding.Vocabulary(["b", "a", "é"], np.array([3, 5, 1]))
    assert vocabulary.words() == ["b", "a", "é"]
    assert vocabulary.counts().tolist() == [3, 5, 1]
    assert [vocabulary.id(word) for word in ("b", "a", "é", "", "c", "\ud800")] == [0, 1, 2, -1, -1, -1]
    assert vocabulary.ids(["a", "x", "é"]).tolist() == [1, -1, 2]
    ids, indptr = vocabulary.encode(["a x b", "", ["é", "b c", "b"], ("a",)], 0)
    assert ids.tolist() == [1, 0, 2, 0, 1]
    assert indptr.tolist() == [0, 2, 2, 4, 5]
    with pytest.raises(TypeError, match="text 11 must be a str or a list of str"):
        vocabulary.encode(["a", 3], 10)
    with pytest.raises(ValueError, match="words must be distinct, but 'a' is both word 0 and word 2"):
        core.embedding.Vocabulary(["a", "b", "a"], np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="must not be negative"):
        core.embedding.Vocabulary(["a"], np.array([-1]))
    with pytest.raises(ValueError, match="1-D array of int64 with 2 entries"):
        core.embedding.Vocabulary(["a", "b"], np.array([1]))
    with pytest.raises(TypeError, match="word 1 must be a str"):
        core.embedding.Vocabulary(["a", 2], np.array([1, 1]))


def test_vocabulary_is_cut_the_same_way_each_time(run_python):
    code = """
import numpy as np
from mlcore._native import core
table = core.embedding.WordTable()
table.add_texts([" ".join(sorted({f"word{i % 700}" for i in range(5000)}, key=hash)) + " twice twice"], 0)
print(core.embedding.Vocabulary.build(table, 1, 100).words())
"""
    outputs = {run_python(code, env={"PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")}
    assert len(outputs) == 1
    assert outputs.pop().startswith("['twice', 'word0', 'word1', 'word10', 'word100'")


def test_pieces_of_the_core_are_checked(tmp_path):
    corpus = opened(["a b"])
    with pytest.raises(ValueError, match="there is no piece 1"):
        corpus.core.read(1)
    with pytest.raises(ValueError, match="none of the 2 words"):
        core.embedding.IdCorpus(np.array([0, 2], np.int32), np.array([2], np.int64), corpus.table)


# ---- size ----


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"x" * 100_000_000, b"word " * 20_000_000], ids=["one word", "one line"])
def test_a_line_of_100_megabytes(line, tmp_path):
    path, packed = tmp_path / "long.txt", tmp_path / "long.txt.gz"
    path.write_bytes(b"a b\n" + line + b"\nc")
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    results = []
    for way in (path, packed, ["a b", line.decode(), "c"]):
        corpus = opened(way)
        results.append((corpus.table.words(), corpus.table.counts().tolist(), corpus.core.n_texts))
    assert results[0] == results[1] == results[2]
    assert results[0][2] == 3


@pytest.mark.slow
def test_memory_holds_the_words_and_not_the_corpus(tmp_path, run_python):
    path = tmp_path / "text.txt"
    path.write_bytes(b"some few words of a short text that comes again and again\n" * 5_000_000)
    code = """
import resource
from mlcore.embedding._corpus import open_corpus
from mlcore.embedding._files import Lines
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
texts = Lines([Path(PATH)])
corpus = open_corpus(texts, n_jobs=2, who="Test")
print(corpus.core.n_tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    result = run_python(f"PATH = {str(path)!r}\n" + code)
    n_tokens, kilobytes = map(int, result.stdout.split())
    assert n_tokens == 60_000_000  # 240 MB of numbers, 290 MB of text
    assert kilobytes < 60_000, result.stderr
