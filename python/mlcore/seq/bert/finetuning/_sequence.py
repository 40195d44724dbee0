"""What BertClassifier and BertRegressor share: one answer for each text, or pair of texts."""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs
from mlcore._state import Flag, Nothing, OneOf, Spec
from mlcore._tables import Floats
from mlcore.nn._runtime import Generator, threads
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq.bert._rates import frozen_depth
from mlcore.seq.bert.finetuning._base import BaseBertEstimator, in_parts
from mlcore.seq.bert.finetuning._batches import Encoded, Rows
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._heads import BertForSequenceClassification
from mlcore.seq.bert.network._inference import encoder_of
from mlcore.seq.bert.tokens._texts import encode, read_examples, texts_of

_FAR = 7.0
"""How far from 0 log-odds of a new head are at most: those of a share of one in a thousand."""
_SPREAD = 0.55
"""Standard deviation of the weights of a new head, times the root of the width, at most: that of BERT base."""


class BaseSequenceEstimator(BaseBertEstimator):
    """Texts to tokens, and what the head makes of the first token of each."""

    _HEAD: ClassVar[type[PretrainedModule]] = BertForSequenceClassification
    _private_state: tuple[str, ...] = ("_takes_pairs",)
    _state_spec: ClassVar[Spec] = {
        **BaseBertEstimator._state_spec,
        "_takes_pairs": OneOf(Nothing(), Flag()),  # None: of a folder, which does not say
    }
    _takes_pairs: bool | None

    def _examples(self, X: Any, who: str) -> list[Any]:
        examples = read_examples(X, who)
        known = getattr(self, "_takes_pairs", None)
        if examples and known is not None and known == isinstance(examples[0], str):
            kinds = ("pairs of texts", "single texts") if known else ("single texts", "pairs of texts")
            raise ValueError(f"{who} must hold {kinds[0]}, as those of fit, got {kinds[1]}")
        return examples

    def _read(self, *args: Any, fits: bool, **options: Any) -> tuple[list[Any], Any, Floats | None]:
        found = super()._read(*args, fits=fits, **options)
        if fits:  # before texts to validate with are read, which are to be of the same kind
            self._takes_pairs = not isinstance(found[0][0], str)
        return found

    def _texts_of(self, examples: list[Any]) -> Iterable[str]:
        return texts_of(examples)

    def _rows(self, examples: list[Any], target: Any, weight: NDArray[np.float32], longest: int) -> Rows:
        inputs = encode(examples, self.tokenizer_, longest, self.n_jobs)
        return Rows(inputs, (self._as_learned(target), weight), np.arange(len(examples)))

    def _as_learned(self, target: NDArray[Any]) -> NDArray[Any]:
        """Return the target as the loss takes it."""
        return target

    def _constant(self) -> Floats:
        """Return the best constant output, shape (n_outputs,)."""
        raise NotImplementedError

    def _start_at_constant(self, network: Module) -> None:
        weight, spread = network.classifier.weight, network.config.initializer_range
        most = _SPREAD * weight.shape[1] ** -0.5
        with no_grad():
            if spread > most:  # of a network from scratch: the head would say much before it knows anything
                weight.copy_(weight.data * np.float32(most / spread))
            network.classifier.bias.copy_(np.clip(self._constant(), -_FAR, _FAR).astype(np.float32))

    def _constant_outputs(self, inputs: Any) -> Tensor:
        return Tensor(np.tile(self._constant().astype(np.float32), (len(inputs.lengths), 1)))

    def _write_constant(self, network: Module) -> None:
        with no_grad():
            network.classifier.weight.fill_(0)
            network.classifier.bias.copy_(self._constant().astype(np.float32))

    # ---- a frozen encoder ----

    def _train(
        self, network: PretrainedModule, training: Rows, validation: Any, generator: Generator, **options: Any
    ) -> None:
        n_layers = network.config.num_hidden_layers
        if frozen_depth(self.freeze, n_layers, type(self).__name__) == n_layers and not self._is_settled():
            encoder = encoder_of(network.bert)  # which reads each text once, in the place of once an epoch
            training = self._encoded(encoder, training)
            if validation is not None:
                validation = (*validation[:-1], self._encoded(encoder, validation[-1]))
        super()._train(network, training, validation, generator, **options)

    def _encoded(self, encoder: Any, rows: Rows) -> Rows:
        firsts = [found for _, found in in_parts(encoder, rows.inputs, "cls", effective_n_jobs(self.n_jobs))]
        return rows._replace(inputs=Encoded(rows.inputs.lengths, np.concatenate(firsts)))

    def _forward(self, network: Module, inputs: Any) -> Any:
        if isinstance(inputs, Encoded):
            return network.classifier(network.dropout(network.bert.pooler(Tensor(inputs.firsts))))
        return super()._forward(network, inputs)

    # ---- outputs ----

    def _outputs_of_rows(self, network: Module, rows: Rows) -> Floats:
        """Return what a network that evaluates returns, in the order of the rows: (n, n_outputs)."""
        batches = self._batches(rows, shuffle=False)
        found = np.empty((len(rows.example), network.config.n_labels))
        for chosen in batches.order(0):
            found[chosen] = self._forward(network, rows.inputs.take(chosen)).data
        return found

    def _outputs(self, X: Any) -> Floats:
        """Return the outputs of the fitted network for texts: (n_samples, n_outputs)."""
        check_is_fitted(self)
        return self._outputs_of_examples(self._examples(X, f"X of {type(self).__name__}"))

    def _outputs_of_examples(self, examples: list[Any]) -> Floats:
        network = self.module_
        inputs = encode(examples, self.tokenizer_, self._longest(network.config), self.n_jobs)
        found = [np.empty((0, network.config.n_labels))]
        with threads(effective_n_jobs(self.n_jobs)), no_grad():
            for _, firsts in self._hidden(inputs, "cls"):
                found.append(network.classifier(network.bert.pooler(Tensor(firsts))).data)
        return np.concatenate(found, dtype=np.float64)
