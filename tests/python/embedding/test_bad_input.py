"""What Word2Vec makes of bad input: a clear error and no half-trained model, or a right answer."""

import gzip
import json
import os

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone

import mlcore
import mlcore._files
from mlcore import Word2Vec, _native

TEXTS = ["a b c d a", "b c a", "d a c b"] * 5


def tiny(**parameters):
    return Word2Vec(**{"vector_size": 4, "min_count": 1, "sample": 0, "n_jobs": 1, "random_state": 0} | parameters)


# ---- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vector_size": 0}, "'vector_size' parameter of Word2Vec must be an int in the range .* Got 0"),
        ({"vector_size": 10**9}, "'vector_size' parameter"),
        ({"vector_size": 2.5}, "'vector_size' parameter"),
        ({"window": 0}, "'window' parameter"),
        ({"algorithm": "sg"}, "'algorithm' parameter of Word2Vec must be a str among"),
        ({"loss": "softmax"}, "'loss' parameter"),
        ({"negative": -1}, "'negative' parameter"),
        ({"negative": 0}, 'negative of Word2Vec must be at least 1 with loss="ns", got 0'),
        ({"ns_exponent": np.nan}, "'ns_exponent' parameter"),
        ({"sample": 1.0}, "'sample' parameter .* range \\[0.0, 1.0\\)"),
        ({"sample": -1e-3}, "'sample' parameter"),
        ({"min_count": 0}, "'min_count' parameter"),
        ({"max_vocab_size": 1}, "'max_vocab_size' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"alpha": 0}, "'alpha' parameter"),
        ({"alpha": np.inf}, "'alpha' parameter"),
        ({"min_alpha": -1e-4}, "'min_alpha' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of"),
        ({"doc_weights": "max"}, "'doc_weights' parameter"),
        ({"random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        tiny(**parameters).fit(TEXTS)


def test_no_negatives_are_fine_with_a_tree():
    assert tiny(loss="hs", negative=0).fit(TEXTS).vectors_.shape == (4, 4)


# ---- corpora ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [[], [""], ["", " \t ", "\n"], [[]]])
def test_an_empty_corpus(texts):
    with pytest.raises(ValueError, match="the corpus for Word2Vec is empty"):
        tiny().fit(texts)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.txt").touch()
    with gzip.open(tmp_path / "empty.txt.gz", "w"):
        pass
    for name in ("empty.txt", "empty.txt.gz"):
        with pytest.raises(ValueError, match="the corpus for Word2Vec is empty"):
            tiny().fit(tmp_path / name)
        assert tiny().fit([tmp_path / name, write(tmp_path, b"a b a")]).words_ == ["a", "b"]


@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_too_few_frequent_words(loss):
    with pytest.raises(ValueError, match=r"no word .* min_count=16, .* 4 distinct words, the most frequent occurs 15"):
        Word2Vec(min_count=16, loss=loss).fit(["a a b c d"] + ["a"] * 13)
    with pytest.raises(ValueError, match=r"only one word .* min_count=5"):
        Word2Vec(loss=loss).fit(["a b"] + ["a"] * 13)


def test_nothing_to_learn():
    with pytest.raises(ValueError, match="learned nothing"):
        tiny().fit(["a", "b", "a"])  # no word has a neighbour
    with pytest.raises(ValueError, match=r"set sample=0 \(it is 1e-09\)"):
        tiny(sample=1e-9).fit(TEXTS)  # none is kept


def write(folder, data):
    path = folder / "text.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good words\nbad \xff\xfe word", "UTF-8"),
        (b"cut \xc3", "UTF-8"),
        ("sürrogate \ud800".encode("utf-8", "surrogatepass"), "UTF-8"),
        (b"a b\nc \0 d", "NUL"),
        ("utf-16 text".encode("utf-16"), "UTF-8|NUL"),
    ],
)
def test_bytes_that_are_no_text(packed, data, message, tmp_path):
    path = write(tmp_path, data)
    if packed:
        path = tmp_path / "text.txt.gz"
        with gzip.open(path, "w") as file:
            file.write(data)
    model = tiny().fit(TEXTS)
    with pytest.raises(ValueError, match=message) as error:
        model.fit(path)
    assert path.name in str(error.value)
    assert not hasattr(model, "vectors_")


def test_strings_that_are_no_text():
    for text, message in (("a \0 b", "NUL"), ("a \ud800 b", "surrogate|UTF-8")):
        with pytest.raises(ValueError, match=message):
            tiny().fit(["fine", text])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("no such file.txt", FileNotFoundError, "no such file.txt"),
        (b"bytes", TypeError, "bytes"),
        (7, TypeError, "int"),
        (None, TypeError, "None"),
        ((text for text in TEXTS), TypeError, "generator"),
        (iter(TEXTS), TypeError, "iterator|generator"),
        (["a b", 7], TypeError, "1.*int"),
        (["a b", None], TypeError, "1.*None"),
        (["a b", b"c d"], TypeError, "1.*bytes"),
        (["a b", ["c", 7]], TypeError, "1.*int"),
        (pd.Series(["a b", np.nan]), TypeError, "1.*float"),
        (np.zeros((3, 2)), TypeError, "float"),
    ],
)
def test_what_is_no_corpus(X, error, message):
    with pytest.raises(error, match=message):
        tiny().fit(X)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(IsADirectoryError):
        tiny().fit(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"missing\.txt\.xz"):
        tiny().fit([write(tmp_path, b"a b"), tmp_path / "missing.txt.xz"])
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(gzip.compress(b"some words " * 10_000)[:-20])
    with pytest.raises(ValueError, match=r"cut\.txt\.gz"):
        tiny().fit(cut)
    hidden = write(tmp_path, b"a b")
    hidden.chmod(0)
    if os.geteuid() != 0:  # root reads all
        with pytest.raises(PermissionError):
            tiny().fit(hidden)


def test_a_line_of_100_megabytes(tmp_path):
    """As one text, none of it lost: the last words of the file are trained."""
    line = b"one two three four " * 5_500_000
    path = write(tmp_path, line + b"five six " * 3000)
    assert path.stat().st_size > 100_000_000
    model = tiny(sample=1e-7, vector_size=2, epochs=1, n_jobs=2).fit(path)
    assert model.n_words_ == 22_006_000
    start = tiny(sample=1e-7, vector_size=2, epochs=1, n_jobs=2, alpha=1e-30, min_alpha=0).fit(path)
    assert (model.vectors_[model.words_.index("six")] != start.vectors_[model.words_.index("six")]).any()


def test_long_texts_and_words_are_used_whole(tmp_path):
    word = "w" * 200_000  # longer than a piece
    text = " ".join(["x y"] * 50_000) + f" {word} last {word} last"
    for X in ([text], [text.split()], write(tmp_path, text.encode())):
        model = tiny(epochs=1).fit(X)
        assert model.n_words_ == 100_004
        assert sorted(model.words_) == sorted(["x", "y", word, "last"])
        assert np.abs(model.context_vectors_[model.words_.index("last")]).max() > 0


def test_training_that_runs_away():
    model = tiny(alpha=1e30, epochs=20).fit  # steps beyond any measure
    with pytest.raises(ValueError, match="lower alpha, which is 1e\\+30"):
        model(TEXTS)


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_questions_that_make_no_sense():
    model = tiny().fit(TEXTS)
    with pytest.raises(KeyError, match="'unheard'"):
        model.predict_context(["a", "unheard"])
    with pytest.raises(KeyError, match="'unheard'"):
        model.keyed_vectors_["unheard"]
    with pytest.raises(TypeError, match="must be a list of words, got 'a'"):
        model.predict_context("a")
    with pytest.raises(TypeError, match="words of predict_context must be str, got 3"):
        model.predict_context(["a", 3])
    with pytest.raises(ValueError, match="at least one word"):
        model.predict_context([])
    with pytest.raises(ValueError, match="topn"):
        model.predict_context(["a"], topn=0)
    with pytest.raises(ValueError, match="at least two known words"):
        model.score(["a", "unheard b"])
    for method in (model.transform, model.score):
        for X, message in (("a b", r"\[text\]"), (b"a b", "bytes"), (["a", 7], "1.*int"), (7, "int")):
            with pytest.raises(TypeError, match=message):
                method(X)


# ---- model files -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["ns", "hs"])
def saved(request, tmp_path):
    path = tmp_path / "model.safetensors"
    mlcore.save(tiny(loss=request.param).fit(TEXTS), path)
    return path


def test_a_damaged_file(saved):
    data, model = saved.read_bytes(), mlcore.load(saved)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 40):
        broken = bytearray(data)
        broken[place] ^= 0x55
        saved.write_bytes(broken)
        try:
            back = mlcore.load(saved)
        except ValueError as error:
            assert str(saved) in str(error)  # noqa: PT017 - either this or nothing lost
        else:
            np.testing.assert_array_equal(back.vectors_, model.vectors_)
            assert back.words_ == model.words_
    for length in (0, 7, 100, len(data) - 1):
        saved.write_bytes(data[:length])
        with pytest.raises(ValueError, match="damaged"):
            mlcore.load(saved)


def forge(path, change):
    """Change the arrays by name, with a right checksum: the work of an enemy, not of chance."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["mlcore"])
    tensors = load_file(path)
    state = header["state"]
    names = {name: value["!tensor"] for name, value in state.items() if isinstance(value, dict) and "!tensor" in value}
    arrays = {name: tensors[key] for name, key in names.items()}
    change(arrays)
    tensors |= {names[name]: array for name, array in arrays.items()}
    text = json.dumps(header)
    save_file(tensors, path, {"mlcore": text, "mlcore_crc32": mlcore._files.checksum(text, tensors)})


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update(vectors_=a["vectors_"][:-1]),
        lambda a: a.update(vectors_=a["vectors_"].ravel()),
        lambda a: a.update(vectors_=a["vectors_"].astype(np.float64)),
        lambda a: a.update(context_vectors_=a["context_vectors_"][:1]),
        lambda a: a.update(context_vectors_=a["context_vectors_"][:, :2].copy()),
        lambda a: a.update(word_counts_=-a["word_counts_"]),
        lambda a: a.update(word_counts_=a["word_counts_"][:1]),
    ],
)
def test_a_forged_file(saved, change):
    forge(saved, change)
    with pytest.raises(ValueError, match="does not hold a valid Word2Vec"):
        mlcore.load(saved)


@pytest.mark.parametrize("links", [[0, 0, 0], [4, 2, -1], [-1, -1, -1], [2, 5, -1], [100, 3, -1], [-7, 3, -1]])
def test_a_forged_tree(tmp_path, links):
    path = tmp_path / "model.safetensors"
    mlcore.save(tiny(loss="hs").fit(TEXTS), path)
    forge(path, lambda arrays: arrays.update(tree_inner_=np.array(links, dtype=np.int32)))
    with pytest.raises(ValueError, match="does not hold a valid Word2Vec: damaged tree"):
        mlcore.load(path)


def test_a_cycle_beside_the_tree():
    """Each node has two children and there is one root; but nodes 0 and 1 hang below each other."""
    leaves, inner = np.array([1, 3, 4, 5], dtype=np.int32), np.array([2, 0, -1], dtype=np.int32)
    with pytest.raises(ValueError, match="cycle"):
        _native.core.embedding.check_tree(leaves, inner)


def test_vectors_with_nan_in_a_file_do_no_harm(saved):
    def change(arrays):
        arrays["vectors_"] = np.full_like(arrays["vectors_"], np.nan)

    forge(saved, change)
    try:
        model = mlcore.load(saved)
    except ValueError:
        return
    assert np.isnan(model.transform(["a b"])).all()


def test_clone_of_a_bad_one_is_as_bad():
    with pytest.raises(ValueError, match="'window' parameter"):
        clone(tiny(window=-1)).fit(TEXTS)


@pytest.mark.parametrize(
    "parameter", [{"ns_exponent": float("nan")}, {"algorithm": "bag"}, {"doc_weights": "sum"}, {"window": -1}]
)
def test_parameters_set_after_fit_are_checked(parameter):
    model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=1).fit(["a b c"]).set_params(**parameter)
    for use in (model.transform, model.score, model.predict_context):
        with pytest.raises(ValueError, match=f"'{next(iter(parameter))}' parameter of Word2Vec"):
            use(["a b"])


def test_predict_context_wants_a_whole_number_of_words():
    model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=1).fit(["a b c"])
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        model.predict_context(["a"], topn=1.5)


def test_the_core_survives_misuse():
    core = _native.core.embedding
    table = core.WordTable()
    ids, lengths = table.add_texts(["a b c a b c"], 0)
    corpus, vocabulary = core.IdCorpus(ids, np.cumsum(lengths), table), core.Vocabulary.build(table, 1, 0)
    with pytest.raises(TypeError):
        corpus.set_vocabulary(None)
    with pytest.raises(TypeError):
        core.TextStream(None, "file")
    with pytest.raises(TypeError):
        core.IdCorpus(ids, np.cumsum(lengths), None)
    with pytest.raises(TypeError):
        core.count_phrases(corpus, None, np.zeros(3, np.uint8), 1, 10, 1)
    with pytest.raises(TypeError, match="words must be a list of str"):
        core.PhraseFinder([10**18, "b"], np.zeros(2, np.uint8), np.zeros(0, np.int32), np.zeros(1, np.int64), [])
    corpus.set_vocabulary(vocabulary)
    ids[:] = 2**31 - 1
    with pytest.raises(RuntimeError, match="ids have changed"):
        corpus.read(0)
