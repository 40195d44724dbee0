"""Heads of BERT: logits, losses and gradients beside the naive twin, and labels that do not count or do not fit."""

import dataclasses

import numpy as np
import pytest

from mlcore import nn
from mlcore.seq import bert
from support.bert import padded, random_batch, random_model
from twins.bert import Bert, cross_entropy, split

LENGTHS = [5, 9, 1, 12]
N = sum(LENGTHS)


def made(name, **entries):
    model = random_model(getattr(bert, name), **entries)
    return model, random_batch(np.random.default_rng(1), LENGTHS, model.config)


def word_labels(config, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < 0.3, rng.integers(0, config.vocab_size, N), -100)


def each(method, batch):
    return [method(*sequence) for sequence in split(batch)]


# ---- logits ----


@pytest.mark.parametrize(
    ("name", "method", "of_tokens"),
    [
        ("BertForMaskedLM", "words", True),
        ("BertForNextSentencePrediction", "relation", False),
        ("BertForSequenceClassification", "classes", False),
        ("BertForTokenClassification", "token_classes", True),
    ],
)
def test_logits_are_those_of_the_twin(name, method, of_tokens):
    model, batch = made(name, num_labels=2 if "Next" in name else 5)
    twin = each(getattr(Bert(model.state_dict(), model.config), method), batch)
    with nn.no_grad():
        packed, wide = model(**batch).data, model(**padded(batch)).data
    np.testing.assert_allclose(packed, np.concatenate(twin) if of_tokens else twin, atol=1e-5)
    if of_tokens:
        real = padded(batch)["attention_mask"].astype(bool)
        assert not wide[~real].any()
        wide = wide[real]
    assert np.array_equal(wide, packed)


def test_logits_of_pre_training():
    model, batch = made("BertForPreTraining")
    twin = Bert(model.state_dict(), model.config)
    with nn.no_grad():
        words, relations = model(**batch)
    np.testing.assert_allclose(words.data, np.concatenate(each(twin.words, batch)), atol=1e-5)
    np.testing.assert_allclose(relations.data, each(twin.relation, batch), atol=1e-5)


def test_logits_of_question_answering():
    model, batch = made("BertForQuestionAnswering")
    ends = np.concatenate(each(Bert(model.state_dict(), model.config).ends, batch))
    with nn.no_grad():
        out = model(**batch)
        wide = model(**padded(batch))
    np.testing.assert_allclose(out.start_logits.data, ends[:, 0], atol=1e-5)
    np.testing.assert_allclose(out.end_logits.data, ends[:, 1], atol=1e-5)
    assert wide.start_logits.shape == wide.end_logits.shape == (4, 12)


def test_logits_of_some_masked_rows():
    model, batch = made("BertForMaskedLM")
    with nn.no_grad():
        whole = model(**batch).data
        for rows in ([3, 7, 20], [20, 3, 3], [], np.arange(N)):
            assert np.array_equal(model(**batch, mask_rows=rows).data, whole[np.asarray(rows, int)])
    with pytest.raises(ValueError, match=r"mask_rows must be in \[0, 27\), the number of tokens, got 27"):
        model(**batch, mask_rows=[27])
    with pytest.raises(ValueError, match="mask_rows are rows of packed sequences"):
        model(**padded(batch), mask_rows=[0])
    with pytest.raises(TypeError, match="mask_rows must be integers"):
        model(**batch, mask_rows=[0.5])


def test_untied_decoder():
    model, batch = made("BertForMaskedLM", tie_word_embeddings=False)
    assert model.cls.predictions.decoder.weight.shape == (60, 32)
    twin = Bert(model.state_dict(), model.config)
    with nn.no_grad():
        np.testing.assert_allclose(model(**batch).data, np.concatenate(each(twin.words, batch)), atol=1e-5)


# ---- losses and their gradients ----

CASES = {
    "BertForPreTraining": {},
    "BertForMaskedLM": {"hidden_act": "gelu_new"},
    "BertForNextSentencePrediction": {},
    "single": {"num_labels": 5},
    "multi": {"num_labels": 5},
    "regression": {"num_labels": 1},
    "BertForTokenClassification": {"num_labels": 5},
    "BertForQuestionAnswering": {},
}


def case(name):
    """A network, a batch, labels, and the loss of the twin as a function of the arrays."""
    cls = name if name.startswith("Bert") else "BertForSequenceClassification"
    model, batch = made(cls, **CASES[name])
    rng = np.random.default_rng(5)
    words, pairs = word_labels(model.config), np.array([0, 1, 1, -100])
    tags = np.where(rng.random(N) < 0.7, rng.integers(0, 5, N), -100)
    starts, ends = np.array([1, 8, 0, -100]), np.array([4, 9, 0, 11])  # 9 is beyond its sequence: does not count
    labels = {
        "BertForPreTraining": {"labels": words, "next_sentence_label": pairs},
        "BertForMaskedLM": {"labels": words},
        "BertForNextSentencePrediction": {"labels": pairs},
        "single": {"labels": np.array([0, 4, -100, 2])},
        "multi": {"labels": rng.integers(0, 2, (4, 5))},
        "regression": {"labels": rng.normal(size=4)},
        "BertForTokenClassification": {"labels": tags},
        "BertForQuestionAnswering": {"start_positions": starts, "end_positions": ends},
    }[name]

    def loss(arrays):
        twin = Bert(arrays, model.config)
        total = 0.0
        if "PreT" in name or "Masked" in name:
            total += cross_entropy(np.concatenate(each(twin.words, batch)), words)
        if "PreT" in name or "Next" in name:
            total += cross_entropy(each(twin.relation, batch), pairs)
        if name == "single":
            total += cross_entropy(each(twin.classes, batch), labels["labels"])
        if name == "multi":
            z = np.array(each(twin.classes, batch))
            total += np.mean(np.logaddexp(0, z) - labels["labels"] * z)
        if name == "regression":
            total += np.mean((np.array(each(twin.classes, batch))[:, 0] - labels["labels"]) ** 2)
        if "Token" in name:
            total += cross_entropy(np.concatenate(each(twin.token_classes, batch)), tags)
        if "Question" in name:
            logits = each(twin.ends, batch)
            total += cross_entropy([z[:, 0] for z in logits], starts) / 2
            total += cross_entropy([z[:, 1] for z in logits], np.where(ends == 9, -100, ends)) / 2
        return total

    return model, batch, labels, loss


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_the_twin(name):
    """The gradient of each array along a random direction; finite differences of the twin, 1e-4 apart, in float64."""
    model, batch, labels, loss_of = case(name)
    loss = model.loss(**batch, **labels)
    state = {key: value.astype(np.float64) for key, value in model.state_dict().items()}
    assert loss.item() == pytest.approx(loss_of(state), abs=2e-6)
    loss.backward()
    rng = np.random.default_rng(3)
    for key, parameter in model.named_parameters():
        direction = rng.normal(size=parameter.shape)
        direction /= np.linalg.norm(direction)
        high, low = (loss_of({**state, key: state[key] + step * direction}) for step in (1e-4, -1e-4))
        gradient = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad
        # float32 sums of the network: some 1e-6 of the largest gradient
        assert (gradient * direction).sum() == pytest.approx((high - low) / 2e-4, rel=1e-3, abs=5e-6), key


@pytest.mark.parametrize("name", CASES)
def test_loss_of_padded_input_is_that_of_packed(name):
    model, batch, labels, _ = case(name)
    wide = padded(batch)
    real = wide["attention_mask"].astype(bool)

    def spread(values):
        values = np.asarray(values)
        if values.shape != (N,):
            return values
        out = np.full(real.shape, 7)  # at padding any label does not count
        out[real] = values
        return out

    packed = model.loss(**batch, **labels).item()
    assert model.loss(**wide, **{key: spread(value) for key, value in labels.items()}).item() == packed


def test_places_of_answers_in_left_padded_input_are_columns():
    model, batch = made("BertForQuestionAnswering")
    wide = padded(batch)
    order = np.argsort(wide["attention_mask"], axis=1, kind="stable")
    left = {key: np.take_along_axis(value, order, 1) for key, value in wide.items()}
    starts, ends = np.array([1, 2, 0, 3]), np.array([4, 8, 0, 11])
    shift = 12 - np.array(LENGTHS)
    packed = model.loss(**batch, start_positions=starts, end_positions=ends)
    moved = model.loss(**left, start_positions=starts + shift, end_positions=ends + shift)
    assert moved.item() == packed.item()


def test_the_loss_of_answers_does_not_depend_on_what_else_is_in_the_batch():
    model, batch = made("BertForQuestionAnswering")
    losses = [
        model.loss(ids, token_type_ids=types, offsets=[0, len(ids)], start_positions=[0], end_positions=[0]).item()
        for ids, types in split(batch)
    ]
    together = model.loss(**batch, start_positions=np.zeros(4, int), end_positions=np.zeros(4, int)).item()
    assert together == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize("name", ["BertForMaskedLM", "BertForTokenClassification"])
def test_no_label_counts(name):
    model, batch = made(name)
    loss = model.loss(**batch, labels=np.full(N, -100))
    assert loss.item() == 0
    loss.backward()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_tied_weights_get_both_gradients():
    model, batch = made("BertForMaskedLM")
    model.loss(**batch, labels=word_labels(model.config)).backward()
    gradient = model.bert.embeddings.word_embeddings.weight.grad
    unread = np.setdiff1d(np.arange(60), batch["input_ids"])
    assert np.abs(gradient[unread]).sum(axis=1).all()  # of the output layer: every token
    assert [name for name, _ in model.named_parameters() if "decoder" in name] == []


def test_training_lowers_each_loss():
    for name in CASES:
        model, batch, labels, _ = case(name)
        optimizer = nn.optim.AdamW(model.parameters(), lr=3e-3)
        model.train()
        losses = []
        for _ in range(12):
            loss = model.loss(**batch, **labels)
            model.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.8 * losses[0], name


# ---- labels ----


def test_the_kind_of_problem_is_told_by_the_labels_or_the_config():
    model, batch = made("BertForSequenceClassification", num_labels=3)
    classes = model.loss(**batch, labels=[0, 1, 2, 0]).item()
    several = model.loss(**batch, labels=np.eye(4, 3)).item()
    assert model.loss(**batch, labels=np.eye(4, 3, dtype=bool)).item() == several
    assert classes != several
    model.config = dataclasses.replace(model.config, problem_type="regression")
    numbers = model.loss(**batch, labels=np.eye(4, 3)).item()
    with nn.no_grad():
        assert numbers == pytest.approx(np.mean((model(**batch).data - np.eye(4, 3)) ** 2), rel=1e-5)
    one, batch = made("BertForSequenceClassification", num_labels=1)
    assert one.loss(**batch, labels=[1, 2, 3, 4]).item() == one.loss(**batch, labels=np.arange(1.0, 5)[:, None]).item()


@pytest.mark.parametrize(
    ("name", "labels", "error", "message"),
    [
        ("BertForMaskedLM", {"labels": np.full(N, 60)}, ValueError, "60"),
        (
            "BertForMaskedLM",
            {"labels": np.zeros(3, int)},
            ValueError,
            r"labels has shape \(3,\), but input_ids \(27,\)",
        ),
        ("BertForMaskedLM", {"labels": np.zeros(N)}, TypeError, "labels must be integers"),
        ("BertForTokenClassification", {"labels": np.full(N, 2)}, ValueError, "2"),
        ("BertForNextSentencePrediction", {"labels": [0, 1, 2, 0]}, ValueError, "2"),
        ("BertForNextSentencePrediction", {"labels": [0, 1]}, ValueError, "shape"),
        ("BertForSequenceClassification", {"labels": [0, 1, 5, 0]}, ValueError, "5"),
        ("BertForSequenceClassification", {"labels": np.zeros((4, 3))}, ValueError, r"labels must have shape \(4, 2\)"),
        ("BertForSequenceClassification", {"labels": ["a"] * 4}, TypeError, "labels must be numbers"),
        (
            "BertForQuestionAnswering",
            {"start_positions": [0, 0, 0, -1], "end_positions": [0] * 4},
            ValueError,
            "start_positions must be at least 0, or -100, got -1",
        ),
        (
            "BertForQuestionAnswering",
            {"start_positions": [0, 0, 0], "end_positions": [0] * 4},
            ValueError,
            r"start_positions must have shape \(4,\)",
        ),
    ],
)
def test_bad_labels(name, labels, error, message):
    model, batch = made(name)
    with pytest.raises(error, match=message):
        model.loss(**batch, **labels)


def test_labels_are_by_keyword():
    model, batch = made("BertForMaskedLM")
    with pytest.raises(TypeError, match="positional"):
        model.loss(batch["input_ids"], np.zeros(N, int), offsets=batch["offsets"])
    with pytest.raises(TypeError, match="labels"):
        model.loss(**batch)
    with pytest.raises(TypeError, match=r"BertForMaskedLM got an unexpected argument 'labels': loss\("):
        model(**batch, labels=np.zeros(N, int))
    with pytest.raises(TypeError, match="token_types"):
        model(batch["input_ids"], token_types=np.zeros(N, int), offsets=batch["offsets"])
