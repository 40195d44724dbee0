"""Naive twin of BERT and its heads: one sequence after the other, in float64, from arrays under the names of files."""

import math

import numpy as np

from twins.nn.attention import attention

ACTIVATIONS = {
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "gelu_new": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


class Bert:
    """A network with any heads: those whose arrays are there."""

    def __init__(self, arrays, config):
        self.config = config
        self.arrays = {name.removeprefix("bert."): np.asarray(a, np.float64) for name, a in arrays.items()}

    def linear(self, x, name):
        return x @ self.arrays[f"{name}.weight"].T + self.arrays[f"{name}.bias"]

    def norm(self, x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config.layer_norm_eps)
        return scaled * self.arrays[f"{name}.weight"] + self.arrays[f"{name}.bias"]

    def activate(self, x):
        return ACTIVATIONS[self.config.hidden_act](x)

    def hidden(self, ids, types):
        """(T, d) of one sequence."""
        tables = [self.arrays[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "token_type", "position")]
        x = sum(table[rows] for table, rows in zip(tables, (ids, types, np.arange(len(ids))), strict=True))
        x = self.norm(x, "embeddings.LayerNorm")
        heads = self.config.num_attention_heads
        for i in range(self.config.num_hidden_layers):
            at = f"encoder.layer.{i}"
            q, k, v = (
                self.linear(x, f"{at}.attention.self.{name}").reshape(len(ids), heads, -1).swapaxes(0, 1)
                for name in ("query", "key", "value")
            )
            found = attention(q, k, v).swapaxes(0, 1).reshape(x.shape)
            x = self.norm(self.linear(found, f"{at}.attention.output.dense") + x, f"{at}.attention.output.LayerNorm")
            wide = self.activate(self.linear(x, f"{at}.intermediate.dense"))
            x = self.norm(self.linear(wide, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
        return x

    def pooled(self, ids, types):
        """(d,) of one sequence."""
        return np.tanh(self.linear(self.hidden(ids, types)[0], "pooler.dense"))

    def words(self, ids, types):
        """Logits (T, V) of the masked language model."""
        x = self.activate(self.linear(self.hidden(ids, types), "cls.predictions.transform.dense"))
        x = self.norm(x, "cls.predictions.transform.LayerNorm")
        table = self.arrays.get("cls.predictions.decoder.weight", self.arrays["embeddings.word_embeddings.weight"])
        return x @ table.T + self.arrays["cls.predictions.bias"]

    def relation(self, ids, types):
        return self.linear(self.pooled(ids, types), "cls.seq_relationship")

    def classes(self, ids, types):
        return self.linear(self.pooled(ids, types), "classifier")

    def token_classes(self, ids, types):
        return self.linear(self.hidden(ids, types), "classifier")

    def ends(self, ids, types):
        """(T, 2): begin and end."""
        return self.linear(self.hidden(ids, types), "qa_outputs")


def cross_entropy(rows, labels):
    """Mean over the rows whose label is not -100."""
    losses = [np.logaddexp.reduce(row) - row[label] for row, label in zip(rows, labels, strict=True) if label != -100]
    return np.mean(losses)


def split(batch):
    """Ids and types of each sequence of a packed batch."""
    bounds = list(zip(batch["offsets"][:-1], batch["offsets"][1:], strict=True))
    return [(batch["input_ids"][a:b], batch["token_type_ids"][a:b]) for a, b in bounds]
