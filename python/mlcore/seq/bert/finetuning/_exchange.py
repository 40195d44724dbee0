"""Fine-tuned networks as folders, which `transformers` reads and writes too."""

import os
from collections.abc import Collection
from typing import Any, ClassVar, Self

from sklearn.utils.validation import check_is_fitted

from mlcore.nn.training._history import History
from mlcore.nn.training._trained import Shapes
from mlcore.seq.bert._start import check_tokenizer
from mlcore.seq.bert._state import BertState, encoder_shapes, linear_shapes
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule, networks_of
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer


class HeadState(BertState):
    """The network of an estimator: an encoder, and one layer on it."""

    _HEAD: ClassVar[type[PretrainedModule]]
    """Its class."""
    _OUTPUT: ClassVar[str] = "classifier"
    """Name of the last layer."""
    _POOLS: ClassVar[bool] = True
    """Whether there is a pooler."""

    def _make_module(self, config: BertConfig, names: Collection[str] = ()) -> PretrainedModule:  # noqa: ARG002
        return self._HEAD(config)

    def _module_shapes(self, config: BertConfig, names: Collection[str]) -> Shapes:  # noqa: ARG002
        last = linear_shapes(self._OUTPUT, config.n_labels, config.hidden_size)
        return encoder_shapes(config, add_pooling_layer=self._POOLS) | last

    def _take_labels(self, module: PretrainedModule) -> None:
        """Set all fitted attributes that a network from a folder determines, and put its outputs into their order."""
        raise NotImplementedError

    def _to_export(self) -> PretrainedModule:
        """Return the network as others understand it, with the labels in its config."""
        return self.module_

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **params: Any) -> Self:
        """Read a fine-tuned network: `predict` needs no `fit`.

        Parameters
        ----------
        folder : str or path-like
            As :meth:`save_pretrained`, or `transformers`, has written it, on this machine: nothing is downloaded.
        **params
            Parameters of the estimator. `model` is the folder, where :meth:`fit` would start from.

        Returns
        -------
        estimator
            Fitted.

        Raises
        ------
        FileNotFoundError
            If the folder or a file is not there.
        ValueError
            If a file is damaged, or the network has another head, or none: such a folder is where fine-tuning starts
            from, the parameter `model`.
        """
        model = cls(**{"model": os.fspath(folder), **params})
        model._validate_params()  # type: ignore[attr-defined]
        said, ours = networks_of(folder), cls._HEAD.__name__
        if said and ours not in said:  # heads of two kinds have the same names
            raise ValueError(
                f"{os.fspath(folder)} holds a {' and '.join(said)}, from_pretrained of {cls.__name__} reads a {ours}: "
                f"{cls.__name__}(model=folder).fit(X, y) makes one of it by fine-tuning"
            )
        module, model.tokenizer_ = cls._HEAD.from_pretrained(folder), BertTokenizer.from_pretrained(folder)
        check_tokenizer(model.tokenizer_, module.config)
        model._take_labels(module)
        model.module_, model.history_, model.n_iter_ = module.eval(), History(), 0
        return model

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the network as `transformers` reads it: config.json with the labels, weights and the tokenizer.

        Parameters
        ----------
        folder : str or path-like
            Made if it is not there.

        Raises
        ------
        OSError
            If the folder or a file cannot be written.
        """
        check_is_fitted(self)
        self._to_export().save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder, max_length=self.module_.config.max_position_embeddings)
