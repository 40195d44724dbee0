"""The state of an estimator with a BERT: what pickle and files hold, and how the network is built again from it."""

import json
from collections.abc import Collection
from dataclasses import fields
from typing import Any, ClassVar, Self

from mlcore._base import StateMixin
from mlcore._state import Array, Dict, Int, MapOf, Optional, Sizes, Spec, Text
from mlcore.nn import init
from mlcore.nn.training._history import History
from mlcore.nn.training._trained import Shapes, check_epochs, check_shapes
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._inference import encoder_of
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer

_CACHED = "_cached_encoder"


def linear_shapes(name: str, n_outputs: int, n_inputs: int) -> Shapes:
    """Return the shapes of a layer ``x W^T + b``."""
    return {f"{name}.weight": (n_outputs, n_inputs), f"{name}.bias": (n_outputs,)}


def encoder_shapes(config: BertConfig, *, prefix: str = "bert.", add_pooling_layer: bool = True) -> Shapes:
    """Return the shapes of the weights of a :class:`BertModel`, without making one."""
    d, n_inner = config.hidden_size, config.intermediate_size
    norm: Shapes = {"weight": (d,), "bias": (d,)}
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (config.vocab_size, d),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, d),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, d),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= linear_shapes(f"{layer}.attention.self.{part}", d, d)
        shapes |= linear_shapes(f"{layer}.attention.output.dense", d, d)
        shapes |= linear_shapes(f"{layer}.intermediate.dense", n_inner, d)
        shapes |= linear_shapes(f"{layer}.output.dense", d, n_inner)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.{part}": shape for part, shape in norm.items()}
    if add_pooling_layer:
        shapes |= linear_shapes("pooler.dense", d, d)
    return {prefix + name: shape for name, shape in shapes.items()}


def pretraining_shapes(config: BertConfig, *, sentences: bool) -> Shapes:
    """Return the shapes of the weights of a network of pre-training, which predicts next sentences too or does not."""
    d, head = config.hidden_size, "cls.predictions"
    shapes = encoder_shapes(config, add_pooling_layer=sentences) | linear_shapes(f"{head}.transform.dense", d, d)
    shapes |= {f"{head}.transform.LayerNorm.{part}": (d,) for part in ("weight", "bias")}
    shapes |= {f"{head}.bias": (config.vocab_size,)}
    if not config.tie_word_embeddings:
        shapes |= {f"{head}.decoder.weight": (config.vocab_size, d)}
    return shapes | (linear_shapes("cls.seq_relationship", 2, d) if sentences else {})


class BertState(StateMixin):
    """Weights by their names, the config and the tokenizer as JSON, the history as numbers, in the place of objects."""

    _state_spec: ClassVar[Spec] = {
        "tokenizer_": Text(),
        "module_": Dict({"config": Text(), "weights": MapOf(Array("f4", is_finite=True))}),
        "n_iter_": Optional(Int()),
        "history_": Optional(Dict(History._state_spec)),
    }
    model: Any
    dtype: str
    exclude: Collection[str] = ()  # modules whose products stay in float32; a parameter of some
    tokenizer_: BertTokenizer
    module_: PretrainedModule
    history_: History
    n_iter_: int

    # ---- what the estimators differ in ----

    def _make_module(self, config: BertConfig, names: Collection[str] = ()) -> PretrainedModule:
        """Return a new network; `names` are those of the weights that it is to have, where an estimator has several."""
        raise NotImplementedError

    def _module_shapes(self, config: BertConfig, names: Collection[str]) -> Shapes:
        """Return the shapes of its weights, without making it."""
        raise NotImplementedError

    def _check_config(self, config: BertConfig, state: dict[str, Any], sizes: Sizes) -> None:
        """Raise ValueError where a config does not fit the rest of the state."""

    # ---- the state ----

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        """Compare the shapes of the weights before any is built."""
        if ("history_" in state) != ("n_iter_" in state):
            raise ValueError("of history_ and n_iter_ both or none must be there")
        if "history_" in state:
            check_epochs(state)
        config = _config_of(state["module_"]["config"])
        self._check_config(config, state, sizes)
        weights = state["module_"]["weights"]
        if config.num_hidden_layers > len(weights):
            raise ValueError(f"module_ must have {config.num_hidden_layers} layers, got {len(weights)} weights")
        check_shapes(weights, self._module_shapes(config, weights.keys()))
        n_tokens = len(BertTokenizer.from_json(state["tokenizer_"]))
        if n_tokens > config.vocab_size:
            raise ValueError(f"tokenizer_ has {n_tokens} tokens, module_ has vectors of {config.vocab_size}")

    def _clear_fitted(self) -> None:
        super()._clear_fitted()
        vars(self).pop(_CACHED, None)  # which has the former weights

    def _get_state(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != _CACHED}
        if "module_" in state:
            config = json.dumps(self.module_.config.to_dict())
            state["module_"] = {"config": config, "weights": dict(self.module_.state_dict())}
            state["tokenizer_"] = self.tokenizer_.to_json()
        if "history_" in state:
            state["history_"] = self.history_.state_dict()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        state = dict(state)
        module, history = state.pop("module_", None), state.pop("history_", None)
        if module is not None:
            with init.skipped():
                made = self._make_module(_config_of(module["config"]), module["weights"].keys())
            made.load_state_dict(module["weights"])
            state["module_"] = made.eval()
            state["tokenizer_"] = BertTokenizer.from_json(state["tokenizer_"])
        if history is not None:
            state["history_"] = History()
            state["history_"].load_state_dict(history)
        super()._set_state(state)

    # ---- parameters in files ----

    def _file_params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        if isinstance(params.get("config"), BertConfig):
            config = params["config"]
            params["config"] = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "other"}
        return {name: None if name in ("model", "checkpoint") else value for name, value in params.items()}

    @classmethod
    def _of_file_params(cls, params: dict[str, Any]) -> Self:
        # a file of somebody else shall not say what to read or where to write to
        known = {name: None if name in ("model", "checkpoint") else value for name, value in params.items()}
        return super()._of_file_params(known)

    def __sklearn_clone__(self) -> Self:
        """Copy the parameters; `model` stays the fitted one that it is."""
        bare = object.__new__(type(self))
        bare.__dict__ = {**vars(self), "model": None}
        found: Self = super(BertState, bare).__sklearn_clone__()  # type: ignore[misc]
        found.model = self.model
        return found

    # ---- the encoder without a tape ----

    def _encoder(self) -> Any:
        """Return the native encoder of the fitted network, made once for its weights of now."""
        bert: Any = getattr(self.module_, "bert", self.module_)
        exclude = tuple(self.exclude)
        key = (self.module_, [p._version.n_changes for p in bert.parameters()], self.dtype, exclude)
        cached = vars(self).get(_CACHED)
        if cached is None or cached[0][0] is not self.module_ or cached[0][1:] != key[1:]:
            cached = (key, encoder_of(bert, dtype=self.dtype, exclude=exclude))
            vars(self)[_CACHED] = cached
        return cached[1]


def _config_of(text: str) -> BertConfig:
    """Return the config of a state."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the config of module_ is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"the config of module_ must be a dict, got a {type(values).__name__}")
    return BertConfig.from_dict(values)
