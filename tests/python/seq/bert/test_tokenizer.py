"""BertTokenizer: files of Hugging Face, markers, cutting, places of tokens, odd characters; beside transformers."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.seq.bert import BertTokenizer
from mlcore.seq.bert.tokens._pieces import longest_first
from mlcore.text import SubwordTokenizer

tokenizers = pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "un", "##able", "##aff", "cat", "##s", ",", "[", "]"]
VOCABULARY += ["sep", "字", "e", "##te", "here", "x", "cls", "##e", "eta", "##t", "##a"]


def write_vocabulary(folder):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_vocabulary(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def tokenizer(folder):
    return BertTokenizer.from_pretrained(folder)


def tokens_of(tokenizer, *args, **options):
    """Return the tokens of each text."""
    batch = tokenizer.encode(*args, **options).batch
    ends = zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
    return [tokenizer.tokens(batch.ids[begin:end]) for begin, end in ends]


# ---- tokens and markers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \t\n", []),
        ("The unaffable cats", ["the", "un", "##aff", "##able", "cat", "##s"]),
        ("here[SEP]x", ["here", "[", "sep", "]", "x"]),
        ("[CLS]", ["[", "cls", "]"]),
        ("the\0cat", ["[UNK]"]),  # NUL vanishes, and leaves one word
        ("c\0at\u200b \ufffdthe\u00ad", ["cat", "the"]),
        ("the\u00a0cat\u2028the", ["the", "cat", "the"]),
        ("cat字the", ["cat", "字", "the"]),
        ("Éte", ["e", "##te"]),
        ("cat" + "s" * 97, ["cat"] + ["##s"] * 97),
        ("cat" + "s" * 98, ["[UNK]"]),
        ("zzz ☃", ["[UNK]", "[UNK]"]),
    ],
)
def test_tokens(tokenizer, text, tokens):
    assert tokens_of(tokenizer, [text]) == [["[CLS]", *tokens, "[SEP]"]]


def test_pairs(tokenizer):
    encoding = tokenizer.encode(["the cat", ""], ["here", "x x"], keep=["words", "spans"])
    markers = ["[CLS]", "[SEP]"]
    expected = ["[CLS]", "the", "cat", "[SEP]", "here", "[SEP]", *markers, "x", "x", "[SEP]"]
    assert tokenizer.tokens(encoding.batch.ids) == expected
    assert encoding.batch.types.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1]
    assert encoding.batch.offsets.tolist() == [0, 6, 11]
    assert encoding.words.tolist() == [-1, 0, 1, -1, 0, -1, -1, -1, 0, 1, -1]
    assert encoding.spans[:6].tolist() == [[0, 0], [0, 3], [4, 7], [0, 0], [0, 4], [0, 0]]
    assert encoding.spans[6:].tolist() == [[0, 0], [0, 0], [0, 1], [2, 3], [0, 0]]
    assert not encoding.is_cut.any()
    for values in (*encoding.batch, encoding.words, encoding.spans):
        assert values.dtype == np.int64


def test_markers_in_texts_are_text_unless_asked_for(tokenizer):
    text = "here[SEP]x [MASK]"
    assert tokenizer.sep not in tokenizer.encode([text]).batch.ids[1:-1]
    encoding = tokenizer.encode([text], special_tokens=True, keep=["words", "spans"])
    assert tokenizer.tokens(encoding.batch.ids)[1:-1] == ["here", "[SEP]", "x", "[MASK]"]
    assert encoding.spans[1:-1].tolist() == [[0, 4], [4, 9], [9, 10], [11, 17]]
    assert (np.diff(encoding.words[1:-1]) > 0).all()
    assert tokenizer.sep not in tokenizer.encode([text]).batch.ids[1:-1]  # the former call has left nothing


def test_spans_are_characters_of_the_original(tokenizer):
    text = "  \0Éte\u00a0the字, un\u0301affable"
    encoding = tokenizer.encode([text], keep=["spans"])
    assert tokenizer.tokens(encoding.batch.ids)[1:-1] == ["e", "##te", "the", "字", ",", "un", "##aff", "##able"]
    parts = [text[begin:end] for begin, end in encoding.spans[1:-1].tolist()]
    assert parts == ["É", "te", "the", "字", ",", "un", "aff", "able"]


def test_ids_and_length_of_a_vocabulary(tokenizer):
    assert (tokenizer.pad, tokenizer.unknown, tokenizer.cls, tokenizer.sep, tokenizer.mask) == (0, 1, 2, 3, 4)
    assert len(tokenizer) == len(VOCABULARY)
    assert tokenizer.tokens([5, 10**6, -1]) == ["the", "", ""]
    assert tokenizer.decode([2, 6, 8, 7, 3]) == "unaffable"


def test_words_that_are_split_already(tokenizer):
    words = [["unaffable", "\u200b", "cat,the", "zzz"], [], ["here[SEP]x"]]
    encoding = tokenizer.encode_words(words, keep=["words", "spans"])
    tokens = ["[CLS]", "un", "##aff", "##able", "cat", ",", "the", "[UNK]", "[SEP]", "[CLS]", "[SEP]", "[CLS]"]
    assert tokenizer.tokens(encoding.batch.ids) == [*tokens, "here", "[", "sep", "]", "x", "[SEP]"]
    assert encoding.batch.offsets.tolist() == [0, 9, 11, 18]
    assert encoding.words.tolist() == [-1, 0, 0, 0, 2, 2, 2, 3, -1, -1, -1, -1, 0, 0, 0, 0, 0, -1]
    assert encoding.spans[1:8].tolist() == [[0, 2], [2, 5], [5, 9], [0, 3], [3, 4], [4, 7], [0, 3]]
    with pytest.raises(TypeError, match="lists of str, got numbers"):
        tokenizer.encode_words([[1, 2]])
    with pytest.raises(TypeError, match="texts need a tokenizer"):
        tokenizer.encode_words(["the cat"])


# ---- cutting ---------------------------------------------------------------------------------------------------------


def cut_pair(first, second, room):
    """One piece after the other from the longer text; of texts of one length from that which was shorter."""
    n, m = first, second
    while n + m > room:
        if n > m or (n == m and first <= second):
            n -= 1
        else:
            m -= 1
    return n, m


def test_the_longer_text_of_a_pair_is_cut():
    first, second = (values.ravel() for values in np.meshgrid(np.arange(9), np.arange(9)))
    for room in range(1, 18):
        found = longest_first(first, second, room)
        expected = [cut_pair(n, m, room) for n, m in zip(first, second, strict=True)]
        assert np.transpose(found).tolist() == [list(pair) for pair in expected], room


def test_long_texts_are_cut_with_one_warning(tokenizer):
    texts = ["the cat, the cat", "x", "the the the the the"]
    with pytest.warns(UserWarning, match=r"2 of 3 texts are longer than max_length=5 tokens") as found:
        encoding = tokenizer.encode(texts, max_length=5, keep=["words", "spans"])
    assert len(found) == 1
    assert encoding.is_cut.tolist() == [True, False, True]
    whole = tokenizer.encode(texts, keep=["words", "spans"])
    assert encoding.batch.lengths.tolist() == [5, 3, 5]
    for b in range(3):
        begin, end = encoding.batch.offsets[b], encoding.batch.offsets[b + 1] - 1
        start = whole.batch.offsets[b]
        for short, long in zip(
            (encoding.batch.ids, encoding.words, encoding.spans),
            (whole.batch.ids, whole.words, whole.spans),
            strict=True,
        ):
            assert np.array_equal(short[begin:end], long[start : start + end - begin])
        assert encoding.batch.ids[end] == tokenizer.sep
    with pytest.warns(UserWarning, match="1 of 1 pairs of texts"):
        cut = tokens_of(tokenizer, ["the the the the"], ["x x x"], max_length=8)
    assert cut == [["[CLS]", "the", "the", "the", "[SEP]", "x", "x", "[SEP]"]]


def test_texts_that_fit_are_not_cut(tokenizer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenizer.encode(["the cat", ""], max_length=4)
        tokenizer.encode(["the"], ["the"], max_length=5)
        tokenizer.encode(["the " * 10_000])
    for texts, pairs, least in ((["the"], None, 2), (["the"], ["x"], 3)):
        with pytest.raises(ValueError, match=f"max_length must be > {least}"):
            tokenizer.encode(texts, pairs, max_length=least)
    with pytest.raises(ValueError, match="max_length must be an int"):
        tokenizer.encode(["the"], max_length=7.5)


def test_windows_are_made_of_pieces(tokenizer):
    question, context = tokenizer.pieces(["here"]), tokenizer.pieces(["the cat, the cat"], keep=["spans"])
    starts = np.array([0, 2, 4])
    windows = tokenizer.join(question.take([0, 0, 0]), context.take([0, 0, 0], starts, 3))
    assert windows.batch.lengths.tolist() == [7, 7, 5]
    assert tokenizer.tokens(windows.batch.ids[7:14]) == ["[CLS]", "here", "[SEP]", ",", "the", "cat", "[SEP]"]
    assert context.take([0], 4).spans.tolist() == [[13, 16]]
    for max_length in (None, 9):
        with pytest.raises(ValueError, match="as many pairs as texts, got 1 and 3"):
            tokenizer.join(question.take([0, 0, 0]), context, max_length=max_length)
    with pytest.warns(UserWarning, match="1 of 1 windows are longer than max_length=6"):
        assert tokenizer.join(question, context, max_length=6, what="windows").batch.lengths.tolist() == [6]


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_a_text_has_the_same_tokens_in_any_batch_and_for_any_n_jobs(tokenizer, monkeypatch):
    rng = np.random.default_rng(0)
    words = ["the", "unaffable", "cats", "字", "x[SEP]", "\0", "Éte", ""]
    texts = [" ".join(rng.choice(words, rng.integers(0, 40))) for _ in range(300)]
    expected = tokenizer.encode(texts, n_jobs=1, keep=["words", "spans"])
    alone = [tokenizer.encode([text], keep=["words", "spans"]) for text in texts]
    for name in ("words", "spans"):
        assert np.array_equal(np.concatenate([getattr(a, name) for a in alone]), getattr(expected, name))
    monkeypatch.setattr("mlcore.seq.bert.tokens._cutting._CHUNK", 777)
    monkeypatch.setattr("mlcore.seq.bert.tokens._cutting._FEW", 0)
    for n_jobs in (None, 1, 2, 8):
        for keep in ((), ("words",), ("words", "spans")):
            found = tokenizer.encode(texts, n_jobs=n_jobs, keep=keep)
            for a, b in zip(found.batch, expected.batch, strict=True):
                assert np.array_equal(a, b)
            assert (found.words is None) == (not keep)
            assert found.words is None or np.array_equal(found.words, expected.words)
            assert found.spans is None or np.array_equal(found.spans, expected.spans)


def test_no_text_is_an_empty_batch(tokenizer):
    encoding = tokenizer.encode([], keep=["words", "spans"])
    assert encoding.batch.offsets.tolist() == [0]
    assert [len(values) for values in (*encoding.batch[:2], encoding.words, encoding.spans)] == [0] * 4
    assert encoding.spans.shape == (0, 2)
    assert tokenizer.encode([], [], max_length=8).batch.offsets.tolist() == [0]


def test_a_text_longer_than_a_chunk(tokenizer, monkeypatch):
    monkeypatch.setattr("mlcore.seq.bert.tokens._cutting._CHUNK", 5000)
    batch = tokenizer.encode(["x", "the " * 2000, "x", "cat"]).batch
    assert batch.lengths.tolist() == [3, 2002, 3, 3]


def test_forms_of_texts(tokenizer):
    texts = ["the cat", "x"]
    expected = tokenizer.encode(texts).batch.ids
    pl = pytest.importorskip("polars")
    for form in (
        tuple(texts),
        iter(texts),
        np.array(texts),
        np.array(texts, object),
        pd.Series(texts),
        pl.Series(texts),
    ):
        assert np.array_equal(tokenizer.encode(form).batch.ids, expected)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("the cat", ValueError, "got one document"),
        ([None], ValueError, "is missing"),
        ([float("nan")], ValueError, "is missing"),
        (["a \ud800"], ValueError, "half of a surrogate pair"),
        ([7], TypeError, "must be a str"),
        ([b"the"], TypeError, "must be a str"),
        ([["the"]], TypeError, "must be a str"),
        (7, TypeError, "must be an iterable"),
        ({"the"}, TypeError, "in order"),
    ],
)
def test_what_is_no_text(tokenizer, texts, error, message):
    for call in (tokenizer.encode, tokenizer.pieces, lambda found: tokenizer.encode(["x"], found)):
        with pytest.raises(error, match=message):
            call(texts)


def test_pairs_must_be_as_many_as_texts(tokenizer):
    for max_length in (None, 9):
        with pytest.raises(ValueError, match="as many pairs as texts, got 1 and 2"):
            tokenizer.encode(["the", "x"], ["the"], max_length=max_length)


def test_what_can_be_kept(tokenizer):
    for keep in ("words", ["letters"]):
        with pytest.raises(ValueError, match="keep must be a collection of 'words' and 'spans'"):
            tokenizer.encode(["the"], keep=keep)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_padding_truncation_and_markers_of_a_file_are_not_obeyed(tokenizer, tmp_path):
    other = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    other.enable_truncation(4)
    other.enable_padding(length=4)
    other.post_processor = tokenizers.processors.TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", 3)])
    other.save(str(tmp_path / "tokenizer.json"))
    found = BertTokenizer.from_pretrained(tmp_path)
    for texts in (["the cat, the cat"], ["x"]):
        assert tokens_of(found, texts) == tokens_of(tokenizer, texts)


def test_options_of_a_vocabulary(tmp_path):
    write_vocabulary(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    for options, tokens in (
        ({}, ["the", "e", "##te"]),
        ({"do_lower_case": False}, ["[UNK]", "[UNK]"]),
        ({"do_lower_case": True, "strip_accents": False}, ["the", "[UNK]"]),
    ):
        path.write_text(json.dumps(options))
        assert tokens_of(BertTokenizer.from_pretrained(tmp_path), ["The éte"])[0][1:-1] == tokens
    for text, message in (("[1]", "must hold a dict"), ("{", "is no JSON"), ('{"do_lower_case": 1}', "true or false")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            BertTokenizer.from_pretrained(tmp_path)


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor vocab\.txt"):
        BertTokenizer.from_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("the\ncat\n")
    with pytest.raises(ValueError, match="no vocabulary of BERT"):
        BertTokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no tokenizer"):
        BertTokenizer.from_pretrained(tmp_path)
    tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")).save(
        str(tmp_path / "tokenizer.json")
    )
    with pytest.raises(ValueError, match=r"tokenizer.json: .*got none of \['\[CLS\]', '\[SEP\]'\]"):
        BertTokenizer.from_pretrained(tmp_path)


def test_the_way_to_json_and_folders_and_back(tokenizer, tmp_path):
    text = ["The unaffable 字 here[SEP]"]
    expected = tokens_of(tokenizer, text)
    assert tokens_of(BertTokenizer.from_json(tokenizer.to_json()), text) == expected
    tokenizer.save_pretrained(tmp_path, max_length=64)
    assert tokens_of(BertTokenizer.from_pretrained(tmp_path), text) == expected
    options = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert options["do_lower_case"] is True
    assert options["model_max_length"] == 64
    for text in ("", "{}", "[" * 10_000, SubwordTokenizer.train(["a b"], kind="bpe", vocab_size=261)._json()[:-9]):
        with pytest.raises(ValueError, match="cannot be read"):
            BertTokenizer.from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries["model"]["vocab"].update({"cat": 2**31}), "25 tokens must be about as many numbers"),
        (lambda entries: entries["model"].update(unk_token="[NO]"), "cannot cut the texts: .*Missing"),
        (lambda entries: entries["model"]["vocab"].pop("[UNK]") and entries["added_tokens"].pop(1), "got none of"),
        (lambda entries: entries["model"].update(type="BPE"), "cannot be read"),
    ],
)
def test_a_file_that_is_no_tokenizer_of_bert(tokenizer, change, message):
    entries = json.loads(tokenizer.to_json())
    change(entries)
    with pytest.raises(ValueError, match=message):
        BertTokenizer.from_json(json.dumps(entries))


def test_lower_case_before_all_other_steps(tmp_path):
    write_vocabulary(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    cased = BertTokenizer.from_pretrained(tmp_path)
    for tokenizer in (cased.lowercased(), BertTokenizer.from_json(cased.lowercased().to_json())):
        assert tokens_of(tokenizer, ["THE \0Cats é"])[0][1:-1] == ["the", "cat", "##s", "[UNK]"]
    assert tokens_of(cased, ["THE cats"])[0][1:-1] == ["[UNK]", "cat", "##s"]
    for found, is_lower in ((cased, False), (cased.lowercased(), True)):
        found.save_pretrained(tmp_path)
        assert json.loads((tmp_path / "tokenizer_config.json").read_text())["do_lower_case"] is is_lower


def test_training(tmp_path):
    texts = ["the cat and the dog", "The dog and the bird", "a cat, a dog and a bird"] * 2
    tokenizer = BertTokenizer.train(texts, vocab_size=60)
    assert (tokenizer.pad, tokenizer.unknown, tokenizer.cls, tokenizer.sep, tokenizer.mask) == (0, 1, 2, 3, 4)
    assert tokens_of(tokenizer, ["THE dog"]) == [["[CLS]", "the", "dog", "[SEP]"]]
    assert len(tokenizer) <= 60
    cased = BertTokenizer.train(texts, 60, lowercase=False)
    assert tokens_of(cased, ["DOG"]) == [["[CLS]", "[UNK]", "[SEP]"]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_texts(texts):
    tokenizer = BertTokenizer.train(["the cat"], vocab_size=40, min_frequency=1)
    texts = [text.encode(errors="replace").decode() for text in texts]
    encoding = tokenizer.encode(texts, max_length=None, keep=["words", "spans"])
    batch = encoding.batch
    assert len(batch.offsets) == len(texts) + 1
    assert (batch.ids[batch.offsets[:-1]] == tokenizer.cls).all()
    assert (batch.ids[batch.offsets[1:] - 1] == tokenizer.sep).all()
    lengths = np.repeat([len(text) for text in texts], batch.lengths)
    assert (encoding.spans[:, 0] <= encoding.spans[:, 1]).all()
    assert (encoding.spans[:, 1] <= lengths).all()


# ---- beside transformers ---------------------------------------------------------------------------------------------

CORNERS = [
    *[
        "",
        " ",
        "here [SEP] x",
        "the\0cat",
        "\ufffdthe\u200bcat\u00ads",
        "the\u00a0cat\u2028the\u3000x",
        "cat字the, 字字",
    ],
    *["Éte E\u0301te éTE", "ﬁ ① ²", "cat" + "s" * 97, "cat" + "s" * 98, "☃ zzz", "the\tcat\r\nthe\x0bx", "THE Cat"],
    *[
        "ß ẞ İ ı",
        "don't re-do: 3.14 $5",
        "[[]] [unk] ##s",
        "\u0300\u0301",
        "🙂👍🏽 the",
        "１２３ ｔｈｅ",
        "한국어 カタカナ",
    ],
]


@pytest.mark.peers
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_tokens_are_those_of_transformers(tmp_path, lowercase):
    transformers = pytest.importorskip("transformers")
    tokenizer = BertTokenizer.train([*CORNERS, "the cat and the dogs 3.14"] * 3, 300, lowercase)
    tokenizer.save_pretrained(tmp_path)
    theirs = transformers.BertTokenizerFast.from_pretrained(tmp_path)
    ours = tokenizer.encode(CORNERS, keep=["spans"])
    for b, text in enumerate(CORNERS):
        rows = slice(ours.batch.offsets[b], ours.batch.offsets[b + 1])
        found = theirs(text, return_offsets_mapping=True, split_special_tokens=True)
        assert ours.batch.ids[rows].tolist() == found["input_ids"], text
        assert [tuple(span) for span in ours.spans[rows].tolist()] == found["offset_mapping"], text
    marked = ["the [MASK] cat[SEP]x", "[CLS][MASK]"]
    found = theirs(marked)["input_ids"]
    assert tokenizer.encode(marked, special_tokens=True).batch.ids.tolist() == [i for ids in found for i in ids]
    rng = np.random.default_rng(0)
    texts, pairs = ([" ".join(["cat"] * n) for n in rng.integers(0, 12, 60)] for _ in range(2))
    for max_length in (4, 7, 10, 11):
        batch = tokenizer.encode(texts, pairs, max_length=max_length).batch
        found = theirs(texts, pairs, truncation="longest_first", max_length=max_length)
        assert batch.ids.tolist() == [i for ids in found["input_ids"] for i in ids], max_length
        assert batch.types.tolist() == [i for types in found["token_type_ids"] for i in types], max_length
