"""Activations as formulas, with their derivatives by x; and the draws of dropout, one at a time."""

import math

import numpy as np

from twins.nn.softmax import sigmoid, softplus

_erf = np.vectorize(math.erf, otypes=[float])


def activation(kind, x, slope=0.01):
    """f(x) and f'(x)."""
    s = sigmoid(x)
    match kind:
        case "identity":
            return x, np.ones_like(x)
        case "relu":
            return np.maximum(x, 0), (x > 0) * 1.0
        case "leaky_relu":
            return np.where(x > 0, x, slope * x), np.where(x > 0, 1, slope)
        case "sigmoid":
            return s, s * (1 - s)
        case "tanh":
            return np.tanh(x), 1 - np.tanh(x) ** 2
        case "gelu":
            cdf = 0.5 * (1 + _erf(x / math.sqrt(2)))
            return x * cdf, cdf + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        case "gelu_tanh":
            c = math.sqrt(2 / math.pi)
            t = np.tanh(c * (x + 0.044715 * x**3))
            return 0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2)
        case "silu":
            return x * s, s * (1 + x * (1 - s))
        case "softplus":
            return softplus(x), s
        case "elu":
            return np.where(x > 0, x, np.expm1(np.minimum(x, 0))), np.where(x > 0, 1, np.exp(np.minimum(x, 0)))
        case "hardswish":
            return x * np.clip(x + 3, 0, 6) / 6, np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5))
        case "mish":
            w = np.tanh(softplus(x))
            return x * w, w + x * s * (1 - w**2)
    raise ValueError(kind)


def philox(counter, stream, seed):
    """Philox4x32-10: four words."""
    mask = 0xFFFFFFFF
    c = [counter & mask, counter >> 32, stream & mask, stream >> 32]
    key = [seed & mask, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ key[0], p1 & mask, p0 >> 32 ^ c[3] ^ key[1], p0 & mask]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return c


def random_words(n, stream, seed):
    """The words of n entries: in a group of 32 the first 16 have words 0 and 1 of eight blocks, the others 2 and 3."""
    words = []
    for i in range(n):
        place = i % 32
        block = philox(i // 32 * 8 + place % 16 // 2, stream, seed)
        words.append(block[2 * (place // 16) + place % 2])
    return np.array(words, np.uint64)


def dropout(x, p, seed):
    kept = random_words(x.size, 0x64726F70, seed) >= min(int(p * 2**32), 2**32 - 1)
    return x * kept.reshape(x.shape) * (1 / (1 - p) if p < 1 else 0)
