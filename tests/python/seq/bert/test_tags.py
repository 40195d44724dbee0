"""Words and the pieces that speak for them: labels of first pieces, words without a piece, windows; transformers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.seq.bert import BertTokenizer
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.spans._tags import (
    pieces_of_texts,
    pieces_of_words,
    read_tags,
    read_words,
    windows_of_words,
)
from support.bert import small_vocabulary

pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

SENTENCES = [["the", "cats", "Sleeping", "."], [], ["two,three", "\u200b", "dog", ""], ["\x07"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "vocab.txt").write_text("\n".join(small_vocabulary()) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return BertTokenizer.from_pretrained(folder)


def tokens_of(tokenizer, batch):
    offsets = batch.offsets
    return [" ".join(tokenizer.tokens(batch.ids[a:b])) for a, b in pairwise(offsets)]


def test_the_first_piece_of_each_word_has_its_label(tokenizer):
    windows = windows_of_words(tokenizer, pieces_of_words(tokenizer, SENTENCES), 20)
    assert tokens_of(tokenizer, windows.batch) == [
        "[CLS] the cat ##s [UNK] . [SEP]",
        "[CLS] [SEP]",
        "[CLS] two , three [UNK] dog [UNK] [SEP]",
        "[CLS] [UNK] [SEP]",
    ]
    assert windows.sentences.tolist() == [0, 1, 2, 3]
    labels = windows.labels(np.arange(9))
    no = IGNORED
    assert labels.ids.tolist() == [no, 0, 1, no, 2, 3, no, no, no, no, 4, no, no, 5, 6, 7, no, no, 8, no]
    assert labels.offsets is windows.batch.offsets


def test_no_sentence_at_all(tokenizer):
    windows = windows_of_words(tokenizer, pieces_of_words(tokenizer, []), 20)
    assert len(windows.batch.ids) == len(windows.tokens) == 0
    windows = windows_of_words(tokenizer, pieces_of_words(tokenizer, [[], []]), 20)
    assert windows.labels(np.zeros(0, np.int64)).ids.tolist() == [IGNORED] * 4


words = st.sampled_from(["the", "cats", "sleeping", "a", "\u200b", "", "two,three", "\n", "x" * 101, "日本", "cat."])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(words, max_size=12), max_size=5), st.integers(3, 12))
def test_each_word_has_one_token_whatever_the_windows(tokenizer, sentences, max_length):
    found = pieces_of_words(tokenizer, sentences)
    windows = windows_of_words(tokenizer, found, max_length)
    flat = [word for sentence in sentences for word in sentence]
    assert len(windows.tokens) == len(flat) == windows.offsets[-1]
    assert windows.batch.lengths.max(initial=0) <= max_length
    alone = pieces_of_words(tokenizer, [[word] for word in flat])
    assert (windows.batch.ids[windows.tokens] == alone.pieces.ids[alone.pieces.offsets[:-1]]).all()
    # A token lies in a window of its sentence, and is no marker.
    window = np.searchsorted(windows.batch.offsets, windows.tokens, side="right") - 1
    sentence = np.repeat(np.arange(len(sentences)), list(map(len, sentences)))
    assert (windows.sentences[window] == sentence).all()
    assert not np.isin(windows.tokens, [*windows.batch.offsets[:-1], *(windows.batch.offsets[1:] - 1)]).any()
    assert len(set(windows.tokens.tolist())) == len(flat)


def test_words_of_texts_are_those_of_the_tokenizer(tokenizer):
    texts = ["Cats,  sleeping\u200b!", "", "日本 the😀"]
    found, spans = pieces_of_texts(tokenizer, texts)
    shown = [
        [texts[i][a:b] for a, b in spans[found.offsets[i] : found.offsets[i + 1]].tolist()] for i in range(len(texts))
    ]
    assert shown == [["Cats", ",", "sleeping", "!"], [], ["日", "本", "the😀"]]
    assert found.firsts.tolist() == [0, 2, 3, 4, 5, 6, 7]
    again = pieces_of_words(tokenizer, shown)
    assert (again.pieces.ids == found.pieces.ids).all()
    assert (again.firsts == found.firsts).all()
    assert (again.offsets == found.offsets).all()


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (["the cat"], TypeError, "each a list of words, got a list of str: split it first"),
        ("the cat", ValueError, "X of Tagger"),
        ([[1, 2]], TypeError, "must be str, got a value of type 'int' in sentence 0"),
        ([["a", 1]], TypeError, "must be all str or all int"),
        ([["a"], None], ValueError, "entry 1 of X of Tagger is missing"),
        ([["a"], 3], TypeError, "sequence 1 of X of Tagger must be a list"),
        ([["\ud800"]], ValueError, "half of a surrogate pair"),
    ],
)
def test_what_are_no_words_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        read_words(X, "X of Tagger")


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([["O"]], ValueError, "inconsistent numbers of samples"),
        ([["O", "O"], ["O"]], ValueError, "sentence 1 of X has 0 words and 1 tags"),
        ([["O"], []], ValueError, "sentence 0 of X has 2 words and 1 tags"),
        ([["O", None], []], TypeError, "must be str or int"),
        (["OO", ""], TypeError, "must be a list"),
    ],
)
def test_what_are_no_tags_is_refused(y, error, message):
    with pytest.raises(error, match=message):
        read_tags(y, [["the", "cat"], []], name="y", who="X")


@pytest.mark.peers
def test_labels_are_aligned_as_with_word_ids_of_transformers(tokenizer, folder):
    transformers = pytest.importorskip("transformers")
    peer = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    sentences = [["the", "cats", "sleeping", "."], ["two,three", "dog", "the" * 40], ["日本", "É", "a"]]
    labels = np.arange(10)
    expected, n = [], 0
    for sentence in sentences:
        encoding = peer(sentence, is_split_into_words=True)
        row, last = [], None
        for word in encoding.word_ids():
            row.append(IGNORED if word is None or word == last else n + word)
            last = word
        expected.append((encoding["input_ids"], row))
        n += len(sentence)
    windows = windows_of_words(tokenizer, pieces_of_words(tokenizer, sentences), 40)
    found = windows.labels(labels).ids
    offsets = windows.batch.offsets
    ours = [(windows.batch.ids[a:b].tolist(), found[a:b].tolist()) for a, b in pairwise(offsets)]
    assert ours == expected
