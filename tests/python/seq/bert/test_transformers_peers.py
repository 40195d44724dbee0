"""Every head beside transformers, whose folders are read, and which reads ours: outputs, losses and gradients."""

import json

import numpy as np
import pytest

from mlcore import nn
from mlcore.seq import bert
from support.bert import needs_minilm, packaged_minilm, padded, random_batch, random_model

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LENGTHS = [5, 17, 1, 40]
N = sum(LENGTHS)
HEADS = [
    ("BertForPreTraining", {}),
    ("BertForMaskedLM", {"hidden_act": "gelu_new"}),
    ("BertForNextSentencePrediction", {}),
    ("BertForSequenceClassification", {"num_labels": 5}),
    ("BertForSequenceClassification", {"num_labels": 5, "problem_type": "multi_label_classification"}),
    ("BertForSequenceClassification", {"num_labels": 1}),
    ("BertForTokenClassification", {"num_labels": 5, "hidden_act": "relu"}),
    ("BertForQuestionAnswering", {}),
]
IDS = [f"{name}-{'-'.join(map(str, entries.values()))}" for name, entries in HEADS]


def theirs_from(folder, name):
    """Read by transformers, which must miss nothing and find nothing that it does not know."""
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


def tensors(arrays):
    return {name: torch.tensor(np.asarray(array)) for name, array in arrays.items()}


def floats(labels):
    return {name: x.float() if x.dtype == torch.float64 else x for name, x in tensors(labels).items()}


def labels_of(name, config):
    rng = np.random.default_rng(5)
    words = np.where(rng.random(N) < 0.3, rng.integers(0, config.vocab_size, N), -100)
    tags = np.where(rng.random(N) < 0.7, rng.integers(0, config.n_labels, N), -100)
    pairs = np.array([0, 1, 1, 0])
    if name == "BertForSequenceClassification":
        if config.n_labels == 1:
            return {"labels": rng.normal(size=4)}
        multi = config.problem_type == "multi_label_classification"
        return {"labels": rng.integers(0, 2, (4, 5)).astype(float) if multi else np.array([0, 4, 1, 2])}
    return {
        "BertForPreTraining": {"labels": words, "next_sentence_label": pairs},
        "BertForMaskedLM": {"labels": words},
        "BertForNextSentencePrediction": {"labels": pairs},
        "BertForTokenClassification": {"labels": tags},
        "BertForQuestionAnswering": {"start_positions": [1, 2, 0, 7], "end_positions": [3, 16, 0, 44]},
    }[name]


def compare_outputs(ours, theirs, batch):
    wide = padded(batch)
    real = wide["attention_mask"].astype(bool)
    with nn.no_grad():
        outputs = ours(**batch)
    with torch.no_grad():
        expected = [value.numpy() for value in theirs(**tensors(wide)).values()]
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert len(outputs) == len(expected)
    for mine, other in zip(outputs, expected, strict=True):
        other = other[real] if other.shape[:2] == real.shape else other
        np.testing.assert_allclose(mine.data, other, atol=1e-5)  # float32, sums in another order


@pytest.mark.parametrize(("name", "entries"), [("BertModel", {}), *HEADS], ids=["BertModel", *IDS])
def test_transformers_reads_what_we_write_and_we_read_what_it_writes(name, entries, tmp_path):
    cls = getattr(bert, name)
    ours = random_model(cls, **entries)
    ours.save_pretrained(tmp_path / "ours")
    theirs = theirs_from(tmp_path / "ours", name)
    batch = random_batch(np.random.default_rng(1), LENGTHS, ours.config)
    compare_outputs(ours, theirs, batch)
    theirs.save_pretrained(tmp_path / "theirs")
    again = cls.from_pretrained(tmp_path / "theirs")
    before, after = ours.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    written, kept = again.config.to_dict(), ours.config.to_dict()
    assert {key: written.get(key) for key in kept} == kept


@pytest.mark.parametrize(("name", "entries"), HEADS, ids=IDS)
def test_their_new_networks(name, entries, tmp_path):
    """Made by transformers, not by us: its own configuration and first weights."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 6, "intermediate_size": 40}
    config = transformers.BertConfig(**sizes, vocab_size=97, initializer_range=0.1, type_vocab_size=3, **entries)
    theirs = getattr(transformers, name)(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = getattr(bert, name).from_pretrained(tmp_path)
    compare_outputs(ours, theirs, random_batch(np.random.default_rng(2), [3, 60, 7], ours.config))


@pytest.mark.parametrize(("name", "entries"), HEADS, ids=IDS)
def test_losses_and_gradients(name, entries, tmp_path):
    lengths = LENGTHS if name != "BertForQuestionAnswering" else [40] * 4  # its loss has padding in it, ours has not
    ours = random_model(getattr(bert, name), **entries)
    ours.save_pretrained(tmp_path)
    theirs = theirs_from(tmp_path, name)
    batch = random_batch(np.random.default_rng(1), lengths, ours.config)
    labels = labels_of(name, ours.config)
    wide = padded(batch)

    def spread(values):
        values = np.asarray(values)
        if values.shape != (N,):
            return values
        out = np.full(wide["input_ids"].shape, -100)
        out[wide["attention_mask"].astype(bool)] = values
        return out

    loss = ours.loss(**batch, **labels)
    loss.backward()
    expected = theirs(**tensors(wide), **floats({key: spread(value) for key, value in labels.items()})).loss
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    gradients = dict(theirs.named_parameters())
    for key, parameter in ours.named_parameters():
        other = gradients[key].grad
        mine = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad
        np.testing.assert_allclose(mine, 0 if other is None else other.numpy(), atol=1e-5, err_msg=key)


def test_training_steps_go_the_same_way(tmp_path):
    """Ten steps of AdamW without dropout: weights apart by 1e-4 at most, a hundredth of what the steps have moved."""
    entries = {"num_labels": 3, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    ours = random_model(bert.BertForSequenceClassification, **entries).train()
    ours.save_pretrained(tmp_path)
    theirs = theirs_from(tmp_path, "BertForSequenceClassification").train()
    first = ours.state_dict()
    options = {"lr": 1e-3, "weight_decay": 0.01, "eps": 1e-6}  # eps: Adam divides noise by noise where a gradient is 0
    mine, other = nn.optim.AdamW(ours.parameters(), **options), torch.optim.AdamW(theirs.parameters(), **options)
    rng = np.random.default_rng(0)
    for _ in range(10):
        batch, labels = random_batch(rng, [9, 4, 12, 3], ours.config), rng.integers(0, 3, 4)
        ours.zero_grad()
        ours.loss(**batch, labels=labels).backward()
        mine.step()
        other.zero_grad()
        theirs(**tensors(padded(batch)), labels=torch.tensor(labels)).loss.backward()
        other.step()
    expected = theirs.state_dict()
    moved = max(np.abs(first[key] - value).max() for key, value in ours.state_dict().items())
    assert moved > 5e-3
    for key, value in ours.state_dict().items():
        np.testing.assert_allclose(value, expected[key].numpy(), atol=1e-4, err_msg=key)


def test_position_ids_on_the_left(tmp_path):
    """Hugging Face counts padding on the left among the positions: so do we where the positions are given."""
    ours = random_model(bert.BertModel)
    ours.save_pretrained(tmp_path)
    theirs = theirs_from(tmp_path, "BertModel")
    wide = padded(random_batch(np.random.default_rng(1), [5, 9], ours.config))
    left = {key: np.concatenate([value[:1, 5:], value[:1, :5]], axis=1) for key, value in wide.items()}
    with nn.no_grad(), torch.no_grad():
        mine = ours(**left, position_ids=np.arange(9)[None]).last_hidden_state.data[0, 4:]
        other = theirs(**tensors(left)).last_hidden_state[0, 4:].numpy()
    np.testing.assert_allclose(mine, other, atol=1e-5)


def test_untied_decoder(tmp_path):
    ours = random_model(bert.BertForMaskedLM, tie_word_embeddings=False)
    ours.save_pretrained(tmp_path / "ours")
    theirs = theirs_from(tmp_path / "ours", "BertForMaskedLM")
    batch = random_batch(np.random.default_rng(1), LENGTHS, ours.config)
    compare_outputs(ours, theirs, batch)
    theirs.save_pretrained(tmp_path / "theirs")
    compare_outputs(bert.BertForMaskedLM.from_pretrained(tmp_path / "theirs"), theirs, batch)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_folders(dtype, tmp_path):
    ours = random_model(bert.BertForMaskedLM)
    ours.save_pretrained(tmp_path)
    theirs = theirs_from(tmp_path, "BertForMaskedLM").to(getattr(torch, dtype))
    theirs.save_pretrained(tmp_path / "half")
    again = bert.BertForMaskedLM.from_pretrained(tmp_path / "half")
    for name, parameter in theirs.named_parameters():
        if "decoder" not in name:
            assert np.array_equal(again.state_dict()[name], parameter.detach().float().numpy()), name
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == dtype
    again.save_pretrained(tmp_path / "back")
    assert theirs_from(tmp_path / "back", "BertForMaskedLM").dtype == torch.float32


def test_several_files(tmp_path):
    ours = random_model(bert.BertForPreTraining)
    ours.save_pretrained(tmp_path / "one")
    theirs_from(tmp_path / "one", "BertForPreTraining").save_pretrained(tmp_path / "many", max_shard_size="30KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    again = bert.BertForPreTraining.from_pretrained(tmp_path / "many").state_dict()
    assert all(np.array_equal(value, again[name]) for name, value in ours.state_dict().items())


def test_auto_classes_find_the_network(tmp_path):
    random_model(bert.BertForTokenClassification, num_labels=3).save_pretrained(tmp_path)
    found = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(found).__name__ == "BertForTokenClassification"
    assert found.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert type(transformers.AutoModel.from_pretrained(tmp_path)).__name__ == "BertModel"


@needs_minilm
def test_packaged_minilm():
    ours = bert.BertModel.from_pretrained(packaged_minilm())
    theirs = transformers.BertModel.from_pretrained(packaged_minilm()).eval()
    compare_outputs(ours, theirs, random_batch(np.random.default_rng(0), [5, 17, 1, 40, 128], ours.config))
