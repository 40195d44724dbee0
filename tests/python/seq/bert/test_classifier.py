"""BertClassifier: labels of every kind, pairs, weights, several labels, and transformers beside it."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import mlcore
from mlcore.nn import Tensor, Trainer, optim
from mlcore.seq.bert import BertClassifier, BertForSequenceClassification
from mlcore.seq.bert.finetuning._batches import Rows, TextBatches
from support.bert import random_batch, random_model

QUICK = {
    "config": {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64, "vocab_size": 100},
    "max_epochs": 12,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "random_state": 0,
}
FAST = QUICK | {"max_epochs": 1}
TEXTS = [f"{one} {two}" for one in ("a good", "the bad", "no big", "one small") for two in ("cat", "dog", "house")] * 2
LABELS = np.array(["bad" if "bad" in text else "fine" if "good" in text else "so" for text in TEXTS])


def test_it_learns_from_scratch():
    model = BertClassifier(**QUICK).fit(TEXTS, LABELS)
    assert model.score(TEXTS, LABELS) == 1.0
    assert model.classes_.tolist() == ["bad", "fine", "so"]
    np.testing.assert_allclose(model.class_prior_, [0.25, 0.25, 0.5])
    p = model.predict_proba(TEXTS)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(TEXTS))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(TEXTS)), p)
    assert model.decision_function(TEXTS).shape == (len(TEXTS), 3)
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


@pytest.mark.parametrize("batch_tokens", [None, 40])
def test_it_learns_which_text_of_a_pair_comes_first(batch_tokens):
    words = ["cat", "dog", "house", "tree", "bird"]
    pairs = [(a, b) for a in words for b in words if a != b] * 2
    y = [words.index(a) < words.index(b) for a, b in pairs]
    options = QUICK | {"max_epochs": 30, "batch_tokens": batch_tokens}
    model = BertClassifier(**options).fit(pairs, y)
    assert model.score(pairs, y) > 0.9
    assert model.predict(pairs[:2]).dtype == bool
    expected = model.predict_proba(pairs)
    frame = pd.DataFrame(pairs, columns=["a", "b"], index=range(40, 0, -1))
    table = pa.table({"a": [a for a, _ in pairs], "b": [b for _, b in pairs]})
    for form in ([list(pair) for pair in pairs], np.array(pairs), frame, pl.DataFrame(frame), table, iter(pairs)):
        np.testing.assert_array_equal(model.predict_proba(form), expected)
    with pytest.raises(ValueError, match="must hold pairs of texts, as those of fit, got single texts"):
        model.predict(words)
    with pytest.raises(ValueError, match="must hold single texts, as those of fit, got pairs of texts"):
        BertClassifier(**FAST).fit(TEXTS, LABELS).predict(pairs)


# ---- what users pass -------------------------------------------------------------------------------------------------


def test_forms_of_texts_and_labels():
    expected = BertClassifier(**FAST).fit(TEXTS, LABELS).predict_proba(TEXTS)
    forms = [
        (tuple(TEXTS), LABELS.tolist()),
        (np.array(TEXTS), LABELS.astype(object)),
        (pd.Series(TEXTS, index=range(30, 6, -1)), pd.Series(LABELS, dtype="category")),
        (pd.Series(TEXTS, dtype="string"), pd.Series(LABELS, dtype="string")),
        (pl.Series(TEXTS), pl.Series(LABELS.tolist())),
        (pa.chunked_array([TEXTS[:5], TEXTS[5:]]), LABELS),
        ((text for text in TEXTS), LABELS),
    ]
    for X, y in forms:
        np.testing.assert_array_equal(BertClassifier(**FAST).fit(X, y).predict_proba(TEXTS), expected)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2**53, 2**53 + 1, 2**53 + 2]),
        np.array([-1, 0, 1], np.int8),
        np.array(["a", "b", "c"], object),
        pd.array([1, 2, 3], dtype="Int64"),
        np.array([0.0, 1.0, 2.0]),
    ],
)
def test_labels_keep_their_type(labels):
    codes = np.unique(LABELS, return_inverse=True)[1]
    y = pd.Series(labels[codes]) if hasattr(labels, "isna") else labels[codes]
    model = BertClassifier(**FAST).fit(TEXTS, y)
    assert model.classes_.tolist() == list(labels)
    assert set(model.predict(TEXTS).tolist()) <= set(labels)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], ValueError, "must hold a text or more"),
        ("one text", ValueError, "one document"),
        (None, TypeError, "iterable"),
        (7, TypeError, "iterable"),
        ({"a", "b"}, TypeError, "set"),
        ({"a": 1}, TypeError, "dict"),
        (["a", None], ValueError, "missing"),
        (["a", np.nan], ValueError, "missing"),
        (["a", 7], TypeError, "must be a str"),
        (["a", b"b"], TypeError, "must be a str"),
        (["a", "\ud800"], ValueError, "surrogate"),
        ([("a", "b"), "c"], TypeError, "all of them: entry 1 is a str"),
        ([("a", "b"), ("c",)], TypeError, "entry 1 is one of 1"),
        ([("a", "b"), ("c", None)], ValueError, "second texts of X of BertClassifier is missing"),
        (np.zeros((3, 2)), TypeError, "must be a str"),
        (np.zeros((3, 3)), TypeError, "table of 3"),
        (pd.DataFrame({"text": ["a", "b"]}), TypeError, "pass its column"),
        (np.array("a"), TypeError, "shape"),
    ],
)
def test_what_is_no_column_of_texts(X, error, message):
    for model in (BertClassifier(**FAST), BertClassifier(**FAST).fit(TEXTS, LABELS)):
        with pytest.raises(error, match=message):
            model.fit(X, ["x", "y"])
        assert not hasattr(model, "classes_")


def test_labels_that_do_not_do():
    for y, error, message in (
        (None, ValueError, "requires y to be passed"),
        (LABELS[:-1], ValueError, "inconsistent numbers of samples"),
        (["a"] * len(TEXTS), ValueError, "must hold at least 2 classes for BertClassifier, got 1 class"),
        ([np.nan, *range(23)], ValueError, "NaN"),
        ([None, *LABELS[1:]], ValueError, "missing values"),
        (["a", np.nan] * 12, ValueError, "missing values"),
        (["a", pd.NA] * 12, ValueError, "missing values"),
        (pd.Categorical(["a", None] * 12), ValueError, "missing values"),
        (np.linspace(0, 1, 24), ValueError, "Unknown label type: continuous"),
        (np.column_stack([LABELS, LABELS]), ValueError, "multilabel=True takes them"),
        ([["a", "b"], []] * 12, ValueError, "multilabel=True takes them"),
        (np.array(["a", 1] * 12, object), TypeError, "must be of one type"),
        (["a", 1] * 12, TypeError, "must be of one type, got int and str"),
        ([1, "1"] * 12, TypeError, "must be of one type, got int and str"),
    ):
        with pytest.raises(error, match=message):
            BertClassifier(**FAST).fit(TEXTS, y)
    model = BertClassifier(**FAST)
    with pytest.raises(ValueError, match=r"y_val holds classes that the model does not know: \['new'\]"):
        model.fit(TEXTS, LABELS, X_val=TEXTS[:2], y_val=["bad", "new"])
    with pytest.raises(ValueError, match="X_val of BertClassifier must hold single texts, as those of fit, got pairs"):
        model.fit(TEXTS, LABELS, X_val=[("a", "b")], y_val=["bad"])
    with pytest.raises(ValueError, match="got only X_val"):
        model.fit(TEXTS, LABELS, X_val=TEXTS)
    with pytest.raises(ValueError, match="resume=True needs a checkpoint"):
        model.fit(TEXTS, LABELS, resume=True)
    with pytest.raises(NotFittedError):
        model.predict(TEXTS)


def test_empty_rare_and_unknown():
    """Empty texts, a class of one text, characters that were never seen, two texts in all."""
    y = LABELS.astype(object)
    y[0] = "rare"
    model = BertClassifier(**FAST, early_stopping=True).fit(["", *TEXTS[1:]], y)
    assert model.classes_.tolist() == ["bad", "fine", "rare", "so"]
    assert np.isfinite(model.predict_proba(["", "\u200b", "Ω" * 50, "a" * 500, "here[SEP]x [MASK]"])).all()
    assert BertClassifier(**QUICK).fit(["a", "b"], [0, 1]).predict(["b", "a"]).tolist() == [1, 0]
    assert BertClassifier(**QUICK).fit(["", ""], [0, 1]).predict_proba([""]) == pytest.approx(0.5, abs=0.1)


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_weights_have_no_unit_and_zeros_are_no_rows():
    weight = np.random.default_rng(0).integers(0, 3, len(TEXTS)).astype(float)
    kept = weight > 0
    expected = BertClassifier(**FAST).fit(TEXTS, LABELS, weight)
    for unit in (2.0**-30, 2.0**30):
        model = BertClassifier(**FAST).fit(TEXTS, LABELS, weight * unit)
        np.testing.assert_array_equal(model.predict_proba(TEXTS), expected.predict_proba(TEXTS))
    largest = np.finfo(float).max / weight.max()  # the sum of which overflows
    for unit in (1e-8, 1e8, largest):
        model = BertClassifier(**FAST).fit(TEXTS, LABELS, weight * unit)
        np.testing.assert_allclose(model.predict_proba(TEXTS), expected.predict_proba(TEXTS), atol=1e-5)
    some = BertClassifier(**FAST).fit([t for t, k in zip(TEXTS, kept, strict=True) if k], LABELS[kept], weight[kept])
    np.testing.assert_array_equal(some.predict_proba(TEXTS), expected.predict_proba(TEXTS))
    plain = BertClassifier(**FAST).fit(TEXTS, LABELS).predict_proba(TEXTS)
    for every in (3.0, 0.1):
        np.testing.assert_array_equal(BertClassifier(**FAST).fit(TEXTS, LABELS, every).predict_proba(TEXTS), plain)
    assert not np.array_equal(expected.predict_proba(TEXTS), plain)


def test_classes_without_weight_are_not_predicted(tmp_path):
    factors = {"bad": 0, "fine": 1, "so": 2}
    model = BertClassifier(**FAST, class_weight=factors).fit(TEXTS, LABELS, X_val=TEXTS, y_val=LABELS)
    assert model.class_weight_.tolist() == [0, 1, 2]
    assert model.class_prior_.tolist() == [0, 0.2, 0.8]
    p = model.predict_proba(TEXTS)
    assert (p[:, 0] < 1e-20).all()
    assert "bad" not in model.predict(TEXTS)
    model.save_pretrained(tmp_path)
    found = BertClassifier.from_pretrained(tmp_path)
    np.testing.assert_allclose(found.predict_proba(TEXTS), p, atol=1e-6)
    alone = BertClassifier(**FAST).fit(TEXTS, LABELS, (LABELS == "so").astype(float))
    assert set(alone.predict(TEXTS)) == {"so"}
    assert alone.n_iter_ == 0
    balanced = BertClassifier(**FAST, class_weight="balanced").fit(TEXTS, LABELS)
    np.testing.assert_allclose(balanced.class_prior_, 1 / 3)


def test_label_smoothing_keeps_probabilities_from_the_ends():
    options = QUICK | {"max_epochs": 25}
    sharp = BertClassifier(**options).fit(TEXTS, LABELS).predict_proba(TEXTS).max(axis=1)
    smooth = BertClassifier(**options, label_smoothing=0.3).fit(TEXTS, LABELS).predict_proba(TEXTS).max(axis=1)
    assert smooth.max() < 0.87 < sharp.max()  # the target is 1 - 0.3 + 0.3 / 3


# ---- several labels --------------------------------------------------------------------------------------------------

SETS = [[word for word in ("good", "cat", "dog") if word in text] for text in TEXTS]
INDICATOR = np.array([[word in text for word in ("cat", "dog", "good")] for text in TEXTS], float)


def test_several_labels_of_a_text():
    model = BertClassifier(**QUICK | {"max_epochs": 40}, multilabel=True).fit(TEXTS, SETS)
    assert model.classes_.tolist() == ["cat", "dog", "good"]
    assert [set(found) for found in model.predict(TEXTS)] == [set(labels) for labels in SETS]
    assert model.score(TEXTS, SETS) == 1.0
    assert model.score(TEXTS[:2], [["good", "cat"], ["never seen"]]) == 0.5
    p = model.predict_proba(TEXTS)
    np.testing.assert_array_equal(p > 0.5, INDICATOR > 0)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(TEXTS)), p)
    np.testing.assert_array_equal(model.decision_function(TEXTS) > 0, p > 0.5)
    np.testing.assert_allclose(model.class_prior_, INDICATOR.mean(axis=0))


def test_forms_of_several_labels():
    expected = BertClassifier(**FAST, multilabel=True).fit(TEXTS, SETS).predict_proba(TEXTS)
    named = pd.DataFrame(INDICATOR[:, [2, 0, 1]], columns=["good", "cat", "dog"]).astype(int)
    for y in (INDICATOR, INDICATOR > 0, sp.csr_array(INDICATOR), named, [set(s) for s in SETS], pd.Series(SETS)):
        model = BertClassifier(**FAST, multilabel=True).fit(TEXTS, y)
        np.testing.assert_array_equal(model.predict_proba(TEXTS), expected)
        predicted = model.predict(TEXTS)
        assert model.score(TEXTS, predicted) == 1.0
        is_indicator = not isinstance(y, list) and getattr(y, "ndim", 1) == 2
        assert isinstance(predicted, np.ndarray) == is_indicator
    assert BertClassifier(**FAST, multilabel=True).fit(TEXTS, named).classes_.tolist() == ["cat", "dog", "good"]


def test_several_labels_that_do_not_do():
    model = BertClassifier(**FAST, multilabel=True)
    for y, error, message in (
        (LABELS, TypeError, "must hold collections"),
        ([["a"]] * 24, ValueError, "at least 2"),
        ([[]] * 24, ValueError, "at least 2 labels, got none"),
        (INDICATOR * 0.5, ValueError, "0 and 1"),
        (np.where(INDICATOR, np.nan, 0), ValueError, "NaN"),
        (INDICATOR[:, :1], ValueError, "at least 2 labels, got 1"),
        (INDICATOR[:-1], ValueError, "inconsistent"),
        ([["a", 1]] * 24, TypeError, "of one type"),
        ([[1, "1"]] * 24, TypeError, "of one type"),
        ([["a"], [None]] * 12, ValueError, "missing"),
        ([[np.nan], ["a"]] * 12, ValueError, "missing"),
    ):
        with pytest.raises(error, match=message):
            model.fit(TEXTS, y)
    with pytest.raises(ValueError, match="does not know"):
        model.fit(TEXTS, SETS, X_val=TEXTS[:1], y_val=[["new"]])
    with pytest.raises(ValueError, match="column"):
        model.fit(TEXTS, INDICATOR, X_val=TEXTS[:1], y_val=INDICATOR[:1, :2])
    kept = model.fit(TEXTS, SETS, X_val=TEXTS[:1], y_val=[[]])  # a text without a label is one
    assert np.isfinite(kept.history_["validation_loss"]).all()


def test_weights_of_several_labels():
    balanced = BertClassifier(**FAST, multilabel=True, class_weight="balanced").fit(TEXTS, SETS)
    share = INDICATOR.mean(axis=0)
    np.testing.assert_allclose(balanced.class_weight_, (1 - share) / share)
    heavy = BertClassifier(**QUICK, multilabel=True, class_weight={"cat": 1, "dog": 1, "good": 9}).fit(TEXTS, SETS)
    plain = BertClassifier(**QUICK, multilabel=True).fit(TEXTS, SETS)
    assert heavy.predict_proba(TEXTS)[:, 2].mean() > plain.predict_proba(TEXTS)[:, 2].mean()


# ---- scikit-learn and files ------------------------------------------------------------------------------------------


def test_it_works_within_scikit_learn():
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    scores = cross_val_score(make_pipeline(lower, BertClassifier(**QUICK)), np.array(TEXTS), LABELS, cv=2)
    assert scores.shape == (2,)
    assert scores.min() > 0.5
    tags = BertClassifier().__sklearn_tags__()
    assert tags.input_tags.string
    assert tags.classifier_tags.multi_label
    assert not tags.input_tags.two_d_array


@pytest.mark.parametrize("y", [LABELS, SETS, INDICATOR], ids=["one", "sets", "indicator"])
def test_files_and_folders_of_every_kind(y, tmp_path):
    model = BertClassifier(**FAST, multilabel=y is not LABELS).fit(TEXTS, y)
    expected = model.predict_proba(TEXTS)
    mlcore.save(model, tmp_path / "file")
    found = mlcore.load(tmp_path / "file")
    np.testing.assert_array_equal(found.predict_proba(TEXTS), expected)
    np.testing.assert_array_equal(found.predict(TEXTS), model.predict(TEXTS)) if y is not SETS else None
    model.save_pretrained(tmp_path / "folder")
    again = BertClassifier.from_pretrained(tmp_path / "folder")
    np.testing.assert_array_equal(again.predict_proba(TEXTS), expected)
    assert again.multilabel == (y is not LABELS)


# ---- transformers ----------------------------------------------------------------------------------------------------


def run_of(network, rows, n_steps=20, rate=1e-3):
    """Return the losses of so many steps by the trainer, over one batch of all rows, by the loss of the estimator."""
    estimator = BertClassifier()
    estimator._is_multilabel = False
    batches = TextBatches(rows, batch_size=len(rows.example), shuffle=False)
    groups = [
        {"params": [p for p in network.parameters() if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in network.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    trainer = Trainer(
        network,
        step=lambda module, batch: estimator._loss(
            module(batch[0].ids, token_type_ids=batch[0].types, offsets=batch[0].offsets), batch, training=True
        ),
        optimizer=optim.AdamW(groups, lr=rate, max_norm=1.0),
        schedule=lambda rule, n: optim.warmup_linear(rule, 0, n),
        max_epochs=n_steps,
    )
    return trainer.fit(batches).history["loss"]


def data_of_run(config):
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 30, 24).tolist()
    batch = random_batch(rng, lengths, config)
    inputs = mlcore.seq.bert.BertBatch(batch["input_ids"], batch["token_type_ids"], batch["offsets"])
    y = rng.integers(0, 3, 24)
    return Rows(inputs, (y, np.ones(24, np.float32)), np.arange(24)), batch, y


@pytest.mark.peers
def test_losses_of_twenty_steps_are_those_of_transformers(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    options = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3}
    network = random_model(BertForSequenceClassification, std=0.1, **options)
    network.save_pretrained(tmp_path)
    peer = transformers.BertForSequenceClassification.from_pretrained(tmp_path)
    rows, batch, y = data_of_run(network.config)
    found = run_of(network, rows)
    from support.bert import padded

    inputs = {name: torch.tensor(value) for name, value in padded(batch).items()}
    decays = [p for p in peer.parameters() if p.ndim >= 2], [p for p in peer.parameters() if p.ndim < 2]
    rule = torch.optim.AdamW(
        [{"params": decays[0], "weight_decay": 0.01}, {"params": decays[1], "weight_decay": 0.0}], lr=1e-3
    )
    schedule = transformers.get_linear_schedule_with_warmup(rule, 0, 20)
    peer.train()
    losses = []
    for _ in range(20):
        loss = peer(**inputs, labels=torch.tensor(y)).loss
        losses.append(loss.item())
        rule.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        rule.step()
        schedule.step()
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_allclose(found, losses, atol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("several", [False, True])
def test_transformers_loads_the_folder_with_its_labels(several, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = BertClassifier(**FAST, multilabel=several).fit(TEXTS, SETS if several else LABELS)
    model.save_pretrained(tmp_path)
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        logits = peer(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.double()
    p = (torch.sigmoid(logits) if several else torch.softmax(logits, dim=1)).numpy()
    np.testing.assert_allclose(p, model.predict_proba(TEXTS), atol=1e-5)
    assert [peer.config.id2label[i] for i in range(3)] == model.classes_.tolist()
    assert peer.config.label2id == {label: i for i, label in enumerate(model.classes_.tolist())}


def test_the_loss_is_that_of_numpy():
    """The naive twin of the loss: weights, smoothing, factors of labels."""
    rng = np.random.default_rng(0)
    logits, weight = rng.normal(size=(5, 3)).astype(np.float32), rng.random(5).astype(np.float32)
    estimator = BertClassifier(label_smoothing=0.2)
    estimator._is_multilabel, y = False, np.array([0, 2, 1, 1, 0])
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    q = 0.8 * np.eye(3)[y] + 0.2 / 3
    loss, n = estimator._loss(Tensor(logits), (None, y, weight), training=True)
    assert (float(loss.item()), n) == (pytest.approx(-np.mean(weight * (q * log_p).sum(axis=1)), rel=1e-5), 5)
    loss, _ = estimator._loss(Tensor(logits), (None, y, weight), training=False)
    assert float(loss.item()) == pytest.approx(-np.mean(weight * log_p[np.arange(5), y]), rel=1e-5)
    estimator._is_multilabel, estimator.class_weight_ = True, np.array([1.0, 2.0, 0.5])
    target = (rng.random((5, 3)) < 0.5).astype(np.float32)
    t, p = 0.8 * target + 0.1, 1 / (1 + np.exp(-logits))
    entries = -(estimator.class_weight_ * t * np.log(p) + (1 - t) * np.log(1 - p))
    loss, _ = estimator._loss(Tensor(logits), (None, target, weight), training=True)
    assert float(loss.item()) == pytest.approx(np.mean(weight * entries.mean(axis=1)), rel=1e-5)
