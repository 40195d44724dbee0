"""Sizes and options of a BERT network, under the keys of Hugging Face's `config.json`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

from mlcore._files import replacing

CONFIG = "config.json"

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Names of `hidden_act`, and what :func:`mlcore.nn.functional.linear` calls them."""

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")

_REFUSED: dict[str, tuple[Any, ...]] = {
    "model_type": ("bert",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "is_encoder_decoder": (False,),
    "position_embedding_type": ("absolute",),
}
"""Keys that change what the network computes, and the values for which it computes what it should."""


@dataclass(kw_only=True, frozen=True)
class BertConfig:
    """Sizes and options of BERT, as `transformers` names them; the defaults are those of BERT base, uncased.

    Parameters
    ----------
    vocab_size : int, default=30522
        Tokens.
    hidden_size : int, default=768
        Features of each token, d; a multiple of `num_attention_heads`.
    num_hidden_layers : int, default=12
    num_attention_heads : int, default=12
    intermediate_size : int, default=3072
        Features between the two products of the feed-forward part.
    hidden_act : str, default="gelu"
        Activation of the feed-forward part and of the head of the masked language model: "gelu" (exact), "gelu_new"
        or "gelu_pytorch_tanh" (its approximation by tanh), "relu", "silu" or "swish", "tanh".
    hidden_dropout_prob : float, default=0.1
        Of embeddings and of the output of each part, [0, 1).
    attention_probs_dropout_prob : float, default=0.1
        Of the attention weights, [0, 1).
    max_position_embeddings : int, default=512
        Longest sequence.
    type_vocab_size : int, default=2
        Segments.
    initializer_range : float, default=0.02
        Standard deviation of new weights.
    layer_norm_eps : float, default=1e-12
    pad_token_id : int or None, default=0
        The token whose embedding is 0 at first and gets no gradient as an input.
    classifier_dropout : float or None, default=None
        Before `classifier`; None: `hidden_dropout_prob`.
    tie_word_embeddings : bool, default=True
        Whether the masked language model's output layer has the weights of the word embeddings.
    num_labels : int or None, default=None
        Classes, or numbers to predict; None: as many as `id2label` has, or 2.
    id2label : dict of int to str, optional
        Names of the classes; "LABEL_0", "LABEL_1" ... unless given.
    problem_type : {"regression", "single_label_classification", "multi_label_classification"}, optional
        Which loss :class:`BertForSequenceClassification` has; None: by the labels.
    other : dict, optional
        Further entries of a `config.json`, kept for :meth:`to_dict`. They change nothing here.

    Raises
    ------
    ValueError
        If a value is out of its range; the message names it.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    classifier_dropout: float | None = None
    tie_word_embeddings: bool = True
    num_labels: int | None = None
    id2label: dict[int, str] | None = None
    problem_type: str | None = None
    other: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in _SIZES:
            self._check(name, Integral, 1, _SIZES[name])
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
            if name != "classifier_dropout" or self.classifier_dropout is not None:
                self._check(name, Real, 0, 1)
                if getattr(self, name) == 1:
                    raise ValueError(f"{name} of BertConfig must be less than 1")
        self._check("initializer_range", Real, 0, 1e6)
        self._check("layer_norm_eps", Real, 0, 1)
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads={self.num_attention_heads} of BertConfig must divide hidden_size="
                f"{self.hidden_size}"
            )
        if not isinstance(self.hidden_act, str) or self.hidden_act not in ACTIVATIONS:
            names = ", ".join(map(repr, ACTIVATIONS))
            raise ValueError(f"hidden_act of BertConfig must be one of {names}, got {self.hidden_act!r}")
        if self.pad_token_id is not None:
            self._check("pad_token_id", Integral, 0, self.vocab_size - 1)
        if not isinstance(self.tie_word_embeddings, bool):
            raise ValueError(f"tie_word_embeddings of BertConfig must be a bool, got {self.tie_word_embeddings!r}")
        if self.problem_type is not None and self.problem_type not in PROBLEM_TYPES:
            names = ", ".join(map(repr, PROBLEM_TYPES))
            raise ValueError(f"problem_type of BertConfig must be None or one of {names}, got {self.problem_type!r}")
        self._read_labels()

    def _check(self, name: str, kind: type, lowest: float, highest: float) -> None:
        value: Any = getattr(self, name)
        is_kind = isinstance(value, kind) and not isinstance(value, bool)
        if not is_kind or not lowest <= value <= highest:
            what = "an int" if kind is Integral else "a number"
            raise ValueError(f"{name} of BertConfig must be {what} in [{lowest}, {highest}], got {value!r}")

    def _read_labels(self) -> None:
        """Make `num_labels` and `id2label` agree; keys of JSON are texts."""
        labels = self.id2label
        if labels is None:
            if self.num_labels is not None:
                self._check("num_labels", Integral, 1, 1 << 20)
            labels = {i: f"LABEL_{i}" for i in range(2 if self.num_labels is None else self.num_labels)}
        try:
            named = {int(i): labels[i] for i in sorted(labels, key=int)}
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"id2label of BertConfig must be names by class number, got {labels!r:.200}") from error
        n = len(named)
        if n == 0 or list(named) != list(range(n)) or not all(isinstance(name, str) for name in named.values()):
            raise ValueError(f"id2label of BertConfig must be names of classes 0, 1, ..., got {labels!r:.200}")
        if self.num_labels not in (None, n):
            raise ValueError(f"num_labels={self.num_labels} of BertConfig does not fit the {n} names of id2label")
        object.__setattr__(self, "id2label", named)
        object.__setattr__(self, "num_labels", n)

    @property
    def n_labels(self) -> int:
        """Number of classes, or of numbers to predict."""
        return len(self.id2label or ())

    @property
    def label2id(self) -> dict[str, int]:
        """Numbers of the classes by their names."""
        return {label: i for i, label in (self.id2label or {}).items()}

    @property
    def activation(self) -> str:
        """`hidden_act`, as :func:`mlcore.nn.functional.linear` calls it."""
        return ACTIVATIONS[self.hidden_act]

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **config: Any) -> Self:
        """Read the `config.json` of a folder.

        Parameters
        ----------
        folder : str or path-like
            As `transformers` writes it.
        **config
            Entries that replace those of the file.

        Raises
        ------
        FileNotFoundError
            If the folder is not there, or lacks the file.
        ValueError
            If the file is damaged, a value is out of range, or an entry of the call is unknown.
        """
        place = Path(folder)
        values = read_config(place)
        if "num_labels" in config and "id2label" not in config:
            values.pop("id2label", None)
        check_keys(config)  # what the caller says must be known, what a file says need not be
        try:
            return cls.from_dict({**values, **config})
        except ValueError as error:
            raise ValueError(f"{place / CONFIG}: {error}") from error

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json` to a folder, which is made if it is not there; an interrupted save changes nothing.

        Raises
        ------
        OSError
            If the folder or the file cannot be written.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with replacing(place / CONFIG) as (file,):
            file.write(config_text(self.to_dict()))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, strict: bool = False) -> Self:
        """Read the entries of a `config.json`.

        Parameters
        ----------
        values : mapping
            Entries by their keys.
        strict : bool, default=False
            Whether keys that are unknown here are an error, as they should be where a user has written them; without
            it they are kept in `other`.

        Raises
        ------
        ValueError
            If a value is out of range, or asks for what is no BERT encoder: another `model_type`, a decoder, relative
            positions.
        """
        for key, known in _REFUSED.items():
            if key in values and values[key] not in (*known, None):
                raise ValueError(f"{key} of a BERT encoder must be {known[0]!r}, got {values[key]!r}")
        if strict:
            check_keys(values)
        names = _names()
        given = {key: value for key, value in values.items() if key in names}
        if given.get("id2label") is not None:
            given.pop("num_labels", None)  # transformers counts id2label too
        skipped = names | {"label2id", "model_type"}
        return cls(**given, other={key: value for key, value in values.items() if key not in skipped})

    def to_dict(self) -> dict[str, Any]:
        """Return the entries of a `config.json` from which :meth:`from_dict`, or `transformers`, makes this again."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("other", "num_labels")}
        values["id2label"] = {str(i): label for i, label in (self.id2label or {}).items()}
        if values["problem_type"] is None:
            del values["problem_type"]
        return {**self.other, **values, "label2id": self.label2id, "model_type": "bert"}


def read_config(folder: Path) -> dict[str, Any]:
    """Return the entries of the `config.json` of a folder."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {folder}: weights are read from a folder, not downloaded "
            "(huggingface_hub.snapshot_download downloads one and returns its path)"
        )
    return read_json(folder / CONFIG)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a file of JSON holds."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.parent} has no {path.name}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold an object of JSON, got {type(values).__name__}")
    return values


def config_text(values: Mapping[str, Any]) -> bytes:
    """Return entries as the contents of a `config.json`."""
    return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


def _names() -> set[str]:
    return {f.name for f in fields(BertConfig)} - {"other"}


def check_keys(values: Mapping[str, Any]) -> None:
    """Raise ValueError for keys that :class:`BertConfig` does not know."""
    unknown = sorted(set(values) - _names() - {"label2id", *_REFUSED})
    if unknown:
        raise ValueError(f"BertConfig has no {', '.join(map(str, unknown))}")


_SIZES = {
    "vocab_size": 1 << 31,
    "hidden_size": 1 << 20,
    "num_hidden_layers": 1 << 12,
    "num_attention_heads": 1 << 16,
    "intermediate_size": 1 << 24,
    "max_position_embeddings": 1 << 24,
    "type_vocab_size": 1 << 16,
}
"""Largest values of the numbers that must be at least 1."""
