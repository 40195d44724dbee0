"""Folders of weights: what is written is read again, names of old and other writers, damage, and what is missing."""

import json
import re
import shutil

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from mlcore import nn
from mlcore.seq import bert
from mlcore.seq.bert import (
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)
from mlcore.seq.bert.network import _folder as folder_module
from support.bert import needs_minilm, packaged_minilm, random_batch, random_model

HEADS = [name for name in bert.__all__ if name.startswith("BertFor") and not name.endswith("Output")]
WORDS = "bert.embeddings.word_embeddings.weight"
DECODER = "cls.predictions.decoder.weight"


def same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def saved(tmp_path):
    """A network and the folder it was saved to."""
    model = random_model(BertForPreTraining)
    model.save_pretrained(tmp_path / "model")
    return model, tmp_path / "model"


def rewritten(folder, change):
    """Write the tensors of a folder again after a change."""
    tensors = load_file(folder / "model.safetensors")
    changed = change(tensors)
    save_file(tensors if changed is None else changed, folder / "model.safetensors", {"format": "pt"})


def with_config(folder, **entries):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **entries}))


# ---- what is written is read ----


@pytest.mark.parametrize("name", ["BertModel", *HEADS])
def test_round_trip(name, tmp_path):
    cls = getattr(bert, name)
    model = random_model(cls, num_labels=3)
    model.save_pretrained(tmp_path / "a" / "b")
    again = cls.from_pretrained(tmp_path / "a" / "b")
    assert type(again) is cls
    assert same(model, again)
    assert not again.training
    assert again.config.n_labels == 3
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["config.json", "model.safetensors"]
    again.save_pretrained(tmp_path / "c")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "c" / file).read_bytes() == (tmp_path / "a" / "b" / file).read_bytes()


def test_what_a_file_holds(saved):
    model, folder = saved
    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}  # without it transformers refuses the file
        names = set(file.keys())
    assert names == {name for name, _ in model.named_parameters()}
    assert not any("decoder" in name for name in names)
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertForPreTraining"]
    assert config["model_type"] == "bert"
    assert config["dtype"] == "float32"


@pytest.mark.parametrize("name", HEADS)
def test_the_encoder_of_any_head_is_read_and_any_head_is_put_on_an_encoder(name, tmp_path):
    model = random_model(getattr(bert, name))
    model.save_pretrained(tmp_path / "head")
    encoder = BertModel.from_pretrained(tmp_path / "head")
    assert same(encoder, model.bert)
    encoder.save_pretrained(tmp_path / "encoder")
    with pytest.raises(ValueError, match=rf"{type(model).__name__}: missing: .*new_head=True makes new ones"):
        type(model).from_pretrained(tmp_path / "encoder")
    nn.manual_seed(0)
    headed = type(model).from_pretrained(tmp_path / "encoder", new_head=True)
    assert same(headed.bert, encoder)
    for key, parameter in headed.named_parameters():
        if not key.startswith("bert."):
            values = parameter.data
            plain = (values == (1 if key.endswith("LayerNorm.weight") else 0)).all()
            assert plain if values.ndim == 1 else 0.01 < values.std() < 0.03, key


def test_pooler(tmp_path):
    random_model(BertForMaskedLM).save_pretrained(tmp_path)
    assert BertModel.from_pretrained(tmp_path).pooler is None
    with pytest.raises(ValueError, match=r"missing: pooler.dense.bias, pooler.dense.weight \(new_head=True"):
        BertModel.from_pretrained(tmp_path, add_pooling_layer=True)
    assert BertModel.from_pretrained(tmp_path, add_pooling_layer=True, new_head=True).pooler is not None
    whole = random_model(BertModel)
    whole.save_pretrained(tmp_path)
    assert BertModel.from_pretrained(tmp_path, add_pooling_layer=False).pooler is None
    assert BertModel.from_pretrained(tmp_path).pooler is not None
    classifier = BertForSequenceClassification.from_pretrained(tmp_path, new_head=True)
    assert same(classifier.bert, whole)  # a pooler that is there is not made new


def test_entries_of_the_config_are_replaced(tmp_path):
    model = random_model(BertForSequenceClassification, num_labels=3)
    model.save_pretrained(tmp_path)
    again = BertForSequenceClassification.from_pretrained(tmp_path, hidden_dropout_prob=0.3)
    assert again.config.hidden_dropout_prob == 0.3
    assert again.bert.embeddings.dropout.p == 0.3
    with pytest.raises(ValueError, match=r"classifier.weight has shape \(3, 32\), by config.json it is \(5, 32\)"):
        BertForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    other = BertForTokenClassification.from_pretrained(tmp_path, num_labels=5, new_head=True)
    assert other.classifier.weight.shape == (5, 32)
    assert other.config.n_labels == 5
    with pytest.raises(ValueError, match=r"config.json: hidden_act of BertConfig must be"):
        BertModel.from_pretrained(tmp_path, hidden_act="none")
    with pytest.raises(ValueError, match=r"BertConfig has no hidden_dropout$"):
        BertModel.from_pretrained(tmp_path, hidden_dropout=0.0)


def test_new_heads_follow_the_seed(tmp_path):
    random_model(BertModel).save_pretrained(tmp_path)
    heads = []
    for seed in (1, 1, 2):
        nn.manual_seed(seed)
        heads.append(BertForSequenceClassification.from_pretrained(tmp_path, new_head=True).classifier.weight.data)
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])


# ---- the names of other writers ----


def without_prefix(tensors):
    return {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}


def old_norms(tensors):
    ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    pattern = re.compile("|".join(map(re.escape, ends)))
    return {pattern.sub(lambda match: ends[match[0]], name): tensor for name, tensor in tensors.items()}


def with_buffers(tensors):
    tensors["bert.embeddings.position_ids"] = np.arange(40)[None]
    tensors["bert.embeddings.token_type_ids"] = np.zeros((1, 40), np.int64)


def both_names(tensors):
    tensors[DECODER] = tensors[WORDS].copy()
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].copy()


def other_names(tensors):
    """Of a shared tensor, writers of safetensors keep one name, whichever."""
    tensors[DECODER] = tensors.pop(WORDS)
    tensors["cls.predictions.decoder.bias"] = tensors.pop("cls.predictions.bias")


@pytest.mark.parametrize("change", [without_prefix, old_norms, with_buffers, both_names, other_names])
def test_names_of_other_writers(saved, change):
    model, folder = saved
    rewritten(folder, change)
    assert same(BertForPreTraining.from_pretrained(folder), model)
    assert same(BertModel.from_pretrained(folder), model.bert)
    rewritten(folder, without_prefix if change is not without_prefix else old_norms)
    assert same(BertForPreTraining.from_pretrained(folder), model)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_widths_become_float32(saved, dtype):
    model, folder = saved
    rewritten(folder, lambda tensors: {name: tensor.astype(dtype) for name, tensor in tensors.items()})
    again = BertForPreTraining.from_pretrained(folder)
    expected = model.cls.seq_relationship.weight.data.astype(dtype).astype(np.float32)
    assert again.cls.seq_relationship.weight.dtype == np.float32
    assert np.array_equal(again.cls.seq_relationship.weight.data, expected)


def test_bfloat16(saved):
    """Each number is the upper half of a float32; made by hand, as NumPy does not have it."""
    model, folder = saved
    halves = {name: (tensor.view(np.uint32) >> 16).astype(np.uint16) for name, tensor in model.state_dict().items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    content = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, values = content[8 : 8 + length].replace(b'"U16"', b'"BF16"'), content[8 + length :]
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + values)
    again = BertForPreTraining.from_pretrained(folder)
    for name, values in again.state_dict().items():
        assert np.array_equal(values, (halves[name].astype(np.uint32) << 16).view(np.float32)), name


def test_several_files_with_an_index(saved):
    model, folder = saved
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, folder / file, {"format": "pt"})
    places = {name: file for file, part in parts.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert same(BertForPreTraining.from_pretrained(folder), model)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model-00002-of-00002.safetensors, which .*index.json names"):
        BertForPreTraining.from_pretrained(folder)
    for forged in ({"a": "../../secret.safetensors"}, {"a": "/etc/passwd"}, {"a": 3}, []):
        index.write_text(json.dumps({"weight_map": forged}))
        with pytest.raises(ValueError, match=r"index.json is damaged: weight_map must name a file of the folder"):
            BertForPreTraining.from_pretrained(folder)


def test_untied_decoder(tmp_path):
    model = random_model(BertForMaskedLM, tie_word_embeddings=False)
    model.save_pretrained(tmp_path)
    again = BertForMaskedLM.from_pretrained(tmp_path)
    assert same(again, model)
    assert not np.array_equal(
        again.cls.predictions.decoder.weight.data, again.bert.embeddings.word_embeddings.weight.data
    )
    with pytest.raises(
        ValueError, match=rf"model.safetensors .*{DECODER} differs from embeddings.word_embeddings.weight"
    ):
        BertForMaskedLM.from_pretrained(tmp_path, tie_word_embeddings=True)


# ---- what is missing, damaged or does not fit ----


def test_files_that_are_missing(saved, tmp_path):
    _, folder = saved
    with pytest.raises(FileNotFoundError, match=r"there is no folder bert-base-uncased: .* not downloaded"):
        BertModel.from_pretrained("bert-base-uncased")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"has no model.safetensors, only pytorch_model.bin, a pickle"):
        BertModel.from_pretrained(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"model has no model.safetensors"):
        BertModel.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"model has no config.json"):
        BertModel.from_pretrained(folder)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        BertModel.from_pretrained(shutil.copy(__file__, tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100000, b'{"hidden_size": '])
def test_damaged_config(saved, content):
    _, folder = saved
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"config.json is damaged"):
        BertModel.from_pretrained(folder)


def test_config_of_another_form(saved):
    _, folder = saved
    (folder / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"config.json must hold an object of JSON, got list"):
        BertModel.from_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "distilbert"}')
    with pytest.raises(ValueError, match=r"config.json: model_type of a BERT encoder must be 'bert', got 'distilbert'"):
        BertModel.from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 7, 100, 5000, -1])
def test_truncated_weights(saved, keep):
    _, folder = saved
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged, truncated or not a model file"):
        BertModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"hidden_size": 64},
            r"embeddings.word_embeddings.weight has shape \(60, 32\), by config.json it is \(60, 64\)",
        ),
        (
            {"vocab_size": 61},
            r"embeddings.word_embeddings.weight has shape \(60, 32\), by config.json it is \(61, 32\)",
        ),
        ({"type_vocab_size": 3}, r"embeddings.token_type_embeddings.weight has shape \(2, 32\)"),
        ({"max_position_embeddings": 512}, r"embeddings.position_embeddings.weight has shape \(40, 32\)"),
        ({"intermediate_size": 65}, r"encoder.layer.0.intermediate.dense.weight has shape \(64, 32\)"),
        ({"num_hidden_layers": 3}, r"missing: encoder.layer.2.intermediate.dense.weight"),
        ({"num_hidden_layers": 1}, r"unexpected: encoder.layer.1.attention.output.LayerNorm.bias, .* and 8 more"),
        ({"num_hidden_layers": 4096, "hidden_size": 1 << 20, "vocab_size": 1 << 31}, r"missing: .* and 4086 more"),
    ],
)
def test_shapes_that_do_not_fit_the_config(saved, entries, message):
    _, folder = saved
    with_config(folder, **entries)
    with pytest.raises(ValueError, match=rf"model.safetensors does not fit BertModel: .*{message}"):
        BertModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bert.encoder.layer.1.output.dense.bias") * 0, "missing: encoder.layer.1.output.dense.bias$"),
        (lambda t: t.pop("bert.embeddings.LayerNorm.bias") * 0, "missing: embeddings.LayerNorm.bias$"),
        (lambda t: t.pop("cls.predictions.bias") * 0, "missing: cls.predictions.bias .new_head=True"),
        (lambda t: t.update({"bert.extra": np.zeros(1, np.float32)}), "unexpected: extra$"),
        (lambda t: t.update({"pooler.dense.bias": np.zeros(32, np.float32)}), "pooler.dense.bias is there under two"),
        (
            lambda t: t.update({"bert.pooler.dense.bias": np.zeros((32, 1), np.float32)}),
            r"pooler.dense.bias has shape \(32, 1\), by config.json it is \(32,\)$",
        ),
        (
            lambda t: t.update({"bert.pooler.dense.bias": np.zeros(32, np.int8)}),
            "pooler.dense.bias has the type int8, which is not that of a weight$",
        ),
        (lambda t: t.update({"bert.pooler.dense.bias": np.full(32, np.nan, np.float32)}), "pooler.dense.bias has NaN"),
        (lambda t: t.update({"bert.pooler.dense.bias": np.full(32, 1e300)}), "numbers beyond float32$"),
        (lambda t: t.update({DECODER: t[WORDS] + 1}), f"{DECODER} differs from embeddings.word_embeddings.weight"),
        (lambda t: t.update({"cls.predictions.decoder.bias": np.ones(60, np.float32)}), "decoder.bias differs from"),
    ],
)
def test_tensors_that_do_not_fit(saved, change, message):
    _, folder = saved
    rewritten(folder, lambda tensors: [change(tensors), None][1])
    with pytest.raises(ValueError, match=rf"model.safetensors does not fit BertForPreTraining: .*{message}"):
        BertForPreTraining.from_pretrained(folder)


def test_new_head_does_not_hide_what_is_missing_in_the_layers(saved):
    _, folder = saved
    rewritten(folder, lambda tensors: [tensors.pop("bert.encoder.layer.0.output.dense.bias"), None][1])
    with pytest.raises(ValueError, match=r"missing: encoder\.layer\.0\.output\.dense\.bias$"):
        BertForPreTraining.from_pretrained(folder, new_head=True)


def test_an_interrupted_save_leaves_the_old_files(saved, monkeypatch):
    model, folder = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def interrupted(file, tensors, metadata):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_module, "write_tensors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        random_model(BertForPreTraining, seed=9).save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert same(BertForPreTraining.from_pretrained(folder), model)


def test_a_save_replaces_what_it_was_read_from(saved):
    """Weights are copied, not mapped: the file may be written over."""
    _, folder = saved
    model = BertForPreTraining.from_pretrained(folder)
    other = random_model(BertForPreTraining, seed=3)
    before = model.state_dict()
    other.save_pretrained(folder)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert same(BertForPreTraining.from_pretrained(folder), other)


@needs_minilm
def test_packaged_minilm(tmp_path):
    """Names without prefix, and position_ids among the weights."""
    model = BertModel.from_pretrained(packaged_minilm())
    assert sum(p.data.size for p in model.parameters()) == 22_713_216
    model.save_pretrained(tmp_path)
    again = BertForMaskedLM.from_pretrained(tmp_path, new_head=True).bert
    batch = random_batch(np.random.default_rng(0), [3, 5], model.config)
    with nn.no_grad():
        assert np.array_equal(again(**batch).last_hidden_state.data, model(**batch).last_hidden_state.data)
