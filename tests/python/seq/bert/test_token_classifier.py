"""BertTokenClassifier: words and tags, windows, entities, weights, files; beside the same network of transformers."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import mlcore
from mlcore.metrics import entity_score
from mlcore.nn import no_grad
from mlcore.seq.bert import BertClassifier, BertTokenClassifier, EntitySpan

pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

PHRASES = [
    *[([name], ["B-person"]) for name in ("ann", "bob", "eve", "joe")],
    *[([name, "lee"], ["B-person", "I-person"]) for name in ("ann", "bob", "eve", "joe")],
    *[([verb], ["O"]) for verb in ("sees", "likes", "knows")],
    *[(["in", place], ["O", "B-place"]) for place in ("paris", "rome")],
]


def sentence(rng, n_phrases):
    """Return the words of some phrases, and their tags."""
    drawn = [PHRASES[i] for i in rng.integers(len(PHRASES), size=n_phrases)]
    return tuple([item for phrase in drawn for item in phrase[part]] for part in (0, 1))


RNG = np.random.default_rng(0)
X, Y = map(list, zip(*(sentence(RNG, RNG.integers(1, 6)) for _ in range(80)), strict=True))
LONG, LONG_TAGS = sentence(RNG, 100)
SMALL = {"hidden_size": 32, "initializer_range": 0.15, "intermediate_size": 64}
QUICK = {"config": SMALL, "max_epochs": 10, "learning_rate": 5e-3, "random_state": 0, "n_jobs": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def model():
    return BertTokenClassifier(**QUICK).fit(X, Y)


# ---- what it learns --------------------------------------------------------------------------------------------------


def test_it_learns_to_copy(model):
    assert model.score(X, Y) == 1
    assert model.classes_.tolist() == ["B-person", "B-place", "I-person", "O"]
    assert model.predict([["eve", "knows", "ann", "lee"], [], ["paris"]]) == [
        ["B-person", "O", "B-person", "I-person"],
        [],
        ["B-place"],
    ]


def test_tags_may_be_any_labels():
    numbers = [[len(word) for word in words] for words in X]
    model = BertTokenClassifier(**QUICK).fit(X, numbers)
    assert model.classes_.tolist() == [2, 3, 4, 5]
    assert model.predict(X[:2]) == numbers[:2]
    assert all(type(tag) is int for tag in model.predict(X[:1])[0])
    assert model.score(X, numbers) == 1
    assert model.score([["ann", "in"]], [[3, 99]]) == 0.5
    with pytest.raises(ValueError, match="needs tags of entities"):
        model.predict_spans(X)


def test_probabilities_are_those_of_the_network(model):
    X_test = [["ann", "sees", "unknown"], [], ["\u200b"]]
    probabilities = model.predict_proba(X_test)
    assert [p.shape for p in probabilities] == [(3, 4), (0, 4), (1, 4)]
    for p, logs, tags in zip(probabilities, model.predict_log_proba(X_test), model.predict(X_test), strict=True):
        assert p.sum(axis=1) == pytest.approx(np.ones(len(p)))
        assert np.log(p) == pytest.approx(logs)
        assert model.classes_[p.argmax(axis=1)].tolist() == tags
    batch = model.tokenizer_.encode_words(X_test[:1]).batch
    with no_grad():
        logits = model.module_(batch.ids, offsets=batch.offsets).data[1:4].astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert probabilities[0] == pytest.approx(expected, abs=1e-5)


def test_a_sentence_has_the_same_bits_in_any_batch(model):
    together = model.predict_proba([*X[:5], LONG, []])
    for words, p in zip(X[:5], together, strict=False):
        assert (model.predict_proba([words])[0] == p).all()
    more = clone(model).set_params(n_jobs=3).fit(X, Y)
    assert (more.predict_proba(X[:1])[0] == together[0]).all()


# ---- texts and spans -------------------------------------------------------------------------------------------------


def test_entities_are_spans_of_words_and_of_characters(model):
    (spans,) = model.predict_spans([["bob", "likes", "Eve", "Lee"]])
    assert [span[:3] for span in spans] == [(0, 1, "person"), (2, 4, "person")]
    assert isinstance(spans[0], EntitySpan)
    p = model.predict_proba([["bob", "likes", "Eve", "Lee"]])[0].max(axis=1)
    assert [span.score for span in spans] == pytest.approx([p[0], p[2:].mean()])
    text = "  Bob\nlikes Eve   Lee"
    (spans,) = model.predict_spans([text])
    assert [(text[span.start : span.end], span.type) for span in spans] == [("Bob", "person"), ("Eve   Lee", "person")]


def test_texts_are_split_by_the_tokenizer(model):
    texts = ["Ann sees Bob,lee.", "", "paris 😀"]
    words = model.split(texts)
    assert words == [["Ann", "sees", "Bob", ",", "lee", "."], [], ["paris", "😀"]]
    assert model.predict(texts) == model.predict(words) == model.predict(text for text in texts)
    assert model.predict(np.array(texts, dtype=object)) == model.predict(words)
    for a, b in zip(model.predict_proba(texts), model.predict_proba(words), strict=True):
        assert (a == b).all()


# ---- long sentences --------------------------------------------------------------------------------------------------


def test_long_sentences_are_read_in_windows(model):
    short = clone(model).set_params(max_length=12).fit(X, Y)
    for each in (model, short):
        assert [len(tags) for tags in each.predict([LONG, LONG[:3]])] == [len(LONG), 3]
    assert len(LONG) > 120
    assert entity_score([LONG_TAGS], short.predict([LONG])).f1 > 0.9


def test_nothing_is_cut_in_training():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = BertTokenClassifier(**{**QUICK, "max_epochs": 40}, max_length=12, batch_size=8).fit([LONG], [LONG_TAGS])
    assert model.score([LONG], [LONG_TAGS]) > 0.95


# ---- weights, validation ---------------------------------------------------------------------------------------------


def test_class_weights_are_factors_on_words():
    contradicting = [["yes"], ["no"]] * 20
    words = [["word"]] * 40
    options = {**QUICK, "max_epochs": 10}
    plain = BertTokenClassifier(**options).fit(words, contradicting)
    heavy = BertTokenClassifier(**options, class_weight={"yes": 3}).fit(words, contradicting)
    assert plain.class_prior_ == pytest.approx([0.5, 0.5])
    assert heavy.class_prior_ == pytest.approx([0.25, 0.75])
    assert heavy.predict_proba([["word"]])[0][0, 1] == pytest.approx(0.75, abs=0.05)
    uneven = [["yes"], ["no"], ["no"], ["no"]] * 10
    balanced = BertTokenClassifier(**options, class_weight="balanced").fit(words, uneven)
    assert balanced.class_weight_ == pytest.approx([2 / 3, 2])
    assert balanced.predict_proba([["word"]])[0][0, 1] == pytest.approx(0.5, abs=0.05)
    weighted = BertTokenClassifier(**options).fit(words, contradicting, [3, 1] * 20)
    assert weighted.class_prior_ == pytest.approx([0.25, 0.75])
    assert weighted.predict_proba([["word"]])[0][0, 1] == pytest.approx(0.75, abs=0.05)


def test_a_tag_without_weight_is_never_predicted():
    model = BertTokenClassifier(**QUICK, class_weight={"B-place": 0}).fit(X, Y)
    assert not any("B-place" in tags for tags in model.predict(X))
    assert model.predict_proba(X[:1])[0][:, 1].max() < 1e-15
    alone = BertTokenClassifier(**QUICK, class_weight={"B-place": 0, "B-person": 0, "I-person": 0}).fit(X, Y)
    assert alone.predict([["ann", "lee"]]) == [["O", "O"]]


def test_validation_with_unseen_tags():
    strange = [["B-planet" if tag == "B-place" else tag for tag in tags] for tags in Y]
    with pytest.warns(
        UserWarning, match=r"y_val of BertTokenClassifier holds tags .* \['B-planet'\]: they count in no"
    ):
        model = BertTokenClassifier(**QUICK, scoring="score").fit(X, Y, X_val=X, y_val=strange)
    people = entity_score(strange, Y).by_type["person"].support
    n_spans = entity_score(Y, Y).support
    assert max(model.history_["validation_score"]) == pytest.approx(people / n_spans)  # the places are wrong
    with pytest.raises(ValueError, match="a tag that the model knows"), pytest.warns(UserWarning, match="B-planet"):
        BertTokenClassifier(**QUICK).fit(X, Y, X_val=[["paris"]], y_val=[["B-planet"]])
    more = model.set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"y of .* does not know: \['B-planet'\]; it knows"):
        more.fit(X, strange)
    assert more.fit(X, Y).score(X, Y) == 1


def test_early_stopping_sets_sentences_aside():
    model = BertTokenClassifier(**QUICK, early_stopping=True, validation_fraction=0.25).fit(X, Y)
    assert len(model.history_["validation_loss"]) == model.n_iter_


# ---- input -----------------------------------------------------------------------------------------------------------


def test_sentences_without_words_are_no_harm():
    model = BertTokenClassifier(**QUICK).fit([[], *X, []], [[], *Y, []])
    assert model.score([[], *X], [[], *Y]) == 1
    assert model.predict([]) == model.predict_spans([]) == model.predict_proba([]) == []
    assert model.predict([[]]) == model.predict_spans([[]]) == model.predict([""]) == [[]]


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ([], [], ValueError, "must hold a text or more"),
        ([[], []], [[], []], ValueError, "at least 2 tags, got"),
        ([["a", "b"]], [["O", "O"]], ValueError, r"at least 2 tags, got \['O'\]"),
        ([["a", "b"]], [["O"]], ValueError, "sentence 0 of X has 2 words and 1 tags"),
        ([["a", "b"]], None, ValueError, "requires y to be passed"),
        (["a b"], [["O", "x"]], TypeError, "split it first"),
        ([["a", "b"]], ["O x"], TypeError, "lists of tags, one for each word, got a str"),
        ([["a", "b"]], [["O", 1]], TypeError, "all str or all int"),
    ],
)
def test_bad_input(X, y, error, message):
    with pytest.raises(error, match=message):
        BertTokenClassifier(**QUICK).fit(X, y)


def test_zero_weights():
    with pytest.raises(ValueError, match="must hold a word with weight"):
        BertTokenClassifier(**QUICK).fit([["a", "b"], []], [["x", "y"], []], [0, 1])
    model = BertTokenClassifier(**QUICK).fit([*X, ["ann"]], [*Y, ["B-place"]], [1] * len(X) + [0])
    assert model.score(X, Y) == 1


def test_before_fit():
    for method in ("predict", "predict_proba", "predict_spans", "split"):
        with pytest.raises(NotFittedError):
            getattr(BertTokenClassifier(), method)(["a"])


# ---- files and folders -----------------------------------------------------------------------------------------------


def test_files(model, tmp_path):
    expected = model.predict_proba(X[:3])
    mlcore.save(model, tmp_path / "tagger.safetensors")
    model.save_pretrained(tmp_path / "folder")
    others = [
        mlcore.load(tmp_path / "tagger.safetensors"),
        pickle.loads(pickle.dumps(model)),
        BertTokenClassifier.from_pretrained(tmp_path / "folder"),
    ]
    for other in others:
        assert other.classes_.tolist() == model.classes_.tolist()
        assert other.predict_spans(["ann likes bob lee"]) == model.predict_spans(["ann likes bob lee"])
        assert all((a == b).all() for a, b in zip(other.predict_proba(X[:3]), expected, strict=True))
    again = BertTokenClassifier(tmp_path / "folder", **{**QUICK, "config": None, "max_epochs": 4}).fit(X, Y)
    assert again.score(X, Y) == 1
    texts = [" ".join(words) for words in X]
    labels = [text.startswith("ann") for text in texts]
    classifier = BertClassifier(model, **{**QUICK, "config": None}).fit(texts, labels)
    assert classifier.score(texts, labels) == 1


@pytest.mark.peers
def test_transformers_reads_the_folder(model, tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model.save_pretrained(tmp_path)
    peer = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    encoding = tokenizer(X[0], is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        logits = peer(**encoding).logits[0].numpy()
    words = encoding.word_ids()
    firsts = [i for i, word in enumerate(words) if word is not None and word != words[i - 1]]
    expected = torch.softmax(torch.tensor(logits[firsts]), dim=-1).numpy()
    assert model.predict_proba(X[:1])[0] == pytest.approx(expected, abs=1e-5)
    assert [peer.config.id2label[i] for i in expected.argmax(axis=1)] == Y[0]
