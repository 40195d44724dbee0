"""BertRegressor: numbers in any unit, several of them, and transformers beside it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import r2_score

import mlcore
from mlcore.nn import Tensor
from mlcore.seq.bert import BertForSequenceClassification, BertRegressor
from support.bert import random_model

QUICK = {
    "config": {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64, "vocab_size": 100},
    "max_epochs": 20,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "dropout": 0.0,
    "random_state": 0,
}
FAST = QUICK | {"max_epochs": 2}
TEXTS = [f"{a} and {b} and {c}" for a in ("low", "high") for b in ("low", "high") for c in ("low", "high")] * 3
Y = np.array([text.count("high") for text in TEXTS], float)


def test_it_learns_from_scratch():
    model = BertRegressor(**QUICK).fit(TEXTS, Y)
    predicted = model.predict(TEXTS)
    assert predicted.shape == (24,)
    assert predicted.dtype == np.float64
    assert model.score(TEXTS, Y) == r2_score(Y, predicted)
    assert model.score(TEXTS, Y) > 0.8
    assert model.target_center_ == pytest.approx(Y.mean())
    assert model.target_width_ == pytest.approx(Y.std())


@pytest.mark.parametrize(("unit", "shift"), [(1e-8, 0.0), (1e8, 0.0), (1.0, 1e6), (2.0**-40, 0.0)])
def test_units_of_the_target_do_not_matter(unit, shift):
    expected = BertRegressor(**FAST).fit(TEXTS, Y).predict(TEXTS)
    found = BertRegressor(**FAST).fit(TEXTS, unit * Y + shift).predict(TEXTS)
    np.testing.assert_allclose((found - shift) / unit, expected, rtol=1e-3, atol=1e-3)


def test_several_numbers_of_a_text():
    both = np.column_stack([Y, 1e6 * (3 - Y)])
    model = BertRegressor(**QUICK).fit(TEXTS, both, X_val=TEXTS[:8], y_val=both[:8])
    assert model.predict(TEXTS).shape == (24, 2)
    assert model.score(TEXTS, both) > 0.8
    assert len(model.history_["validation_loss"]) == model.n_iter_
    column = BertRegressor(**FAST).fit(TEXTS, Y[:, None])
    np.testing.assert_array_equal(column.predict(TEXTS), BertRegressor(**FAST).fit(TEXTS, Y).predict(TEXTS))
    with pytest.raises(ValueError, match="y_val of BertRegressor has 1 numbers a text, fit had 2"):
        BertRegressor(**FAST).fit(TEXTS, both, X_val=TEXTS, y_val=Y)


def test_forms_of_targets():
    expected = BertRegressor(**FAST).fit(TEXTS, Y).predict(TEXTS)
    for y in (Y.tolist(), Y.astype(int), pd.Series(Y, index=range(24, 0, -1)), pl.Series(Y), Y.astype(np.float32)):
        np.testing.assert_array_equal(BertRegressor(**FAST).fit((text for text in TEXTS), y).predict(TEXTS), expected)


def test_targets_that_do_not_do():
    for y, message in (
        (None, "requires y to be passed"),
        (Y[:-1], "inconsistent numbers of samples"),
        (["a"] * 24, "y of BertRegressor must hold numbers: could not convert"),
        (np.r_[np.nan, Y[1:]], "NaN"),
        (np.r_[np.inf, Y[1:]], "infinity"),
        (Y.reshape(24, 1, 1), "dim"),
        ([10**400] * 24, "y of BertRegressor must hold numbers: int too large"),
        (np.array(["2020-01-01"] * 24, "M8[D]"), "turn it into numbers"),
        (pd.Series(pd.date_range("2020", periods=24, tz="UTC")), "turn it into numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            BertRegressor(**FAST).fit(TEXTS, y)


def test_what_is_constant_is_known_without_training():
    model = BertRegressor(**FAST).fit(TEXTS, np.full(24, 7e8))
    np.testing.assert_array_equal(model.predict(["anything"]), [7e8])
    assert model.n_iter_ == 0
    assert BertRegressor(**FAST, early_stopping=True).fit(["one"], [3.0]).predict(["two"]).tolist() == [3.0]


def test_weights_count():
    weight = (Y == 0) * 5.0
    model = BertRegressor(**FAST).fit(TEXTS, Y, weight)
    np.testing.assert_array_equal(model.predict(TEXTS), 0.0)  # nothing else has weight
    options = FAST | {"max_epochs": 8}
    heavy = BertRegressor(**options).fit(TEXTS, Y, 1 + weight)
    assert heavy.target_center_ < Y.mean()
    for unit in (1e-8, 1e8):
        found = BertRegressor(**options).fit(TEXTS, Y, unit * (1 + weight)).predict(TEXTS)
        np.testing.assert_allclose(found, heavy.predict(TEXTS), atol=1e-3)


def test_a_warm_start_keeps_its_units():
    model = BertRegressor(**FAST, warm_start=True).fit(TEXTS, Y)
    center, width = model.target_center_, model.target_width_
    model.fit(TEXTS, 10 * Y)
    np.testing.assert_array_equal([model.target_center_, model.target_width_], [center, width])
    assert model.n_iter_ == 4


def test_the_loss_is_that_of_numpy():
    rng = np.random.default_rng(0)
    outputs, target = rng.normal(size=(2, 5, 3)).astype(np.float32)
    weight = rng.random(5).astype(np.float32)
    loss, n = BertRegressor()._loss(Tensor(outputs), (None, target, weight), training=True)
    expected = np.mean(weight * ((outputs - target) ** 2).mean(axis=1))
    assert (float(loss.item()), n) == (pytest.approx(expected, rel=1e-5), 5)


@pytest.mark.parametrize("scale", [1.0, 1e8])
def test_files_and_folders(scale, tmp_path):
    model = BertRegressor(**FAST).fit(TEXTS, scale * Y)
    mlcore.save(model, tmp_path / "file")
    np.testing.assert_array_equal(mlcore.load(tmp_path / "file").predict(TEXTS), model.predict(TEXTS))
    model.save_pretrained(tmp_path / "folder")
    found = BertRegressor.from_pretrained(tmp_path / "folder")
    np.testing.assert_allclose(found.predict(TEXTS), model.predict(TEXTS), rtol=1e-5, atol=1e-5 * scale)
    network = random_model(BertForSequenceClassification, vocab_size=len(model.tokenizer_), num_labels=3)
    network.save_pretrained(tmp_path / "folder")
    with pytest.raises(ValueError, match="of classes"):
        BertRegressor.from_pretrained(tmp_path / "folder")


@pytest.mark.peers
def test_transformers_predicts_in_the_units_of_the_target(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = BertRegressor(**FAST).fit(TEXTS, 1e3 * Y)
    model.save_pretrained(tmp_path)
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        numbers = peer(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits[:, 0].numpy()
    np.testing.assert_allclose(numbers, model.predict(TEXTS), rtol=1e-4)
    assert peer.config.problem_type == "regression"
