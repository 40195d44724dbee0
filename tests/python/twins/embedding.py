"""Naive twin of the word2vec trainer (`core.embedding.Word2VecModel`) in NumPy: slow, short, and meant to be read.

The four models of Mikolov et al. (2013a, 2013b): skip-gram and CBOW, each with negative sampling and hierarchical
softmax. Every random choice is made again from its definition (Philox, SplitMix64, alias table), so that training can
be compared step for step; the gradient of a window stands on its own, so that it can be compared with finite
differences. All arithmetic is float64, the engine's is float32. Left out: files, words, threads.

Letters: W = `vectors` (V, d), C = `context_vectors` (V, d), or (V - 1, d) for the inner nodes of the tree, h = an input
(a row of W, or the mean or sum of several), x = h . c a score, sigma = the logistic function.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, log_expit

LOW32, LOW64 = 2**32 - 1, 2**64 - 1
MAX_INPUTS = 12  # of one step: a window of more context words is taken in several

# ---- random numbers --------------------------------------------------------------------------------------------------


def philox(seed, stream, counter):
    """Philox4x32-10 of Salmon et al. (2011): four 32-bit numbers for a (seed, stream, counter)."""
    c = [counter & LOW32, counter >> 32, stream & LOW32, stream >> 32]
    key0, key1 = seed & LOW32, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ key0, p1 & LOW32, (p0 >> 32) ^ c[3] ^ key1, p0 & LOW32]
        key0, key1 = (key0 + 0x9E3779B9) & LOW32, (key1 + 0xBB67AE85) & LOW32
    return c


class DrawStream:
    """The draws for one purpose in a piece: SplitMix64 (Steele, Lea and Flood 2014), started by Philox."""

    POSITIONS, NEGATIVES = 0, 1  # which words are kept and how far windows reach; negatives

    def __init__(self, seed, purpose, epoch, piece):
        low, high = philox(seed, 2 * epoch + purpose, piece)[:2]
        self.state = high << 32 | low

    def next(self):
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & LOW64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & LOW64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & LOW64
        return z ^ (z >> 31)

    def below(self, n):
        return ((self.next() >> 32) * n) >> 32


def threshold(probability):
    """The largest 32-bit draw that counts as "below the probability"."""
    return int(np.clip(np.floor(probability * 2.0**32) - 1, 0, LOW32))


def keep_probabilities(counts, sample):
    """min(1, sqrt(t / f) + t / f) for words of frequency f."""
    t_over_f = sample * counts.sum() / counts
    return np.minimum(1.0, np.sqrt(t_over_f) + t_over_f)


class AliasTable:
    """Word w with probability proportional to count ** exponent (Walker 1977, Vose 1991)."""

    def __init__(self, counts, exponent):
        p = np.asarray(counts, dtype=np.float64) ** exponent
        p *= len(p) / p.sum()
        self.thresholds, self.aliases = [LOW32] * len(p), list(range(len(p)))
        small = [i for i in range(len(p)) if p[i] < 1]
        large = [i for i in range(len(p)) if p[i] >= 1]
        while small and large:
            s, b = small.pop(), large.pop()
            self.thresholds[s], self.aliases[s] = threshold(p[s]), b
            p[b] = (p[b] + p[s]) - 1
            (small if p[b] < 1 else large).append(b)

    def pick(self, draw):
        slot = ((draw >> 32) * len(self.aliases)) >> 32
        return slot if draw & LOW32 <= self.thresholds[slot] else self.aliases[slot]


# ---- tree of hierarchical softmax: links upwards, 2 * parent + code, -1 for the root ---------------------------------


def huffman_tree(counts):
    """Merge the two smallest again and again.

    Equal counts: a leaf before an inner node, the leaf of a higher id before one of a lower id, the older inner node
    first. The child taken first has code 0. Returns the links of the leaves (V,) and of the inner nodes (V - 1,).
    """
    n = len(counts)
    leaves, inner = np.empty(n, dtype=np.int32), np.full(n - 1, -1, dtype=np.int32)
    waiting = [(int(counts[w]), 0, -w, leaves, w) for w in range(n)]  # count, inner or not, order, where the link goes
    for parent in range(n - 1):
        total = 0
        for code in (0, 1):
            smallest = min(waiting, key=lambda item: item[:3])
            waiting.remove(smallest)
            count, _, _, links, i = smallest
            links[i] = 2 * parent + code
            total += count
        waiting.append((total, 1, parent, inner, parent))
    return leaves, inner


def grow_tree(leaves, inner, new_counts):
    """Join a tree (code 0) and that of the new words (code 1) under a new root; old nodes keep their numbers."""
    shift, root = 2 * len(inner), len(inner) + len(new_counts) - 1
    if len(new_counts) == 1:
        new_leaves, new_inner = [2 * root + 1], []
    else:
        new_leaves, new_inner = huffman_tree(new_counts)
        new_leaves, new_inner = new_leaves + shift, np.where(new_inner < 0, 2 * root + 1, new_inner + shift)
    old_inner = np.where(inner < 0, 2 * root, inner)
    return np.r_[leaves, new_leaves].astype(np.int32), np.r_[old_inner, new_inner, -1].astype(np.int32)


def path(tree, word):
    """Inner nodes from the root to a word, and the codes (0 or 1) of the turns taken there."""
    leaves, inner = tree
    links, link = [], leaves[word]
    while link >= 0:
        links.append(int(link))
        link = inner[link // 2]
    return [link // 2 for link in reversed(links)], [link % 2 for link in reversed(links)]


# ---- one window ------------------------------------------------------------------------------------------------------


@dataclass
class Window:
    """Inputs are rows of W, outputs rows of C with labels 1 (the truth) or 0; a row may stand there several times."""

    context: list
    outputs: list
    labels: list
    pooling: str = "none"
    """What makes inputs of the rows of W: "none" (each is one, skip-gram), "mean" or "sum" (all are one, CBOW)."""

    def inputs(self, W):
        rows = W[self.context]
        return {"none": rows, "mean": rows.mean(axis=0, keepdims=True), "sum": rows.sum(axis=0, keepdims=True)}[
            self.pooling
        ]

    def loss(self, W, C):
        """Sum of -log sigma(x) for the truth and -log sigma(-x) for the rest, over all inputs and outputs."""
        x = self.inputs(W) @ C[self.outputs].T
        return -log_expit((2 * np.array(self.labels) - 1) * x).sum()

    def gradient(self, W, C):
        """Of the loss by W and C, both of full shape."""
        H, rows = self.inputs(W), C[self.outputs]
        error = expit(H @ rows.T) - np.array(self.labels)  # (inputs, outputs)
        dW, dC = np.zeros_like(W), np.zeros_like(C)
        np.add.at(dC, self.outputs, error.T @ H)
        dH = error @ rows
        if self.pooling == "mean":
            dH /= len(self.context)
        np.add.at(dW, self.context, dH)  # for CBOW the one row of dH goes to each
        return dW, dC

    def step(self, W, C, alpha):
        """Take one step of stochastic gradient descent and return the loss before it.

        As in word2vec.c, W moves len(context) times as far as the gradient of a mean says.
        """
        loss = self.loss(W, C)
        dW, dC = self.gradient(W, C)
        W -= alpha * dW * (len(self.context) if self.pooling == "mean" else 1)
        C -= alpha * dC
        return loss


# ---- training --------------------------------------------------------------------------------------------------------


@dataclass
class Piece:
    """Texts as lists of ids of known words, and how many tokens there are with the unknown ones."""

    texts: list
    n_tokens: int


@dataclass
class Word2Vec:
    """Parameters as those of the estimator; `counts` (V,) of the words, `vectors` and `context_vectors` as it has."""

    counts: np.ndarray
    vector_size: int = 100
    window: int = 5
    algorithm: str = "skipgram"
    loss: str = "ns"
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 1e-3
    cbow_mean: bool = True
    shrink_windows: bool = True
    shared_negatives: bool = True
    seed: int = 0
    tree: tuple | None = None
    vectors: np.ndarray = field(init=False)
    context_vectors: np.ndarray = field(init=False)

    def __post_init__(self):
        n_words, d = len(self.counts), self.vector_size
        draws = [philox(self.seed, 2**63, k // 4)[k % 4] * 2.0**-32 for k in range(n_words * d)]
        self.vectors = ((2 * np.array(draws) - 1) / d).astype(np.float32).astype(np.float64).reshape(n_words, d)
        if self.loss == "hs":
            self.tree = self.tree or huffman_tree(self.counts)
            self.context_vectors = np.zeros((n_words - 1, d))
        else:
            self.noise = AliasTable(self.counts, self.ns_exponent)
            self.context_vectors = np.zeros((n_words, d))
        if self.sample > 0:
            self.keep = [threshold(p) for p in keep_probabilities(self.counts, self.sample)]

    def set_rows(self, vectors, context_vectors):
        """Take the first rows from a model trained before."""
        self.vectors[: len(vectors)], self.context_vectors[: len(context_vectors)] = vectors, context_vectors

    def train(self, pieces, *, epochs, alpha, min_alpha):
        """Run all epochs; return the mean loss a term of each."""
        n_tokens = sum(piece.n_tokens for piece in pieces)
        means = []
        for epoch in range(epochs):
            total, terms, before = 0.0, 0, 0
            for p, piece in enumerate(pieces):
                draws = [
                    DrawStream(self.seed, purpose, epoch, p) for purpose in (DrawStream.POSITIONS, DrawStream.NEGATIVES)
                ]
                for window, place in self.windows(piece, *draws):
                    progress = (epoch + (before + piece.n_tokens * place) / n_tokens) / epochs
                    total += window.step(self.vectors, self.context_vectors, alpha + (min_alpha - alpha) * progress)
                    terms += len(window.context) if self.algorithm == "skipgram" else 1
                before += piece.n_tokens
            means.append(total / terms if terms else 0.0)
        return means

    def windows(self, piece, positions, negatives):
        """Yield the windows of a piece and the share of its known words before each."""
        n = sum(len(text) for text in piece.texts)
        places = iter(range(n))
        texts = [[(word, next(places)) for word in text] for text in piece.texts]
        if self.sample > 0:  # these draws come before those of windows
            texts = [[(w, i) for w, i in text if positions.next() >> 32 <= self.keep[w]] for text in texts]
        for text in texts:
            for t, (centre, i) in enumerate(text):
                reach = self.window - positions.below(self.window) if self.shrink_windows else self.window
                around = text[max(0, t - reach) : t] + text[t + 1 : t + 1 + reach]
                context = [word for word, _ in around]
                if not context:
                    continue
                if self.algorithm == "cbow":
                    pooling = "mean" if self.cbow_mean else "sum"
                    yield Window(context, *self.outputs(centre, negatives), pooling), i / n
                elif self.loss == "ns" and not self.shared_negatives:
                    for word in context:
                        yield Window([word], *self.outputs(centre, negatives)), i / n
                else:
                    outputs, m = self.outputs(centre, negatives), len(context)
                    n_steps = -(-m // MAX_INPUTS)
                    for step in range(n_steps):
                        yield Window(context[m * step // n_steps : m * (step + 1) // n_steps], *outputs), i / n

    def outputs(self, centre, negatives):
        """Rows of C and their labels."""
        if self.loss == "hs":
            nodes, codes = path(self.tree, centre)
            return nodes, [1 - code for code in codes]
        drawn = [self.noise.pick(negatives.next()) for _ in range(self.negative)]
        wrong = [word for word in drawn if word != centre]
        return [centre, *wrong], [1] + [0] * len(wrong)
