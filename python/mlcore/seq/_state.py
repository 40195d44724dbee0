"""The state of an estimator of sequences: what pickle and files hold, and how the network is built again from it."""

from typing import Any, ClassVar, Self

from mlcore._base import StateMixin
from mlcore._state import Array, Dict, Flag, Int, MapOf, Nothing, OneOf, Sizes, Spec
from mlcore.nn._runtime import Generator, random_stream
from mlcore.nn.training._history import History
from mlcore.nn.training._trained import Shapes, Trained, check_epochs, check_shapes
from mlcore.seq._network import SequenceNetwork
from mlcore.seq._tokens import Tokens, is_subword_tokenizer, tokenizer_of_json
from mlcore.text._subword_tokenizer import SubwordTokenizer

_JSON = "tokenizer.json"
"""Under which name a file holds a parameter `tokenizer` that is an object."""


class SequenceState(Trained, StateMixin):
    """Weights by their names, the history as numbers, tokens as lists, in the place of objects."""

    _private_state: tuple[str, ...] = ("_source", "_target", "_longest")
    _state_spec: ClassVar[Spec] = {
        "_source": OneOf(Nothing(), Dict(Tokens._state_spec)),  # None: the same as those of the target
        "_target": Dict(Tokens._state_spec),
        "_longest": Int(),
        "n_iter_": Int(),
        "history_": Dict(History._state_spec),
        "module_": MapOf(Array("f4", is_finite=True)),
        "is_quantized_": Flag(),
    }
    _network_params: ClassVar[tuple[str, ...]] = ()
    """Parameters that a network is made of, beside the weights."""
    tokenizer: Any
    lowercase: bool
    module_: SequenceNetwork
    history_: History
    n_iter_: int
    is_quantized_: bool
    _source: Tokens
    _target: Tokens
    _longest: int  # tokens of the longest target of the training

    def _make_network(self, n_tokens: int, n_source_tokens: int | None) -> SequenceNetwork:
        """Return a new network for a target vocabulary and, unless the source shares it, one of the source."""
        raise NotImplementedError

    def _network_shapes(self, n_tokens: int, n_source_tokens: int | None) -> Shapes:
        """Return the shapes in the state of that network, without making it."""
        raise NotImplementedError

    def _check_network(self) -> None:
        """Raise ValueError where parameters of the network do not fit each other."""

    def _network_of_tokens(self) -> SequenceNetwork:
        return self._make_network(len(self._target), None if self._source is self._target else len(self._source))

    def _remember_params(self) -> None:
        """Keep what the fitted network and its tokens were made of."""
        self._made_with = {name: getattr(self, name) for name in (*self._network_params, "tokenizer", "lowercase")}

    def _check_unchanged(self) -> None:
        """Raise ValueError where the fitted network would be built again as another one."""
        changed = [name for name, value in self._made_with.items() if getattr(self, name) != value]
        if changed:
            raise ValueError(
                f"{', '.join(changed)} of {type(self).__name__} {'have' if len(changed) > 1 else 'has'} changed since "
                "fit: fit anew, or set back what the network was made with"
            )

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:  # noqa: ARG002
        """Compare the shapes of the weights before any is built."""
        check_epochs(state)
        self._check_network()
        source, target = self._tokens_of(state)
        shapes = self._network_shapes(len(target), None if source is target else len(source))
        check_shapes(state["module_"], shapes)

    def _tokens_of(self, state: dict[str, Any]) -> tuple[Tokens, Tokens]:
        known = {**vars(self), **state}  # a pickle has the parameters in the state, a file has them set already
        tokenizer, lowercase = known["tokenizer"], known["lowercase"]
        target = Tokens.of_state(state["_target"], tokenizer, lowercase=lowercase)
        if state["_source"] is None:
            return target, target
        return Tokens.of_state(state["_source"], tokenizer, lowercase=lowercase), target

    def _clear_fitted(self) -> None:
        super()._clear_fitted()
        for name in ("_cached_decoder", "_made_with"):  # of the former network
            vars(self).pop(name, None)

    def _get_state(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in {"_cached_decoder", "_made_with"}}
        if "module_" in state:
            self._check_unchanged()
            state["module_"] = dict(self.module_.state_dict())
            state["history_"] = self.history_.state_dict()
            state["_source"] = None if self._source is self._target else self._source.state_dict()
            state["_target"] = self._target.state_dict()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        state = dict(state)
        weights, history = state.pop("module_", None), state.pop("history_", None)
        if weights is None:
            super()._set_state(state)
            return
        state["_source"], state["_target"] = self._tokens_of(state)
        super()._set_state(state)
        with random_stream(Generator(0)):
            module = self._network_of_tokens()
        module.load_state_dict(weights)
        self.module_, self.history_ = module.eval(), History()
        self.history_.load_state_dict(history)
        self._remember_params()

    # ---- parameters in files ----

    def _file_params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        params["checkpoint"] = None
        tokenizer = params["tokenizer"]
        if is_subword_tokenizer(tokenizer):
            subwords = tokenizer if isinstance(tokenizer, SubwordTokenizer) else SubwordTokenizer(tokenizer)
            params["tokenizer"] = {_JSON: subwords.__getstate__()["json"]}
        return params

    @classmethod
    def _of_file_params(cls, params: dict[str, Any]) -> Self:
        params = {**params, "checkpoint": None}  # a file of somebody else shall not say where to write to
        tokenizer = params.get("tokenizer")
        if isinstance(tokenizer, dict) and tokenizer.keys() == {_JSON} and isinstance(tokenizer[_JSON], str):
            params = {**params, "tokenizer": tokenizer_of_json(tokenizer[_JSON])}
        return super()._of_file_params(params)
