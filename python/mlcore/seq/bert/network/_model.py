"""BertModel: the encoder of Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019)."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import Tensor
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._inputs import BertInputs, rows_of
from mlcore.seq.bert.network._layers import BertEmbeddings, BertLayers, BertPooler


class BertOutput(NamedTuple):
    """What :class:`BertModel` returns."""

    last_hidden_state: Tensor
    """Vectors of the tokens, (N, d) of packed sequences, (B, T, d) of padded ones, where it is 0 at padding."""

    pooler_output: Tensor | None
    """tanh of a product of the first token of each sequence, (B, d); None without a pooler."""


class BertModel(PretrainedModule):
    """Vectors of tokens in their context, and one of each sequence.

    Parameters
    ----------
    config : BertConfig
        Sizes and options.
    add_pooling_layer : bool, default=True
        Whether there is a pooler.

    Attributes
    ----------
    config : BertConfig
    embeddings, encoder, pooler : Module
        Parameters have the names that `transformers` gives them; weights are drawn from N(0, initializer_range^2).
    """

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertLayers(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    @classmethod
    def from_pretrained(
        cls,
        folder: str | os.PathLike[str],
        *,
        add_pooling_layer: bool | None = None,
        new_head: bool = False,
        **config: Any,
    ) -> Self:
        """Read `config.json` and `model.safetensors` of a folder, of whichever network of BERT.

        Parameters
        ----------
        folder : str or path-like
            A folder on this machine: nothing is downloaded.
        add_pooling_layer : bool, optional
            Whether there is a pooler; None: if the file has one.
        new_head, **config
            As :meth:`BertForMaskedLM.from_pretrained`; the pooler is what may be new.

        Returns
        -------
        BertModel
            float32, in evaluation.

        Raises
        ------
        FileNotFoundError, ValueError
            As :meth:`BertForMaskedLM.from_pretrained`.
        """

        def has_pooler(names: Collection[str]) -> bool:
            there = any(name.startswith("pooler.") for name in names)
            return there if add_pooling_layer is None else add_pooling_layer

        return cls._read(Path(folder), lambda values, names: cls(values, has_pooler(names)), new_head, config)

    def forward(
        self,
        input_ids: Any,
        *,
        token_type_ids: Any = None,
        attention_mask: Any = None,
        offsets: Any = None,
        position_ids: Any = None,
    ) -> BertOutput:
        """Apply to packed or padded sequences.

        Parameters
        ----------
        input_ids : int array (N,) with `offsets`, else (B, T)
            Tokens, markers included.
        token_type_ids : int array of the same shape, optional
            Segments: 0 for the first text, 1 for the second; 0 unless given.
        attention_mask : array (B, T) of 0 and 1, optional
            1 for each real token. Padding is removed before anything is computed.
        offsets : int array (B + 1,), optional
            Packed sequences, all tokens one after the other: sequence b is ``offsets[b]`` to ``offsets[b + 1]``. Its
            result has the same bits in any batch and for any number of threads.
        position_ids : int array of the shape of `input_ids`, optional
            Positions; those of the real tokens in their sequence, from 0, unless given. (`transformers` counts padding
            on the left too.)

        Returns
        -------
        BertOutput
            ``last_hidden_state`` (N, d) or (B, T, d), and ``pooler_output`` (B, d) or None.

        Raises
        ------
        ValueError
            If a token, segment or position is out of range, a sequence is longer than `max_position_embeddings`, or
            one is empty and there is a pooler.
        ShapeError, TypeError
            If the arrays do not go together, or hold no integers.
        """
        inputs = BertInputs(self.config, input_ids, token_type_ids, attention_mask, offsets, position_ids)
        hidden = self.hidden(inputs)
        pooled = None if self.pooler is None else self.pool(rows_of(hidden, inputs.firsts()))
        return BertOutput(inputs.padded(hidden), pooled)

    def hidden(self, inputs: BertInputs, rows: NDArray[np.int64] | None = None) -> Tensor:
        """Return the vectors of the tokens as rows (N, d), or of those of `rows`, ascending, alone.

        The last layer computes no other rows than those.
        """
        return self.encoder(self.embeddings(inputs), inputs.offsets, rows)  # type: ignore[no-any-return]

    def pooled(self, inputs: BertInputs) -> Tensor:
        """Return what the pooler makes of each sequence, (B, d); the last layer computes the first tokens alone."""
        return self.pool(self.hidden(inputs, inputs.firsts()))

    def pool(self, firsts: Tensor) -> Tensor:
        """Apply the pooler to the vectors of first tokens (B, d)."""
        if self.pooler is None:
            raise ValueError("this BertModel has no pooler")
        return self.pooler(firsts)  # type: ignore[no-any-return]
