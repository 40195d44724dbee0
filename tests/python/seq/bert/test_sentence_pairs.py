"""Sequences of pre-training: documents as tokens, parts of them, pairs, and batches that are drawn again each epoch."""

import numpy as np
import pytest

from mlcore.seq.bert import BertTokenizer
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.pretraining._batches import PretrainingBatches
from mlcore.seq.bert.pretraining._documents import Corpus, corpus_of, read_documents, warn_of_repeated
from mlcore.seq.bert.pretraining._masking import Masking
from mlcore.seq.bert.pretraining._sentence_pairs import IS_NEXT, IS_RANDOM, draw_pairs, draw_texts, longest_sentence
from mlcore.seq.bert.tokens._pieces import Pieces, offsets_of

CLS, SEP, MASK, V = 2, 3, 4, 100_000


def corpus(sizes, longest=30):
    """Documents of sentences of these numbers of tokens; each token has a number of its own, from 5 on."""
    rng = np.random.default_rng(0)
    lengths = [rng.integers(1, longest + 1, n) for n in sizes]
    sentences = offsets_of(np.concatenate(lengths))
    n = int(sentences[-1])
    pieces = Pieces(np.arange(5, 5 + n), np.array([0, n]), np.arange(n) // 2)
    return Corpus(pieces, sentences, offsets_of(np.array(sizes)))


def spans(drawn, text):
    begins = drawn.begins[:, text]
    return begins, begins + drawn.sizes[:, text]


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(1)
    return corpus(rng.integers(1, 40, 200))


MAX_LENGTH = 64


@pytest.fixture(scope="module")
def drawn(documents):
    return draw_pairs(documents, MAX_LENGTH, np.random.default_rng(0))


# ---- documents ----


def test_documents_are_texts_or_lists_of_sentences():
    found = read_documents(["One. Two!  Three", "a line\nanother\n\n", ["x y", "", "z"], ""], "X")
    assert found == [["One.", "Two!", "Three"], ["a line", "another"], ["x y", "z"]]
    assert read_documents((text for text in ["a", "b"]), "X") == [["a"], ["b"]]
    assert read_documents(np.array(["a", "b"]), "X") == [["a"], ["b"]]
    assert read_documents(['He said "no." Then he left.'], "X") == [['He said "no."', "Then he left."]]


@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        ("one text", ValueError, "one document"),
        ([], ValueError, "got none"),
        (["", "  \n"], ValueError, "empty ones alone"),
        ([["a", None]], ValueError, "missing"),
        ([None], ValueError, "document 0 of X is missing"),
        ([3], TypeError, "document 0 of X must be a str or a list of str"),
        ([["a"], [3]], TypeError, "document 1 of X"),
        ({"a"}, TypeError, "in order"),
        (3, TypeError, "iterable of documents"),
    ],
)
def test_what_is_no_documents_is_refused(documents, error, message):
    with pytest.raises(error, match=message):
        read_documents(documents, "X")


def test_repeated_text_gives_a_warning():
    with pytest.warns(UserWarning, match=r"33 % of X .*'the same' occurs 2 times"):
        warn_of_repeated([["the same", "othertxt"], ["the same"]], "X")
    warn_of_repeated([[f"a sentence with the number {i}" for i in range(20)], ["yes"], ["yes"]], "X")


def test_tokens_of_documents():
    documents = [["the cat sees", "a dog"], ["\u200b"], ["the dog sees the cat sees a dog"]]
    tokenizer = BertTokenizer.train([s for d in documents for s in d], 60, min_frequency=1)
    found = corpus_of(documents, tokenizer, 3, with_words=True, n_jobs=1)
    assert " ".join(tokenizer.tokens(found.pieces.ids)) == "the cat sees a dog the dog sees the cat sees a dog"
    # The sentence that is nothing to the tokenizer is left out, the long one is divided evenly.
    assert found.sentences.tolist() == [0, 3, 5, 7, 10, 13]
    assert found.documents.tolist() == [0, 2, 5]
    assert found.pieces.words.tolist() == list(range(13))
    assert found.longest_document == 8
    assert found.has_neighbours
    assert corpus_of(documents, tokenizer, 3, with_words=False, n_jobs=1).pieces.words is None


def test_words_are_counted_over_sentences():
    tokenizer = BertTokenizer.train(["ab", "abc"], 11, min_frequency=1)
    found = corpus_of([["abcabc abc", "abc"]], tokenizer, 20, with_words=True, n_jobs=1)
    words = found.pieces.words
    assert words[0] == 0
    assert words[-1] == 2
    assert (np.diff(words) >= 0).all()


# ---- parts and pairs ----


def test_each_true_token_is_in_one_place(documents, drawn):
    is_next = drawn.labels == IS_NEXT
    count = np.zeros(documents.n_tokens, int)
    for text, chosen in ((0, np.ones(len(is_next), bool)), (1, is_next)):
        for begin, end in zip(*(side[chosen] for side in spans(drawn, text)), strict=True):
            count[begin:end] += 1
    assert (count == 1).all()


def test_neighbours(documents, drawn):
    document = np.repeat(np.arange(len(documents.documents) - 1), np.diff(documents.documents))
    owner = np.repeat(document, np.diff(documents.sentences))
    (first, first_end), (second, second_end) = spans(drawn, 0), spans(drawn, 1)
    is_next = drawn.labels == IS_NEXT
    np.testing.assert_array_equal(first_end[is_next], second[is_next])
    assert (owner[first] == owner[first_end - 1]).all()
    assert (owner[second] == owner[second_end - 1]).all()
    assert (owner[first] == owner[second])[is_next].all()
    assert (owner[first] != owner[second])[~is_next].all()
    assert set(drawn.labels.tolist()) == {IS_NEXT, IS_RANDOM}


def test_half_of_the_pairs_are_neighbours(drawn):
    n = len(drawn.labels)
    assert abs(drawn.labels.mean() - 0.5) < 2 / np.sqrt(n)


def test_random_texts_come_from_everywhere_alike():
    """Else the second text alone, or how long it is, would tell which it is."""
    documents = corpus([2] * 50 + [100])
    drawn = draw_pairs(documents, MAX_LENGTH, np.random.default_rng(0))
    is_random = drawn.labels == IS_RANDOM
    of_small = is_random & (drawn.begins[:, 0] < documents.sentences[100])
    from_large = drawn.begins[of_small, 1] >= documents.sentences[100]
    assert abs(from_large.mean() - 0.5) < 2 / np.sqrt(of_small.sum())  # it has half of all sentences
    next_size, random_size = (drawn.sizes[drawn.labels == k, 1].mean() for k in (IS_NEXT, IS_RANDOM))
    assert abs(next_size - random_size) < 0.3 * next_size


def test_sequences_are_filled(documents, drawn):
    assert drawn.lengths.max() == MAX_LENGTH
    assert drawn.sizes.min() >= 1
    assert np.median(drawn.lengths) > 0.75 * MAX_LENGTH
    assert 0.01 < (drawn.lengths < 0.4 * MAX_LENGTH).mean() < 0.25  # a tenth, and ends of documents


def test_sequences_of_one_text(documents):
    drawn = draw_texts(documents, MAX_LENGTH, np.random.default_rng(0))
    begins, ends = spans(drawn, 0)
    assert drawn.labels is None
    assert drawn.lengths.max() == MAX_LENGTH
    np.testing.assert_array_equal(begins[1:], ends[:-1])
    assert begins[0] == 0
    assert ends[-1] == documents.n_tokens
    document_ends = set(documents.sentences[documents.documents[1:]].tolist())
    assert document_ends <= set(ends.tolist())  # no sequence reaches from one document into the next


def test_documents_of_one_sentence():
    documents = corpus([1] * 30)
    assert not documents.has_neighbours
    pairs = draw_pairs(documents, MAX_LENGTH, np.random.default_rng(0))
    assert (pairs.labels == IS_RANDOM).all()
    assert len(pairs.labels) == 30


@pytest.mark.parametrize("max_length", [8, 11, 16])
def test_short_sequences(max_length):
    documents = corpus([3] * 40, longest_sentence(max_length))
    drawn = draw_pairs(documents, max_length, np.random.default_rng(0))
    assert drawn.lengths.max() <= max_length
    assert drawn.sizes.min() >= 1


# ---- batches ----


def batches(documents, **options):
    masking = Masking(0.15, MASK, V, (0, 1, CLS, SEP, MASK), whole_words=True)
    options = {"max_length": MAX_LENGTH, "batch_tokens": 1000, "has_pairs": True, **options}
    return PretrainingBatches(documents, masking, CLS, SEP, **options)


def test_batches_of_pairs(documents):
    source = batches(documents)
    found = list(source.epoch(0, 7))
    assert len(found) == len(source)
    n = [len(batch.input_ids) for batch in found]
    assert abs(np.mean(n) - 1000) < 100
    assert abs(sum(n) - source.n_units) < 0.05 * sum(n)
    n_random = 0
    for batch in found:
        first, last = batch.offsets[:-1], batch.offsets[1:] - 1
        assert (batch.input_ids[first] == CLS).all()
        assert (batch.input_ids[last] == SEP).all()
        assert (batch.token_type_ids[first] == 0).all()
        assert (batch.token_type_ids[last] == 1).all()
        chosen = batch.labels != IGNORED
        assert 1 <= chosen.sum() < 0.4 * len(chosen)
        assert (batch.labels[chosen] >= 5).all()
        assert batch.next_sentence_label.shape == first.shape
        true = np.where(chosen, batch.labels, batch.input_ids)
        # Tokens are numbered: those of a text follow each other, and so does the true neighbour.
        step = np.diff(true)
        inside = (batch.token_type_ids[1:] == batch.token_type_ids[:-1]) & (true[1:] > 4) & (true[:-1] > 4)
        assert (step[inside] == 1).all()
        seconds = np.flatnonzero(np.diff(batch.token_type_ids) == 1) + 1
        np.testing.assert_array_equal(true[seconds] == true[seconds - 2] + 1, batch.next_sentence_label == IS_NEXT)
        n_random += batch.next_sentence_label.sum()
    assert n_random > 0


@pytest.mark.parametrize("has_pairs", [False, True])
def test_an_epoch_depends_on_its_seed_alone(documents, has_pairs):
    source = batches(documents, has_pairs=has_pairs)
    whole, again = list(source.epoch(0, 3)), list(batches(documents, has_pairs=has_pairs).epoch(5, 3))
    for i, (a, b) in enumerate(zip(whole, again, strict=True)):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)), i
    rest = list(source.epoch(0, 3, 4))
    assert len(rest) == len(whole) - 4
    for a, b in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a.labels, b.labels)
    other = list(source.epoch(1, 4))
    assert len(other) == len(whole)
    assert not any(np.array_equal(a.input_ids, b.input_ids) for a, b in zip(whole, other, strict=True))


def test_a_limit_of_batches(documents):
    each = len(batches(documents))
    source = batches(documents, n_batches=2 * each + 3)
    assert source.n_epochs == 3
    assert len(source) == each
    assert [len(list(source.epoch(k, k))) for k in range(3)] == [each, each, 3]
    few = batches(documents, n_batches=2)
    assert few.n_epochs == 1
    assert len(few) == len(list(few.epoch(0, 0))) == 2


def test_small_corpora_have_no_empty_batch():
    for n in range(1, 8):
        source = batches(corpus([2] * n, 5), batch_tokens=10, max_length=16, has_pairs=n > 1)
        for seed in range(20):
            assert all(len(batch.offsets) > 1 for batch in source.epoch(0, seed))
