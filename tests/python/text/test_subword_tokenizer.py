"""SubwordTokenizer: BERT's vocabulary, training, markers in texts of users, padding by length, files and pickle."""

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.text import EncodedText, PaddedTexts, SubwordTokenizer

tokenizers = pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##able", "##aff", "cat", "##s", ",", "[", "]"]
VOCABULARY += ["sep", "字", "e", "##te", "Fuß", "cls", "##e"]
TEXTS = ["the cat and the dog", "the dog and the bird", "a cat, a dog and a bird", "ein Fuß, zwei Füße"] * 3


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def bert(path):
    return SubwordTokenizer.from_vocab(path)


@pytest.fixture(params=["bpe", "wordpiece"], scope="module")
def trained(request):
    return SubwordTokenizer.train(TEXTS, kind=request.param, vocab_size=400, min_frequency=1)


# ---- BERT ------------------------------------------------------------------------------------------------------------


def wordpiece(word):
    """Greedy, longest first; a word that cannot be cut is unknown. From the paper's authors' description."""
    pieces, begin = [], 0
    while begin < len(word):
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in VOCABULARY:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        begin = end
    return pieces


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The CATS, unaffable", ["the", "cat", "##s", ",", "un", "##aff", "##able"]),
        ("été cats", ["e", "##te", "cat", "##s"]),
        ("the\t字cat\n\u200d", ["the", "字", "cat"]),
        ("thecat", ["[UNK]"]),
        ("", []),
        ("c" * 101, ["[UNK]"]),
    ],
)
def test_bert(bert, text, tokens):
    found = bert.encode(text)
    assert isinstance(found, EncodedText)
    assert found.tokens == ["[CLS]", *tokens, "[SEP]"]
    assert found.ids.tolist() == [VOCABULARY.index(token) for token in found.tokens]
    assert found.ids.dtype == found.type_ids.dtype == found.offsets.dtype == np.int64
    assert found.type_ids.tolist() == [0] * len(found)
    assert found.special_tokens_mask.tolist() == [True, *[False] * len(tokens), True]
    assert bert.encode(text, add_special_tokens=False).tokens == tokens


@settings(deadline=None, max_examples=50)
@given(words=st.lists(st.text("unaffablects", min_size=1, max_size=12), max_size=6))
def test_pieces_of_words(words, tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(VOCABULARY), encoding="utf-8")
    found = SubwordTokenizer.from_vocab(path).encode(" ".join(words), add_special_tokens=False)
    assert found.tokens == [piece for word in words for piece in wordpiece(word)]


def test_upper_case_and_accents(path):
    cased = SubwordTokenizer.from_vocab(path, lowercase=False)
    assert cased.encode("Fuß Cat été").tokens == ["[CLS]", "Fuß", "[UNK]", "[UNK]", "[SEP]"]
    stripped = SubwordTokenizer.from_vocab(path, lowercase=False, strip_accents=True)
    assert stripped.encode("été").tokens == ["[CLS]", "e", "##te", "[SEP]"]


def test_offsets_are_places_in_the_text(bert):
    text = "The été, CATS"
    found = bert.encode(text, add_special_tokens=False)
    assert [text[begin:end] for begin, end in found.offsets] == ["The", "é", "té", ",", "CAT", "S"]


def test_pairs(bert):
    found = bert.encode("the cat", "cats")
    assert found.tokens == ["[CLS]", "the", "cat", "[SEP]", "cat", "##s", "[SEP]"]
    assert found.type_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert found.offsets.tolist() == [[0, 0], [0, 3], [4, 7], [0, 0], [0, 3], [3, 4], [0, 0]]
    (batch,) = bert.encode_batch(["the cat"], ["cats"])
    assert batch.tokens == found.tokens


def test_what_is_no_vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    for lines, message in (
        (["a", "b"], r"is no vocabulary of BERT: it has no \[UNK\] and no \[CLS\] and no \[SEP\]"),
        (["[UNK]", "[CLS]"], r"it has no \[SEP\]"),
        (["[UNK]", "[CLS]", "[SEP]", "a", "a"], "must hold each token once, got 'a' twice"),
    ):
        path.write_text("\n".join(lines))
        with pytest.raises(ValueError, match=message):
            SubwordTokenizer.from_vocab(path)
    path.write_bytes(b"[UNK]\n\xff")
    with pytest.raises(ValueError, match="is not UTF-8"):
        SubwordTokenizer.from_vocab(path)
    with pytest.raises(FileNotFoundError):
        SubwordTokenizer.from_vocab(tmp_path / "nothing")


# ---- markers ---------------------------------------------------------------------------------------------------------


def test_markers_in_texts_are_text_unless_asked_for(bert, trained):
    text = "the [SEP] cat [CLS]"
    assert bert.encode(text).tokens == ["[CLS]", "the", "[", "sep", "]", "cat", "[", "cls", "]", "[SEP]"]
    assert bert.encode(text, markers=True).tokens == ["[CLS]", "the", "[SEP]", "cat", "[CLS]", "[SEP]"]
    assert bert.encode(text).tokens[2] == "["  # the call before has left nothing
    for number in (trained.token_to_id("[SEP]"), trained.token_to_id("[CLS]")):
        assert (trained.encode(text).ids == number).sum() == 1
        assert (trained.encode(text, markers=True).ids == number).sum() == 2
        assert (pickle.loads(pickle.dumps(trained)).encode(text).ids == number).sum() == 1


def test_markers_of_users(bert):
    n = bert.vocab_size
    assert bert.add_special_tokens(["<de>", "<fr>", "[SEP]"]) == 2
    assert bert.vocab_size == n + 2
    assert bert.token_to_id("<fr>") == n + 1
    assert bert.id_to_token(n) == "<de>"
    assert bert.encode("the <de> cat", markers=True).tokens == ["[CLS]", "the", "<de>", "cat", "[SEP]"]
    assert "<de>" not in bert.encode("the <de> cat").tokens
    assert bert.decode([n, VOCABULARY.index("cat")]) == "cat"
    assert bert.decode([n, VOCABULARY.index("cat")], skip_special_tokens=False) == "<de> cat"
    for wrong in ("<de>", [3]):
        with pytest.raises(TypeError, match="tokens of add_special_tokens must be a list of str"):
            bert.add_special_tokens(wrong)


# ---- truncation and padding ------------------------------------------------------------------------------------------


def test_nothing_in_a_file_is_obeyed_silently(path, tmp_path):
    tokenizer = tokenizers.Tokenizer.from_str(SubwordTokenizer.from_vocab(path)._json())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9, pad_id=5, pad_token="the")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for found in (SubwordTokenizer.from_file(tmp_path / "tokenizer.json"), SubwordTokenizer(tokenizer)):
        assert found.encode("the cats").tokens == ["[CLS]", "the", "cat", "##s", "[SEP]"]
        assert found.pad_token == "the"  # its name alone is taken from there
    assert tokenizer.truncation["max_length"] == 3  # of others: stays as it is


def test_truncation(bert):
    assert bert.encode("the cats , the", max_length=4).tokens == ["[CLS]", "the", "cat", "[SEP]"]
    assert bert.encode("the cats , the").tokens[-2] == "the"
    pair = bert.encode("the the the the the", "cats", max_length=8)
    assert pair.tokens == ["[CLS]", "the", "the", "the", "[SEP]", "cat", "##s", "[SEP]"]
    assert bert.encode("the cats", max_length=2, add_special_tokens=False).tokens == ["the", "cat"]
    with pytest.raises(ValueError, match="max_length must be > 2, the markers that are added, got 2"):
        bert.encode("the", max_length=2)
    with pytest.raises(ValueError, match="max_length must be > 3"):
        bert.encode("the", "cat", max_length=3)
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="max_length must be an int >= 1"):
            bert.encode("the", max_length=wrong)


def test_padding(bert):
    found = bert.encode_batch(["the cats", "", "cat"], ["the", "", "cats"], pad=True)
    assert isinstance(found, PaddedTexts)
    assert found.ids.shape == found.attention_mask.shape == found.type_ids.shape == (3, 7)
    assert found.ids[1].tolist() == [2, 3, 3, 0, 0, 0, 0]
    assert found.attention_mask.sum(axis=1).tolist() == [7, 3, 6]
    assert found.type_ids[2].tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert found.rows.tolist() == [0, 1, 2]
    assert bert.encode_batch([], pad=True).ids.shape == (0, 0)
    assert bert.encode_batch([]) == []


def test_batches_of_like_length(trained):
    texts = [" ".join(["cat"] * n) for n in (5, 1, 9, 2, 9, 1, 3)]
    batches = list(trained.encode_batches(texts, batch_size=3))
    assert sorted(np.concatenate([batch.rows for batch in batches]).tolist()) == list(range(7))
    assert [len(batch.rows) for batch in batches] == [3, 3, 1]
    widths = [batch.ids.shape[1] for batch in batches]
    assert widths == sorted(widths)
    for batch in batches:
        for row, ids, mask in zip(batch.rows, batch.ids, batch.attention_mask, strict=True):
            np.testing.assert_array_equal(ids[mask], trained.encode(texts[row]).ids)
    assert list(trained.encode_batches([])) == []
    with pytest.raises(ValueError, match="batch_size of encode_batches must be an int >= 1, got 0"):
        trained.encode_batches(texts, batch_size=0)


def test_without_a_token_to_fill_up_with(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[UNK]\n[CLS]\n[SEP]\ncat")
    tokenizer = SubwordTokenizer.from_vocab(path)
    assert tokenizer.pad_token is None
    with pytest.raises(ValueError, match=r"no token to fill up rows with, such as \[PAD\]: add_special_tokens"):
        tokenizer.encode_batch(["cat"], pad=True)
    tokenizer.add_special_tokens(["[PAD]"])
    assert tokenizer.encode_batch(["cat cat", "cat"], pad=True).ids.tolist() == [[1, 3, 3, 2], [1, 3, 2, 4]]


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ein Fuß, zwei Füße", "  spaces\tand\n", "字典 \U0001f600 é\u0301", "", "[SEP] <s>"])
def test_bytes_come_back(text):
    tokenizer = SubwordTokenizer.train(TEXTS, kind="bpe", vocab_size=300)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_training(trained):
    for number, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")):
        assert trained.token_to_id(token) == number
    assert trained.vocab_size <= 400
    assert trained.pad_token == "[PAD]"
    found = trained.encode("the cat", "the dog")
    assert found.ids[[0, 3, 6]].tolist() == [2, 3, 3]  # whole words were learned
    assert trained.decode(found.ids[1:3]).split() == ["the", "cat"]
    assert "400" not in repr(SubwordTokenizer.train(iter(TEXTS), vocab_size=300, special_tokens=["<de>"]))


def test_words_that_are_read_as_unknown_are_not_learned_from():
    """To join the letters of a word takes time with the square of their number."""
    trained = SubwordTokenizer.train([*TEXTS, "q" * 20_000, "x" * 101, "y" * 100], kind="wordpiece", min_frequency=1)
    assert [trained.token_to_id(letter) is None for letter in "qxy"] == [True, True, False]
    found = trained.encode("q cat " + "x" * 101 + " " + "y" * 100)
    assert found.tokens == ["[CLS]", "[UNK]", "cat", "[UNK]", "y" * 100, "[SEP]"]
    assert SubwordTokenizer.train(["q" * 101], kind="wordpiece").vocab_size == 5


def test_training_is_the_same_again():
    first, second = (SubwordTokenizer.train(TEXTS, vocab_size=320, min_frequency=1) for _ in range(2))
    assert json.loads(first._json()) == json.loads(second._json())


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ([], {}, ValueError, "texts of train must hold one text at least, got none"),
        ("a text", {}, ValueError, "must be an iterable of texts, got one, a str"),
        (["a", 7], {}, TypeError, "text 1 of train must be a str, got a value of type 'int'"),
        (["a", None], {}, TypeError, "text 1 of train must be a str, got a value of type 'NoneType'"),
        (["a\ud800"], {}, ValueError, "text 0 of train holds half of a surrogate pair, at 1"),
        (["a"], {"kind": "unigram"}, ValueError, "kind of train must be 'bpe' or 'wordpiece', got 'unigram'"),
        (
            ["a"],
            {"vocab_size": 260},
            ValueError,
            "vocab_size of train must be >= 261, the markers and the bytes",
        ),
        (["a"], {"vocab_size": 0}, ValueError, "vocab_size of train must be an int >= 1, got 0"),
        (["a"], {"min_frequency": 0.5}, ValueError, "min_frequency of train must be an int >= 1, got 0.5"),
    ],
)
def test_what_cannot_be_trained(texts, options, error, message):
    with pytest.raises(error, match=message):
        SubwordTokenizer.train(texts, **options)


# ---- bad input -------------------------------------------------------------------------------------------------------


def test_texts_that_are_none(bert):
    for wrong, error, message in (
        (7, TypeError, "text of encode must be a str, got a value of type 'int'"),
        (None, TypeError, "text of encode must be a str, got a value of type 'NoneType'"),
        (["the"], TypeError, "text of encode must be a str, got a value of type 'list'"),
        ("the \udc00", ValueError, "text of encode holds half of a surrogate pair, at 4, which is no text"),
    ):
        with pytest.raises(error, match=message):
            bert.encode(wrong)
    with pytest.raises(TypeError, match="pair of encode must be a str"):
        bert.encode("the", 3)
    with pytest.raises(ValueError, match=r"texts of encode_batch must be an iterable of texts, got one, a str: pass a"):
        bert.encode_batch("the cat")
    with pytest.raises(TypeError, match="text 1 of texts of encode_batch must be a str"):
        bert.encode_batch(["the", np.nan])
    with pytest.raises(ValueError, match="there must be as many pairs as texts, got 1 and 2"):
        bert.encode_batch(["the", "cat"], ["the"])


def test_numbers_that_are_none(bert):
    n = bert.vocab_size
    assert bert.decode([]) == ""
    assert bert.decode(np.array([5, 9], dtype=np.int32)) == "the cat"
    for wrong in ([n], [-1], [2**40]):
        with pytest.raises(ValueError, match=rf"ids of decode must be from 0 to {n - 1}, got"):
            bert.decode(wrong)
    for wrong in ([[1, 2]], [1.5], 3):
        with pytest.raises(ValueError, match="ids of decode must be an array of int of one axis"):
            bert.decode(wrong)
    assert bert.id_to_token(n) is None
    assert bert.id_to_token(-1) is None
    assert bert.token_to_id("no such token") is None


def test_what_is_no_tokenizer(tmp_path):
    with pytest.raises(TypeError, match=r"must be a tokenizers\.Tokenizer, got a str"):
        SubwordTokenizer("bert")
    path = tmp_path / "tokenizer.json"
    for data in (b"", b"{}", b'{"model": 3}', b"\xff\xfe", b"[1, 2"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="holds no tokenizer"):
            SubwordTokenizer.from_file(path)
    with pytest.raises(FileNotFoundError):
        SubwordTokenizer.from_file(tmp_path / "nothing")


# ---- files, pickle, threads, the extra -------------------------------------------------------------------------------


def test_files_and_pickle(trained, tmp_path):
    trained.save(tmp_path / "tokenizer.json")
    text = "ein Hund, the cat [SEP]"
    for found in (SubwordTokenizer.from_file(tmp_path / "tokenizer.json"), pickle.loads(pickle.dumps(trained))):
        assert found.encode(text).tokens == trained.encode(text).tokens
        assert found.pad_token == trained.pad_token
        assert found.vocab_size == trained.vocab_size
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode("the cat").ids == trained.encode("the cat").ids.tolist()
    assert theirs.padding["pad_token"] == "[PAD]"
    assert theirs.truncation is None


def test_calls_in_threads_do_not_meet(bert):
    def ask(i):
        options = {"markers": i % 2 == 1, "max_length": 5 if i % 3 else None}
        return bert.encode("the [SEP] cats", **options).tokens, options

    with ThreadPoolExecutor(4) as pool:
        for tokens, options in pool.map(ask, range(200)):
            assert tokens == bert.encode("the [SEP] cats", **options).tokens


def test_without_the_package():
    program = """
import sys
sys.modules["tokenizers"] = None
from mlcore.text import CountVectorizer, SubwordTokenizer
CountVectorizer()
try:
    SubwordTokenizer.train(["a text"])
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "SubwordTokenizer needs the package 'tokenizers': pip install 'mlcore-cpp[nlp]'\n"


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_a_second_training_gives_the_same_pieces(kind):
    """Pairs that are seen equally often are many here: the package alone joins them as its hash tables fall."""
    texts = [f"{a}{b}{c} {c}{b}{a}" for a in "abcdefgh" for b in "ijklmno" for c in "pqrstuv"]
    first, *others = (SubwordTokenizer.train(texts, kind=kind, vocab_size=300) for _ in range(4))
    assert all(other.__getstate__() == first.__getstate__() for other in others)
    assert all(not token.special for token in first._tokenizer.get_added_tokens_decoder().values()
               if token.content.startswith("##"))  # fmt: skip
