"""BertConfig: keys and defaults of Hugging Face, entries kept, and values that are refused."""

import dataclasses
import json

import pytest

from mlcore.seq.bert import BertConfig
from support.bert import needs_minilm, packaged_minilm

DEFAULTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "classifier_dropout": None,
    "tie_word_embeddings": True,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "model_type": "bert",
}


def test_defaults():
    assert BertConfig().to_dict() == DEFAULTS
    assert BertConfig().n_labels == 2


@pytest.mark.peers
def test_defaults_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    theirs = json.loads(transformers.BertConfig().to_json_string(use_diff=False))
    for key, value in DEFAULTS.items():
        assert theirs[key] == value, key


def test_a_round_trip_keeps_what_is_unknown():
    values = {**DEFAULTS, "hidden_size": 24, "use_cache": True, "transformers_version": "4.8.2", "custom": {"a": [1]}}
    config = BertConfig.from_dict(values)
    assert config.hidden_size == 24
    assert config.to_dict() == values
    assert BertConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@needs_minilm
def test_packaged_minilm():
    values = json.loads((packaged_minilm() / "config.json").read_text())
    config = BertConfig.from_dict(values)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (384, 6, 12)
    written = config.to_dict()
    assert {key: written[key] for key in values if key != "position_embedding_type"} == {
        key: value for key, value in values.items() if key != "position_embedding_type"
    }


def test_labels():
    config = BertConfig(num_labels=3)
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    config = BertConfig(id2label={"1": "no", "0": "yes"})
    assert list(config.id2label.items()) == [(0, "yes"), (1, "no")]
    assert config.label2id == {"yes": 0, "no": 1}
    assert config.n_labels == config.num_labels == 2
    eleven = BertConfig.from_dict({"id2label": {str(i): f"t{i}" for i in range(11)}})  # "10" sorts before "2"
    assert eleven.id2label[10] == "t10"
    assert BertConfig.from_dict(BertConfig(num_labels=1, problem_type="regression").to_dict()).n_labels == 1


def test_activations():
    names = {act: BertConfig(hidden_act=act).activation for act in ("gelu", "gelu_new", "relu", "swish")}
    assert names == {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu", "swish": "silu"}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"hidden_size": 0}, r"hidden_size of BertConfig must be an int in \[1, \d+\], got 0"),
        ({"hidden_size": 64.0}, "hidden_size of BertConfig must be an int"),
        ({"num_hidden_layers": True}, "num_hidden_layers of BertConfig must be an int"),
        ({"num_attention_heads": 7}, "num_attention_heads=7 of BertConfig must divide hidden_size=768"),
        ({"hidden_act": "mish"}, "hidden_act of BertConfig must be one of 'gelu', .* got 'mish'"),
        ({"hidden_act": ["gelu"]}, "hidden_act of BertConfig must be one of"),
        ({"hidden_dropout_prob": 1}, "hidden_dropout_prob of BertConfig must be less than 1"),
        ({"attention_probs_dropout_prob": -0.1}, "attention_probs_dropout_prob of BertConfig must be a number"),
        ({"classifier_dropout": "0.1"}, "classifier_dropout of BertConfig must be a number"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps of BertConfig must be a number"),
        ({"pad_token_id": 30522}, "pad_token_id of BertConfig must be an int"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings of BertConfig must be a bool"),
        ({"problem_type": "ranking"}, "problem_type of BertConfig must be None or one of"),
        ({"num_labels": 3, "id2label": {0: "a", 1: "b"}}, "num_labels=3 of BertConfig does not fit the 2 names"),
        ({"num_labels": 0}, "num_labels of BertConfig must be an int"),
        ({"id2label": {0: "a", 2: "b"}}, "id2label of BertConfig must be names of classes 0, 1"),
        ({"id2label": ["a", "b"]}, "id2label of BertConfig must be names by class number"),
        ({"id2label": {"x": "a"}}, "id2label of BertConfig must be names by class number"),
        ({"id2label": {}}, "id2label of BertConfig must be names of classes"),
    ],
)
def test_values_that_are_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        BertConfig(**entries)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"model_type": "roberta"}, "model_type of a BERT encoder must be 'bert', got 'roberta'"),
        ({"is_decoder": True}, "is_decoder of a BERT encoder must be False"),
        ({"add_cross_attention": True}, "add_cross_attention of a BERT encoder must be False"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type of a BERT encoder must be 'absolute'"),
    ],
)
def test_what_is_no_bert_encoder(entries, message):
    with pytest.raises(ValueError, match=message):
        BertConfig.from_dict(entries)


def test_unknown_names_are_no_arguments():
    with pytest.raises(TypeError, match="hidden_sizes"):
        BertConfig(hidden_sizes=3)
    with pytest.raises(TypeError, match="positional"):
        BertConfig(30522)


def test_strict_reading_names_unknown_keys():
    assert BertConfig.from_dict(BertConfig(hidden_size=24).to_dict(), strict=True).hidden_size == 24
    with pytest.raises(ValueError, match="BertConfig has no custom, hiden_size"):
        BertConfig.from_dict({"hiden_size": 3, "custom": 1, "hidden_size": 24}, strict=True)


def test_a_config_is_not_changed_but_replaced():
    config = BertConfig(num_labels=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.num_labels = 5
    other = dataclasses.replace(config, num_labels=None, id2label={0: "a", 1: "b"})
    assert (other.n_labels, config.n_labels) == (2, 3)


def test_a_folder_gives_back_what_was_written(tmp_path):
    config = BertConfig(hidden_size=24, num_attention_heads=2, id2label={0: "a", 1: "b", 2: "c"}, other={"custom": 1})
    config.save_pretrained(tmp_path / "new")
    assert BertConfig.from_pretrained(tmp_path / "new") == config
    changed = BertConfig.from_pretrained(tmp_path / "new", num_labels=2, hidden_size=48)
    assert (changed.n_labels, changed.hidden_size, changed.other) == (2, 48, {"custom": 1})


def test_folders_that_hold_no_config(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        BertConfig.from_pretrained(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        BertConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 0}')
    with pytest.raises(ValueError, match=r"config\.json: hidden_size of BertConfig must be an int"):
        BertConfig.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="BertConfig has no hiden_size"):
        BertConfig.from_pretrained(tmp_path, hiden_size=3)
