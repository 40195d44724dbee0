"""Seq2Seq, the estimator: what it learns, its options, bad input."""

import numpy as np
import pytest

from mlcore import Seq2Seq

DAYS, MONTHS = ["first", "second", "third"], ["May", "June", "July"]
SOURCES = [f"the {day} of {month}" for day in DAYS for month in MONTHS]
TARGETS = [f"{d} . {m} ." for d in (1, 2, 3) for m in (5, 6, 7)]
SMALL = {"embedding_size": 16, "hidden_size": 32, "learning_rate": 0.01, "max_epochs": 60, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return Seq2Seq(**SMALL).fit(SOURCES, TARGETS)


def test_it_learns(model):
    assert model.predict(SOURCES) == model.generate(SOURCES, sampling="greedy")
    assert model.score(SOURCES, TARGETS) > 99
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    best, scores, attention = model.generate(SOURCES[:2], n_best=3, return_scores=True, return_attention=True)
    assert [len(texts) for texts in best] == [3, 3]
    assert all((np.diff(s) <= 0).all() for s in scores)
    looked = attention[0][0]
    assert looked.weights.shape == (len(looked.queries), len(looked.keys))
    np.testing.assert_allclose(looked.weights.sum(axis=1), 1, atol=1e-5)


def test_a_source_does_not_depend_on_the_others(model):
    together = model.generate(SOURCES, n_best=5, return_scores=True)
    for i in (0, 4, 8):
        texts, scores = model.generate(SOURCES[i : i + 1], n_best=5, return_scores=True)
        assert texts[0] == together[0][i]
        np.testing.assert_array_equal(scores[0], together[1][i])


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "attention": "general", "n_layers": 2},
        {"cell": "rnn", "attention": "dot", "bidirectional": False},
        {"attention": None},
        {"input_feeding": True, "teacher_forcing": 0.8},
    ],
)
def test_options_reach_the_network(options):
    model = Seq2Seq(**SMALL | {"max_epochs": 2} | options).fit(SOURCES, TARGETS)
    assert len(model.predict(SOURCES)) == len(SOURCES)
    network = model.module_
    assert network.cell == options.get("cell", "lstm")
    assert network.encoder_stack.bidirectional == options.get("bidirectional", True)
    assert network.decoder_stack.num_layers == options.get("n_layers", 1)
    assert (network.attend.score if network.attend else None) == options.get("attention", "additive")
    assert (network.input_feeding, network.teacher_forcing) == (
        options.get("input_feeding", False),
        options.get("teacher_forcing", 1.0),
    )
    if network.attend is None:
        with pytest.raises(ValueError, match="without attention"):
            model.generate(SOURCES[:1], return_attention=True)


def test_the_same_weights_for_any_number_of_threads():
    models = [
        Seq2Seq(**SMALL | {"max_epochs": 2, "n_jobs": n, "teacher_forcing": 0.7}).fit(SOURCES, TARGETS)
        for n in (1, 2, 3)
    ]
    for other in models[1:]:
        for a, b in zip(models[0].module_.parameters(), other.module_.parameters(), strict=True):
            np.testing.assert_array_equal(a.data, b.data)


def test_weights_of_int8(model):
    report = model.quantize(SOURCES, TARGETS)
    try:
        assert report["agreement"] > 90
    finally:
        model.is_quantized_ = False


def test_hostile_input(model):
    with pytest.warns(UserWarning, match="max_length=256"):
        texts = model.predict(["", "the", "never seen words", "the first of May " * 500])
    assert len(texts) == 4
    with pytest.raises(ValueError, match="same number of entries"):
        Seq2Seq(**SMALL).fit(SOURCES, TARGETS[:-1])
    for options in ({"cell": "tree"}, {"attention": "self"}, {"teacher_forcing": 2.0}, {"hidden_size": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Seq2Seq(**SMALL | options).fit(SOURCES, TARGETS)
    with pytest.raises(ValueError, match="input_feeding"):
        Seq2Seq(**SMALL | {"input_feeding": True, "attention": None}).fit(SOURCES, TARGETS)
