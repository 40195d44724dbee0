"""What BertTokenClassifier and BertQuestionAnswering share: outputs for each token."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore._base import effective_n_jobs
from mlcore.nn._runtime import threads
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.seq._packed import Packed
from mlcore.seq.bert.finetuning._base import BaseBertEstimator
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.network._inputs import BertInputs
from mlcore.seq.bert.tokens._batch import BertBatch

Outputs = NDArray[np.float32]


class BaseTokenEstimator(BaseBertEstimator):
    """A linear layer reads what the network has made of each token."""

    _POOLS: ClassVar[bool] = False

    def _outputs_of_rows(self, network: Module, rows: Rows) -> Outputs:
        """Return the outputs of a network that evaluates for all tokens, (N, n_outputs)."""
        inputs, config = rows.inputs, network.config
        found = np.empty((len(inputs.ids), config.n_labels), np.float32)
        tokens = Packed(np.arange(len(inputs.ids)), inputs.offsets)
        for chosen in self._batches(rows, shuffle=False).order(0):
            part = inputs.take(chosen)
            hidden = network.bert.hidden(BertInputs(config, part.ids, part.types, offsets=part.offsets))
            found[tokens.take(chosen).ids] = getattr(network, self._OUTPUT)(hidden).data
        return found

    def _outputs(self, inputs: BertBatch) -> Outputs:
        """Return the outputs of the fitted network for all tokens, (N, n_outputs)."""
        head = getattr(self.module_, self._OUTPUT)
        found = [np.empty((0, self.module_.config.n_labels), np.float32)]
        with threads(effective_n_jobs(self.n_jobs)), no_grad():
            for _, hidden in self._hidden(inputs, None):
                found.append(head(Tensor(hidden)).data)
        return np.concatenate(found)
