"""The base of fine-tuned estimators: where they start, what moves how fast, what comes back, what is refused."""

import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import mlcore
from mlcore.nn import optim
from mlcore.seq.bert import (
    BertClassifier,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertRegressor,
    BertTokenClassifier,
    BertTokenizer,
)
from mlcore.seq.bert._rates import depth_of, freeze_up_to, frozen_depth, parameter_groups
from mlcore.seq.bert.finetuning._batches import Rows, TextBatches
from mlcore.text import SubwordTokenizer
from support.bert import needs_minilm, packaged_minilm, random_model, small_config, small_vocabulary

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 100}
QUICK = {"config": SMALL, "max_epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "random_state": 0}
TEXTS = [f"{one} {two}" for one in ("a good", "the bad", "no big", "one small") for two in ("cat", "dog", "house")] * 2
LABELS = ["+" if "good" in text or "big" in text else "-" for text in TEXTS]


def folder_of(path, model=None):
    """Write a folder with a small network and a vocabulary, as Hugging Face has them."""
    model = model or random_model(BertModel, vocab_size=len(small_vocabulary()))
    model.save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(small_vocabulary()) + "\n")
    return path


def weights(model):
    return {name: value.copy() for name, value in model.module_.state_dict().items()}


# ---- where it starts -------------------------------------------------------------------------------------------------


def test_it_starts_from_a_folder_and_from_other_estimators(tmp_path):
    start = random_model(BertModel, vocab_size=len(small_vocabulary()))
    folder = folder_of(tmp_path / "model", start)
    options = {"max_epochs": 1, "freeze": "all", "random_state": 0, "learning_rate": 1e-9}
    first = BertClassifier(folder, **options).fit(TEXTS, LABELS)
    for name, value in start.state_dict().items():
        np.testing.assert_allclose(first.module_.bert.state_dict()[name], value, atol=1e-7, err_msg=name)
    assert first.tokenizer_.tokens(range(5)) == small_vocabulary()[:5]
    again = BertClassifier(first, **options).fit(TEXTS, LABELS)
    np.testing.assert_allclose(again.predict_proba(TEXTS), first.predict_proba(TEXTS), atol=1e-4)
    number = BertRegressor(first, **options).fit(TEXTS, np.arange(len(TEXTS)))
    np.testing.assert_array_equal(
        number.module_.bert.embeddings.word_embeddings.weight.data,
        start.embeddings.word_embeddings.weight.data,
    )


def test_a_folder_without_a_pooler_gets_a_new_one(tmp_path):
    folder = folder_of(tmp_path, random_model(BertForMaskedLM, vocab_size=len(small_vocabulary())))
    model = BertClassifier(str(folder), max_epochs=1, random_state=0).fit(TEXTS, LABELS)
    assert np.isfinite(model.predict_proba(TEXTS)).all()


def test_a_config_from_scratch_is_checked():
    for config, message in (
        ({"hidden_size": 30, "num_attention_heads": 4}, "must divide"),
        ({"hidden_size": "a"}, "hidden_size of BertConfig must be an int"),
        ({"hidden_sizes": 32}, "entries of BertConfig, got 'hidden_sizes'"),
        ({"vocab_size": 2}, "vocab_size"),
    ):
        with pytest.raises(ValueError, match=message):
            BertClassifier(config=config).fit(TEXTS, LABELS)
    model = BertClassifier(**QUICK | {"config": BertConfig(**SMALL, num_attention_heads=2)}).fit(TEXTS, LABELS)
    assert model.module_.config.hidden_size == 32
    assert model.module_.config.vocab_size == len(model.tokenizer_)


def test_what_is_no_start(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        BertClassifier(tmp_path / "missing").fit(TEXTS, LABELS)
    with pytest.raises(NotFittedError):
        BertClassifier(BertRegressor()).fit(TEXTS, LABELS)
    with pytest.raises(TypeError, match=r"estimator of mlcore\.seq\.bert"):
        BertClassifier(mlcore.Ridge().fit([[0.0], [1.0]], [0, 1])).fit(TEXTS, LABELS)
    folder = folder_of(tmp_path / "model")
    with pytest.raises(ValueError, match="config of BertClassifier is for a network from scratch"):
        BertClassifier(folder, config=SMALL).fit(TEXTS, LABELS)
    (folder / "vocab.txt").write_text("\n".join([*small_vocabulary(), "more", "than", "there"]) + "\n")
    with pytest.raises(ValueError, match="the tokenizer has"):
        BertClassifier(folder).fit(TEXTS, LABELS)
    (folder / "vocab.txt").unlink()
    with pytest.raises(FileNotFoundError, match="vocab"):
        BertClassifier(folder).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="must be at most the number of layers, 2"):
        BertClassifier(**QUICK, freeze=3).fit(TEXTS, LABELS)


def test_a_clone_keeps_the_start(tmp_path):
    start = BertClassifier(**QUICK).fit(TEXTS, LABELS)
    model = clone(BertRegressor(start, max_epochs=1, n_jobs=2))
    assert model.model is start
    assert model.get_params(deep=False) == {
        **BertRegressor().get_params(),
        "model": start,
        "max_epochs": 1,
        "n_jobs": 2,
    }
    assert not hasattr(clone(start), "module_")


# ---- how fast it moves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("freeze", "frozen"), [(0, -1), ("embeddings", 0), (1, 1), (2, 2), ("all", 2)])
def test_what_is_frozen_stays(freeze, frozen, tmp_path):
    folder = folder_of(tmp_path)
    start = BertModel.from_pretrained(folder).state_dict()
    model = BertClassifier(folder, freeze=freeze, max_epochs=2, learning_rate=1e-3, random_state=0).fit(TEXTS, LABELS)
    used = set(np.unique(model.tokenizer_.encode(TEXTS).batch.ids))
    for name, value in model.module_.bert.state_dict().items():
        is_frozen = depth_of(name, 2) <= frozen
        assert np.array_equal(value, start[name]) == is_frozen, name
    assert len(used) > 5
    assert all(parameter.requires_grad for parameter in model.module_.parameters())  # none stays frozen for others


def test_frozen_layers_have_no_dropout(tmp_path):
    """With all but the head frozen and dropout in the encoder alone, two epochs see the same features."""
    folder = folder_of(tmp_path)
    network = random_model(BertModel, vocab_size=len(small_vocabulary()), hidden_dropout_prob=0.5)
    folder_of(folder, network)
    model = BertClassifier(folder, freeze="all", max_epochs=3, learning_rate=1e-12, batch_size=100, random_state=0)
    model.fit(TEXTS, LABELS)
    quiet = BertClassifier(folder, freeze="all", max_epochs=3, learning_rate=1e-12, batch_size=100, random_state=0)
    quiet.set_params(dropout=0.0).fit(TEXTS, LABELS)
    assert np.ptp(quiet.loss_curve_) < 1e-6
    assert 1e-6 < np.ptp(model.loss_curve_) < 0.5  # that of the head's input remains


@pytest.mark.parametrize("estimator", [BertClassifier, BertRegressor])
def test_a_head_alone_learns_from_what_the_encoder_read_once(estimator, tmp_path, monkeypatch):
    """The same weights as if each epoch had read the texts again."""
    y = LABELS if estimator is BertClassifier else np.arange(24.0)
    model = estimator(folder_of(tmp_path), freeze="all", max_epochs=3, learning_rate=1e-2, random_state=0)
    model.set_params(scoring="score").fit(TEXTS, y, X_val=TEXTS[:5], y_val=y[:5])
    again = clone(model)
    monkeypatch.setattr(again, "_encoded", lambda encoder, rows: rows)
    again.fit(TEXTS, y, X_val=TEXTS[:5], y_val=y[:5])
    np.testing.assert_allclose(model.loss_curve_, again.loss_curve_, rtol=1e-5)
    for name in ("loss", "score"):
        np.testing.assert_allclose(
            model.history_[f"validation_{name}"], again.history_[f"validation_{name}"], rtol=1e-4, atol=1e-5
        )
    for name, value in weights(again).items():
        np.testing.assert_allclose(weights(model)[name], value, atol=1e-5, err_msg=name)


def test_layer_decay_gives_the_rates():
    network = mlcore.seq.bert.BertForSequenceClassification(small_config())
    freeze_up_to(network, -1, 2)
    groups = parameter_groups(network, 2, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    for name, p in network.named_parameters():
        expected = 0.5 ** (3 - depth_of(name, 2))
        decays = 0.1 if name.endswith("weight") and "LayerNorm" not in name else 0.0
        assert rates[id(p)] == (expected, decays), name
    assert depth_of("bert.embeddings.LayerNorm.bias", 2) == 0
    assert [depth_of(f"bert.encoder.layer.{i}.output.dense.bias", 2) for i in (0, 1)] == [1, 2]
    assert depth_of("bert.pooler.dense.weight", 2) == depth_of("classifier.bias", 2) == 3
    assert groups[0]["lr"] == 1.0
    freeze_up_to(network, frozen_depth("all", 2, "it"), 2)
    left = parameter_groups(network, 2, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    assert {group["lr"] for group in left} == {1.0}
    assert len(parameter_groups(network, 2, learning_rate=1.0, layer_decay=1.0, weight_decay=0.0)) == 2


def test_the_rate_rises_and_falls():
    model = BertClassifier(**QUICK | {"max_epochs": 4, "warmup_ratio": 0.25, "learning_rate": 1e-3}).fit(TEXTS, LABELS)
    rates = model.history_["learning_rate"]  # of the last of three steps an epoch
    schedule = optim.warmup_linear(optim.SGD([mlcore.nn.Parameter([0.0])], lr=1e-3), 3, 12)
    expected = [schedule.rate(step, 1e-3) for step in (2, 5, 8, 11)]
    np.testing.assert_allclose(rates, expected)


# ---- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [{"batch_size": 7}, {"batch_size": 1, "batch_tokens": 60}])
def test_batches_hold_all_rows_once_by_length(sizes):
    tokenizer = BertTokenizer(SubwordTokenizer.train(TEXTS, kind="wordpiece", vocab_size=80))
    texts = ["cat " * (1 + 7 * i % 20) for i in range(50)]
    inputs = tokenizer.encode(texts).batch
    rows = Rows(inputs, (np.arange(50), inputs), np.arange(50))
    batches = TextBatches(rows, **sizes)
    found = list(batches.epoch(0, 3))
    assert len(found) == len(batches)
    assert sorted(np.concatenate([batch[1] for batch in found])) == list(range(50))
    for batch, numbers, again in found:
        np.testing.assert_array_equal(batch.lengths, inputs.lengths[numbers])
        np.testing.assert_array_equal(batch.ids, again.ids)
        if "batch_tokens" in sizes:
            assert batch.lengths.sum() <= 60 + inputs.lengths.max()
        else:
            assert 6 <= len(numbers) <= 7
    assert np.mean([np.ptp(batch.lengths) for batch, *_ in found]) < 4


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_early_stopping_keeps_the_best_epoch():
    options = QUICK | {"max_epochs": 12, "learning_rate": 5e-3, "n_iter_no_change": 2}
    y = np.random.default_rng(0).permutation(LABELS)  # nothing to learn: validation gets worse
    model = BertClassifier(**options).fit(TEXTS, y, X_val=TEXTS[:10], y_val=LABELS[:10])
    best = int(np.argmin(model.history_["validation_loss"]))
    assert model.history_.best_epoch == best
    assert model.n_iter_ < 12
    assert model.n_iter_ == best + 3
    scored = BertClassifier(**options, scoring="score").fit(TEXTS, LABELS, X_val=TEXTS[:10], y_val=LABELS[:10])
    scores = scored.history_["validation_score"]
    assert scores[scored.history_.best_epoch] == scores.max() == scored.score(TEXTS[:10], LABELS[:10])
    assert "validation_loss" not in BertClassifier(**QUICK).fit(TEXTS, LABELS).history_
    held = BertClassifier(**QUICK, early_stopping=True, validation_fraction=0.25).fit(TEXTS, LABELS)
    assert "validation_loss" in held.history_


def test_a_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    options = QUICK | {"max_epochs": 4, "checkpoint": tmp_path / "run.safetensors"}
    whole = BertClassifier(**options).fit(TEXTS, LABELS)
    (tmp_path / "run.safetensors").unlink()
    broken = BertClassifier(**options)
    loss, calls = broken._loss, []

    def interrupted(*args, **kwargs):
        calls.append(0)
        if len(calls) == 8:  # in the third epoch
            raise KeyboardInterrupt
        return loss(*args, **kwargs)

    monkeypatch.setattr(broken, "_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(TEXTS, LABELS)
    assert not hasattr(broken, "module_")
    resumed = BertClassifier(**options).fit(TEXTS, LABELS, resume=True)
    np.testing.assert_array_equal(resumed.predict_proba(TEXTS), whole.predict_proba(TEXTS))
    np.testing.assert_array_equal(resumed.loss_curve_, whole.loss_curve_)


def test_a_warm_start_goes_on():
    model = BertClassifier(**QUICK, warm_start=True).fit(TEXTS, LABELS)
    before, losses = weights(model), model.loss_curve_.copy()
    model.fit(TEXTS[:12], LABELS[:12])
    assert model.n_iter_ == 4
    np.testing.assert_array_equal(model.loss_curve_[:2], losses)
    assert any(not np.array_equal(before[name], value) for name, value in weights(model).items())
    kept = weights(model)
    with pytest.raises(ValueError, match="classes that the model does not know"):
        model.fit(TEXTS, ["new"] * len(TEXTS))
    assert all(np.array_equal(kept[name], value) for name, value in weights(model).items())


def test_progress_counts_texts(capsys, caplog):
    BertClassifier(**QUICK, verbose=1).fit(TEXTS, LABELS)
    shown = capsys.readouterr().err
    assert "BertClassifier" in shown
    assert "48/48" in shown  # two epochs
    with caplog.at_level("INFO", "mlcore"):
        BertClassifier(**QUICK, verbose=2).fit(TEXTS, LABELS)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("BertClassifier")]
    assert len(lines) == 2
    assert "texts a second" in lines[0]


@pytest.mark.parametrize("estimator", [BertClassifier, BertRegressor])
def test_training_that_diverges_becomes_the_constant(estimator):
    y = LABELS if estimator is BertClassifier else np.array([float(label == "+") for label in LABELS])
    model = estimator(**QUICK | {"learning_rate": 3.0, "max_epochs": 3, "max_norm": None})
    with pytest.warns(ConvergenceWarning, match="did not get below the loss of a constant prediction"):
        model.fit(TEXTS, y)
    if estimator is BertClassifier:
        np.testing.assert_allclose(model.predict_proba(TEXTS)[:, 0], 0.5, atol=1e-6)
    else:
        np.testing.assert_allclose(model.predict(TEXTS), y.mean(), atol=1e-6)


def test_what_is_too_long_is_cut_with_one_warning():
    with pytest.warns(UserWarning, match="2 of 26 texts are longer than max_length=8") as warned:
        model = BertClassifier(**QUICK, max_length=8).fit([*TEXTS, "cat " * 10_000, "dog " * 20], [*LABELS, "+", "-"])
    assert len(warned) == 1
    with pytest.warns(UserWarning, match="longer than max_length=8"):
        cut = model.predict_proba(["cat " * 10_000])
    np.testing.assert_array_equal(cut, model.predict_proba(["cat " * 6]))


# ---- outputs ---------------------------------------------------------------------------------------------------------


def test_predictions_do_not_depend_on_the_batch_nor_on_threads():
    model = BertClassifier(**QUICK).fit(TEXTS, LABELS)
    texts = [*TEXTS, "", "cat " * 300, "#", "一 二"]
    whole = model.predict_proba(texts)
    np.testing.assert_array_equal(np.concatenate([model.predict_proba([text]) for text in texts]), whole)
    np.testing.assert_array_equal(model.predict_proba(texts[::-1])[::-1], whole)
    for n_jobs in (1, 2, 5):
        np.testing.assert_array_equal(model.set_params(n_jobs=n_jobs).predict_proba(texts), whole)
        np.testing.assert_array_equal(
            BertClassifier(**QUICK, n_jobs=n_jobs).fit(TEXTS, LABELS).predict_proba(texts), whole
        )
    assert model.predict([]).shape == (0,)


def test_the_native_encoder_is_that_of_the_weights_of_now():
    model = BertClassifier(**QUICK).fit(TEXTS, LABELS)
    first = model.predict_proba(TEXTS)
    inputs = model.tokenizer_.encode(TEXTS).batch
    with mlcore.nn.no_grad():
        logits = model.module_(inputs.ids, token_type_ids=inputs.types, offsets=inputs.offsets).data.astype(float)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), first, atol=1e-5)
    with mlcore.nn.no_grad():
        model.module_.bert.embeddings.word_embeddings.weight.fill_(0)
    assert not np.array_equal(model.predict_proba(TEXTS), first)


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yes", ["yes", True, 7])
def test_a_folder_brings_labels_and_predictions_back(yes, tmp_path):
    labels = [yes if label == "+" else type(yes)() for label in LABELS]
    model = BertClassifier(**QUICK | {"max_epochs": 8}).fit(TEXTS, labels)
    model.save_pretrained(tmp_path / "model")
    found = BertClassifier.from_pretrained(tmp_path / "model", n_jobs=1)
    assert found.classes_.tolist() == model.classes_.tolist()
    assert type(found.predict(TEXTS[:1]).tolist()[0]) is type(labels[0])
    np.testing.assert_array_equal(found.predict_proba(TEXTS), model.predict_proba(TEXTS))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": str(model.classes_[0]), "1": str(model.classes_[1])}
    assert config["problem_type"] == "single_label_classification"
    again = found.set_params(max_epochs=1, random_state=0).fit(TEXTS, labels)  # starts from the folder
    assert again.model == str(tmp_path / "model")
    mlcore.save(found, tmp_path / "file")
    np.testing.assert_array_equal(mlcore.load(tmp_path / "file").predict(TEXTS), found.predict(TEXTS))


def test_labels_of_a_folder_need_not_be_sorted(tmp_path):
    network = random_model(
        mlcore.seq.bert.BertForSequenceClassification,
        vocab_size=len(small_vocabulary()),
        id2label={0: "yes", 1: "maybe", 2: "no"},
    )
    model = BertClassifier.from_pretrained(folder_of(tmp_path, network))
    assert model.classes_.tolist() == ["maybe", "no", "yes"]
    inputs = model.tokenizer_.encode(TEXTS).batch
    with mlcore.nn.no_grad():
        logits = network(inputs.ids, offsets=inputs.offsets).data
    np.testing.assert_allclose(model.decision_function(TEXTS), logits[:, [1, 2, 0]], atol=1e-5)
    with pytest.raises(ValueError, match="reads networks of numbers"):
        BertRegressor.from_pretrained(tmp_path)
    network = random_model(mlcore.seq.bert.BertForSequenceClassification, vocab_size=71, num_labels=1)
    with pytest.raises(ValueError, match="two classes or more"):
        BertClassifier.from_pretrained(folder_of(tmp_path, network))


def test_a_folder_with_another_head_is_refused(tmp_path):
    encoder, texts, words = (
        folder_of(tmp_path / name, random_model(getattr(mlcore.seq.bert, name), vocab_size=71))
        for name in ("BertModel", "BertForSequenceClassification", "BertForTokenClassification")
    )
    with pytest.raises(ValueError, match=r"holds a BertModel, .*BertClassifier\(model=folder\)\.fit\(X, y\)"):
        BertClassifier.from_pretrained(encoder)
    with pytest.raises(ValueError, match=r"reads a BertForTokenClassification"):
        BertTokenClassifier.from_pretrained(texts)  # whose last layer has the same name and may have the same shape
    with pytest.raises(ValueError, match=r"holds a BertForTokenClassification"):
        BertClassifier.from_pretrained(words)
    for said in (["BertForEmotions"], None):  # a class of somebody's own says nothing: the weights decide
        for folder in (texts, encoder):
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "architectures": said}))
        assert len(BertClassifier.from_pretrained(texts).classes_) == 2
    with pytest.raises(ValueError, match="missing: classifier"):
        BertClassifier.from_pretrained(encoder)


def test_nothing_is_written_before_a_fit(tmp_path):
    with pytest.raises(NotFittedError):
        BertClassifier().save_pretrained(tmp_path)


@needs_minilm
def test_the_head_of_minilm_learns_in_seconds():
    texts = ["the film is great", "what a wonderful movie", "I loved it", "a masterpiece", "brilliant acting"] * 2
    texts += ["the film is awful", "what a terrible movie", "I hated it", "a waste of time", "dreadful acting"] * 2
    y = [1] * 10 + [0] * 10
    model = BertClassifier(packaged_minilm(), freeze=5, max_epochs=4, learning_rate=1e-3, batch_size=5, random_state=0)
    model.fit(texts, y)
    assert model.predict(["a great movie, I loved the acting", "an awful waste of time"]).tolist() == [1, 0]


def test_products_of_fewer_bits_are_near(tmp_path):
    options = {"freeze": "all", "max_epochs": 5, "learning_rate": 1e-2, "random_state": 0}
    model = BertClassifier(folder_of(tmp_path), **options).fit(TEXTS, LABELS)
    exact = model.decision_function(TEXTS)
    for dtype, share in (("int8", 0.1), ("bfloat16", 0.02)):
        found = model.set_params(dtype=dtype).decision_function(TEXTS)
        assert not np.array_equal(found, exact)
        np.testing.assert_allclose(found, exact, atol=share * np.abs(exact).max())
    np.testing.assert_array_equal(model.set_params(dtype="float32").decision_function(TEXTS), exact)
