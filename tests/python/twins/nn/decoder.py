"""A Transformer decoder that computes everything again for each token, and searches that say what they do."""

import itertools
import math

import numpy as np

from twins.nn.attention import attention, softmax


def sinusoids(n_positions, d):
    """Sin and cos at descending frequencies, side by side."""
    angles = np.outer(np.arange(n_positions), 10000.0 ** (-np.arange(0, d, 2) / d))
    table = np.empty((n_positions, d))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)[:, : d // 2]
    return table


def rotated(x, base=10000.0):
    """Entries i and i + D / 2 of (H, T, D) by angles that grow with the position."""
    n, depth = x.shape[-2:]
    angles = np.outer(np.arange(n), base ** (-np.arange(0, depth, 2) / depth))
    low, high = x[..., : depth // 2], x[..., depth // 2 :]
    return np.concatenate(
        [low * np.cos(angles) - high * np.sin(angles), high * np.cos(angles) + low * np.sin(angles)], axis=-1
    )


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


class Decoder:
    """In float64, from what `core.nn.TransformerDecoder` is made of."""

    def __init__(
        self,
        layers,
        embedding,
        output_weight,
        *,
        n_heads,
        output_bias=None,
        embedding_scale=1.0,
        positions=None,
        final_norm=None,
        norm_first=False,
        activation="relu",
        epsilon=1e-5,
    ):
        self.layers = [{name: np.asarray(w, np.float64) for name, w in layer.items()} for layer in layers]
        self.embedding, self.output_weight = np.float64(embedding), np.float64(output_weight)
        self.output_bias = 0 if output_bias is None else np.float64(output_bias)
        self.final_norm, self.norm_first, self.activation = final_norm, norm_first, ACTIVATIONS[activation]
        self.n_heads, self.scale, self.positions, self.epsilon = n_heads, embedding_scale, positions, epsilon

    def normalised(self, x, weight, bias):
        h = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + self.epsilon)
        return h * (1 if weight is None else weight) + (0 if bias is None else bias)

    def heads(self, x):
        return x.reshape(len(x), self.n_heads, x.shape[1] // self.n_heads).swapaxes(0, 1)

    def attend(self, layer, name, x, seen, rotates, bias):
        W, b = layer[f"{name}.in_proj_weight"], layer.get(f"{name}.in_proj_bias", np.zeros(3 * x.shape[1]))
        d = x.shape[1]
        q, k, v = (
            self.heads(rows @ W[i * d : i * d + d].T + b[i * d : i * d + d]) for i, rows in enumerate([x, seen, seen])
        )
        if rotates:
            q, k = rotated(q), rotated(k)
        out = attention(q, k, v, bias).swapaxes(0, 1).reshape(x.shape) if len(seen) else np.zeros_like(x)
        return out @ layer[f"{name}.out_proj.weight"].T + layer.get(f"{name}.out_proj.bias", 0)

    def logits(self, tokens, memory=None):
        """(T, V): of the token after each of `tokens`."""
        x = self.scale * self.embedding[tokens]
        n, rotates = len(tokens), isinstance(self.positions, str) and self.positions == "rotary"
        if isinstance(self.positions, str) and self.positions == "sinusoidal":
            x = x + sinusoids(n, x.shape[1])
        elif self.positions is not None and not rotates:
            x = x + self.positions[:n]
        causal = np.where(np.arange(n) > np.arange(n)[:, None], -np.inf, 0)
        for layer in self.layers:
            parts = [lambda y, layer=layer: self.attend(layer, "self_attn", y, y, rotates, causal)]
            if memory is not None:
                parts.append(lambda y, layer=layer: self.attend(layer, "multihead_attn", y, memory, False, 0.0))
            parts.append(
                lambda y, layer=layer: (
                    self.activation(y @ layer["linear1.weight"].T + layer.get("linear1.bias", 0))
                    @ layer["linear2.weight"].T
                    + layer.get("linear2.bias", 0)
                )
            )
            for i, part in enumerate(parts):
                norm = layer.get(f"norm{i + 1}.weight"), layer.get(f"norm{i + 1}.bias")
                x = x + part(self.normalised(x, *norm)) if self.norm_first else self.normalised(x + part(x), *norm)
        if self.final_norm is not None:
            x = self.normalised(x, *self.final_norm)
        return x @ self.output_weight.T + self.output_bias

    def log_probabilities(self, tokens, memory=None):
        """(V): of the token after the last."""
        return np.log(softmax(self.logits(tokens, memory)[-1]))


def score(log_p, length, length_penalty):
    return log_p / length**length_penalty


def greedy(next_log_p, begin, end, max_length):
    """Tokens and log-probability; next_log_p(tokens): (V)."""
    tokens, total = [*begin], 0.0
    while len(tokens) - len(begin) < max_length:
        log_p = next_log_p(tokens)
        tokens.append(int(log_p.argmax()))
        total += log_p[tokens[-1]]
        if tokens[-1] == end:
            return tokens[len(begin) : -1], total
    return tokens[len(begin) :], total


def beam(next_log_p, begin, end, max_length, k, length_penalty=0.0, early_stopping=False):
    """Finished hypotheses (score, tokens, log-probability), the best first; `early_stopping` as in transformers 5."""
    live, finished = [(0.0, [*begin])], []
    for length in range(1, max_length + 1):
        candidates = [
            (total + log_p, i, token)
            for i, (total, tokens) in enumerate(live)
            for token, log_p in enumerate(next_log_p(tokens))
            if log_p > -np.inf
        ]
        candidates = sorted(candidates, key=lambda c: (-c[0], c[1], c[2]))[: 2 * k]
        ends = [token == end or length == max_length for _, _, token in candidates]
        for (total, i, token), over in list(zip(candidates, ends, strict=True))[:k]:
            if over:
                written = live[i][1][len(begin) :] + ([] if token == end else [token])
                finished.append((score(total, length, length_penalty), written, total))
        finished = sorted(finished, key=lambda f: -f[0])[:k]
        live = [
            (total, [*live[i][1], token]) for (total, i, token), over in zip(candidates, ends, strict=True) if not over
        ][:k]
        if not live:
            break
        if len(finished) == k:
            longest = max_length if early_stopping == "never" and length_penalty > 0 else length
            if early_stopping is True or score(live[0][0], longest, length_penalty) <= finished[-1][0]:
                break
    return finished


def best_of_all(next_log_p, begin, end, n_tokens, max_length, length_penalty):
    """The finished hypothesis of the best score, by trying every one: (score, tokens)."""
    others = [token for token in range(n_tokens) if token != end]
    best = None
    for length in range(1, max_length + 1):
        for written in itertools.product(others, repeat=length - 1):
            for last in range(n_tokens) if length == max_length else [end]:
                tokens, total = [*begin], 0.0
                for token in (*written, last):
                    total += next_log_p(tokens)[token]
                    tokens.append(token)
                found = score(total, length, length_penalty), [t for t in tokens[len(begin) :] if t != end]
                if best is None or found[0] > best[0]:
                    best = found
    return best
