"""Naive twin of the boosting engine (`core.boosting`) in NumPy, with the same face: slow, short, and meant to be read.

Exact greedy search over bins with the gain of Chen & Guestrin (2016) without the 1/2; histograms are sums over the
rows of a node, nothing is subtracted, packed or done in parallel. Tests hold the engine against it split for split,
and the estimators can run on it. Left out: random samples of rows and features, line-searched leaves
(``newton=False``), the sampling of rows for bin edges.

Ties: lower feature first; missing values right before left; thresholds rising with missing right, falling with missing
left; the first of equal gains stays. Best-first growth takes the older of two nodes with equal gain.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit, log_softmax, softmax


def dense(X):
    return csr_array(X[:3], shape=X[3]).toarray() if isinstance(X, tuple) else np.asarray(X)


# ---- bins
# ----------------------------------------------------------------------------------------------------------------


class BinMapper:
    @staticmethod
    def fit(X, sample_weight, n_categories, max_bins, seed, n_threads):
        X, self = dense(X).astype(np.float64), BinMapper()
        self.max_bins, self.n_features, self.n_categories = max_bins, X.shape[1], np.asarray(n_categories)
        self._edges = [find_edges(X[:, f], sample_weight, max_bins) for f in range(X.shape[1])]
        return self

    def edges(self, f):
        return np.array([]) if self.n_categories[f] else self._edges[f]

    def n_bins(self, f):
        return min(self.n_categories[f], self.max_bins) if self.n_categories[f] else len(self._edges[f]) + 1

    def transform(self, X, n_threads, for_training=True):
        X = dense(X).astype(np.float64)
        bins = np.empty(X.shape, dtype=np.int64)
        for f in range(X.shape[1]):
            x, n_bins = X[:, f], self.n_bins(f)
            if self.n_categories[f]:
                known = (x >= 0) & (x < self.n_categories[f])
                bins[:, f] = np.where(known, np.minimum(np.where(known, x, 0), n_bins - 1), n_bins)
            else:
                bins[:, f] = np.where(np.isnan(x), n_bins, np.searchsorted(self._edges[f], x))
        return SimpleNamespace(bins=bins, n_rows=len(X), n_features=X.shape[1], nbytes=bins.nbytes)


def find_edges(x, weight, max_bins):
    """Half-way points between distinct values; with too many, of about equal weight (not those of the engine)."""
    known = ~np.isnan(x)
    values, inverse = np.unique(x[known], return_inverse=True)
    middles = values[:-1] / 2 + values[1:] / 2
    if len(values) <= max_bins:
        return middles
    share = np.cumsum(np.bincount(inverse, weights=None if weight is None else weight[known]))
    cuts = np.searchsorted(share, share[-1] * np.arange(1, max_bins) / max_bins)
    return middles[np.unique(np.clip(cuts, 0, len(middles) - 1))]


# ---- losses
# --------------------------------------------------------------------------------------------------------------


@dataclass
class Objective:
    name: str
    n_outputs: int
    parameter: float

    def bounds_steps(self):
        return self.name in ("log_loss", "poisson", "gamma", "tweedie")

    def step_share(self):
        """Trees of an iteration that share the way to the minimum; 0: Newton steps are not bounded."""
        return (2 if self.name == "log_loss" and self.n_outputs > 1 else 1) if self.bounds_steps() else 0

    def scale(self, y, weight):
        """Factor on gradients that makes hessians one a row in the mean, where predictions are the mean of y."""
        power = {"poisson": 1.0, "tweedie": self.parameter}.get(self.name, 2.0)
        return np.average(y, weights=weight) ** (power - 2.0) if power < 2.0 else 1.0

    def loss(self, y, raw, weight):
        F, a = raw[:, 0], self.parameter
        if self.name == "log_loss" and self.n_outputs > 1:
            loss = -log_softmax(raw, axis=1)[np.arange(len(y)), y.astype(int)]
        else:
            r = y - F
            loss = {
                "log_loss": lambda: np.logaddexp(0, F) - y * F,
                "squared_error": lambda: r**2 / 2,
                "absolute_error": lambda: np.abs(r),
                "huber": lambda: np.where(np.abs(r) <= a, r**2 / 2, a * (np.abs(r) - a / 2)),
                "quantile": lambda: r * (a - (r < 0)),
                "poisson": lambda: np.exp(F) - y * F,
                "gamma": lambda: F + y * np.exp(-F),
                "tweedie": lambda: np.exp((2 - a) * F) / (2 - a) - y * np.exp((1 - a) * F) / (1 - a),
            }[self.name]()
        return np.average(loss, weights=weight)

    def gradients(self, y, raw):
        """Gradient and hessian, both (n, n_outputs), not weighted."""
        F, a = raw, self.parameter
        y = y[:, None]
        r, one = F - y, np.ones_like(F)
        if self.name == "log_loss":
            p = softmax(F, axis=1) if self.n_outputs > 1 else expit(F)
            return p - ((y == np.arange(self.n_outputs)) if self.n_outputs > 1 else y), p * (1 - p)
        if self.name == "tweedie":
            s, t = y * np.exp((1 - a) * F), np.exp((2 - a) * F)
            return t - s, (2 - a) * t - (1 - a) * s
        return {
            "squared_error": lambda: (r, one),
            "absolute_error": lambda: (np.sign(r), one),
            "huber": lambda: (np.clip(r, -a, a), one),
            "quantile": lambda: (np.where(r > 0, 1 - a, -a), one),
            "poisson": lambda: (np.exp(F) - y, np.exp(F)),
            "gamma": lambda: (1 - y * np.exp(-F), y * np.exp(-F)),
        }[self.name]()

    def renewed_leaf(self, residual, weight):
        """The exact minimiser of the loss, for those losses whose leaves are set to it; else None."""
        if self.name in ("absolute_error", "quantile"):
            return quantile(residual, weight, 0.5 if self.name == "absolute_error" else self.parameter)
        if self.name == "huber":
            low, high = residual.min(), residual.max()
            for _ in range(200):
                middle = (low + high) / 2
                slope = np.sum(weight * np.clip(residual - middle, -self.parameter, self.parameter))
                low, high = (middle, high) if slope > 0 else (low, middle)
            return (low + high) / 2
        return None


def quantile(values, weight, level):
    order = np.argsort(values, kind="stable")
    values, reached = values[order], np.cumsum(weight[order])
    target = level * reached[-1]
    ends = np.searchsorted(reached, target, side="left"), np.searchsorted(reached, target, side="right")
    return np.mean(values[np.minimum(ends, len(values) - 1)])


# ---- one tree
# ------------------------------------------------------------------------------------------------------------


class Params(SimpleNamespace):
    def __init__(self):
        super().__init__(growth="leaf", newton=True, max_leaf_nodes=31, max_depth=0, min_samples_leaf=20)
        self.__dict__.update(
            min_child_weight=1e-3, min_split_gain=0.0, reg_lambda=0.0, reg_alpha=0.0, learning_rate=0.1
        )
        self.max_delta_step = 0.0
        self.__dict__.update(subsample=1.0, colsample_bytree=1.0, colsample_bylevel=1.0, colsample_bynode=1.0)
        self.__dict__.update(monotonic_cst=[], interaction_cst=[], seed=0, first_iteration=0)
        self.__dict__.update(max_cat_to_onehot=4, max_cat_threshold=0)
        self.__dict__.update(cat_smooth=-1.0, cat_l2=-1.0, min_data_per_group=-1.0)  # by the size of the node


@dataclass
class Node:
    rows: np.ndarray
    depth: int
    lower: float
    upper: float
    groups: list
    sums: np.ndarray = None  # gradient, hessian, rows
    feature: int = -1
    bin: int = 0
    left_bins: set = None  # of a categorical split
    missing_left: bool = False
    gain: float = 0.0
    value: float = 0.0
    left: int = -1
    number: int = 0


@dataclass
class Grower:
    bins: np.ndarray
    mapper: BinMapper
    params: Params
    stats: np.ndarray  # (n, 3) gradient, hessian, count of each row
    step_share: int = 0
    nodes: list = field(default_factory=list)

    def grow(self):
        p = self.params
        groups = list(range(len(p.interaction_cst)))
        self.add(Node(np.arange(len(self.bins)), 0, -np.inf, np.inf, groups))
        open_nodes, n_leaves = [], 1
        self.consider(0, n_leaves, open_nodes)
        while open_nodes and (not p.max_leaf_nodes or n_leaves < p.max_leaf_nodes):
            if p.growth == "leaf":
                open_nodes.sort(key=lambda i: (-self.nodes[i].gain, i))
            number = open_nodes.pop(0)
            self.split(self.nodes[number])
            n_leaves += 1
            for child in (self.nodes[number].left, self.nodes[number].left + 1):
                self.consider(child, n_leaves, open_nodes)
        for number in open_nodes:  # found a split, but the tree is full
            self.nodes[number].feature = -1
        return self.nodes

    def add(self, node):
        node.number, node.sums = len(self.nodes), self.stats[node.rows].sum(axis=0)
        node.value = self.leaf_value(node.sums, node)
        self.nodes.append(node)

    def consider(self, number, n_leaves, open_nodes):
        node, p = self.nodes[number], self.params
        full = (p.max_leaf_nodes and n_leaves >= p.max_leaf_nodes) or (p.max_depth and node.depth >= p.max_depth)
        if not full and node.sums[2] >= 2 and self.find_split(node):
            open_nodes.append(number)

    def split(self, node):
        b = self.bins[node.rows, node.feature]
        missing = self.mapper.n_bins(node.feature)
        if node.left_bins is None:
            goes_left = np.where(b == missing, node.missing_left, b <= node.bin)
        else:
            goes_left = np.isin(b, list(node.left_bins))
        node.left = len(self.nodes)
        groups = [g for g in node.groups if node.feature in self.params.interaction_cst[g]]
        limits = [[node.lower, node.upper], [node.lower, node.upper]]
        direction = self.direction(node.feature)
        if direction:
            sides = [self.stats[node.rows[m]].sum(axis=0) for m in (goes_left, ~goes_left)]
            middle = sum(self.leaf_value(s, node) for s in sides) / 2
            limits[0][1 if direction > 0 else 0] = limits[1][0 if direction > 0 else 1] = middle
        for side, limit in ((goes_left, limits[0]), (~goes_left, limits[1])):
            self.add(Node(node.rows[side], node.depth + 1, *limit, groups))

    # gain and leaf value

    def direction(self, f):
        return self.params.monotonic_cst[f] if len(self.params.monotonic_cst) else 0

    def threshold(self, g):
        return np.sign(g) * max(abs(g) - self.params.reg_alpha, 0.0)

    def leaf_value(self, sums, node):
        p, t = self.params, self.threshold(sums[0])
        h = sums[1] + p.reg_lambda
        size = abs(t) / h if h > 0 else 0.0
        if self.step_share and size > 0:  # what the loss itself promises
            size = min(size, max(np.log1p(size), min(size, 1.0)) / (p.learning_rate * self.step_share))
        size = min(size, p.max_delta_step or np.inf)
        return min(max(-np.sign(t) * size, node.lower), node.upper)

    def score(self, sums, node, extra_lambda=None):
        if extra_lambda is not None or not len(self.params.monotonic_cst):
            h = sums[1] + self.params.reg_lambda + (extra_lambda or 0.0)
            t = abs(self.threshold(sums[0]))
            v = min(t / h if h > 0 else 0.0, self.params.max_delta_step or np.inf)
            return v * (2 * t - h * v)
        v = self.leaf_value(sums, node)
        h = sums[1] + self.params.reg_lambda
        return -(2 * (sums[0] * v + self.params.reg_alpha * abs(v)) + h * v * v)

    def big_enough(self, *sides):
        return all(s[2] >= self.params.min_samples_leaf and s[1] >= self.params.min_child_weight for s in sides)

    def gain(self, left, node, f, extra_lambda=None):
        """Gain of a split, or -inf if it is not allowed."""
        right = node.sums - left
        if min(left[2], right[2]) <= 0 or not self.big_enough(left, right):
            return -np.inf
        if self.direction(f) * (self.leaf_value(right, node) - self.leaf_value(left, node)) < 0:
            return -np.inf
        score = [self.score(s, node, extra_lambda) for s in (left, right, node.sums)]
        return score[0] + score[1] - score[2]

    # search

    def find_split(self, node):
        p = self.params
        node.gain = max(p.min_split_gain, 1e-12 * abs(self.score(node.sums, node)))
        allowed = set().union(*(p.interaction_cst[g] for g in node.groups)) if p.interaction_cst else None
        for f in range(self.bins.shape[1]):
            if allowed is not None and f not in allowed:
                continue
            n = self.mapper.n_bins(f) + 1
            b = self.bins[node.rows, f]
            hist = np.stack([np.bincount(b, weights=s, minlength=n) for s in self.stats[node.rows].T], axis=1)
            n_categories = self.mapper.n_categories[f]
            if n_categories == 0:
                self.scan_numeric(node, f, hist)
            elif n_categories <= self.params.max_cat_to_onehot:
                self.scan_one_hot(node, f, hist)
            else:
                self.scan_sorted(node, f, hist)
        return node.feature >= 0

    def scan_numeric(self, node, f, hist):
        n, missing = len(hist) - 1, hist[-1]
        prefix = np.cumsum(hist[:-1], axis=0)
        has_missing = missing[2] > 0
        candidates = [(t, prefix[t], False) for t in range(n if has_missing else n - 1)]
        if has_missing:
            candidates += [(t, prefix[t] + missing, True) for t in range(n - 2, -1, -1)]
            if len(self.params.monotonic_cst):  # then the last of the first kind, mirrored, is another split
                candidates.append((-1, missing, True))
        for t, left, missing_left in candidates:
            gain = self.gain(left, node, f)
            if gain > node.gain:
                if not has_missing:
                    missing_left = left[2] > node.sums[2] - left[2]
                node.gain, node.feature, node.bin, node.left_bins, node.missing_left = gain, f, t, None, missing_left

    def scan_one_hot(self, node, f, hist):
        for b in range(len(hist)):
            gain = self.gain(hist[b], node, f)
            if gain > node.gain:
                node.gain, node.feature = gain, f
                node.left_bins, node.missing_left = self.with_unseen(hist, node, {b}, {len(hist) - 1})

    def scan_sorted(self, node, f, hist):
        p, missing = self.params, len(hist) - 1
        n_present, mean_hessian = np.count_nonzero(hist[:-1, 2] > 0), node.sums[1] / node.sums[2]
        half = hist[:-1, 2].sum() / n_present / 2 if n_present else 0.0
        smooth = np.clip(half, min(3, p.min_samples_leaf), 10) if p.cat_smooth < 0 else p.cat_smooth
        l2 = mean_hessian * (smooth if p.cat_l2 < 0 else p.cat_l2)
        apart = min(half, 100) if p.min_data_per_group < 0 else p.min_data_per_group

        is_rare = (hist[:, 2] > 0) & ((hist[:, 2] < smooth) | (np.arange(len(hist)) == missing))
        groups = [({b}, hist[b]) for b in range(missing) if hist[b, 2] > 0 and not is_rare[b]]
        rare = set(np.flatnonzero(is_rare).tolist())
        if rare:
            groups.append((rare, hist[is_rare].sum(axis=0)))
        groups.sort(key=lambda group: group[1][0] / (group[1][1] + smooth * mean_hessian))
        left, since_cut = np.zeros(3), 0.0
        for t, (_, sums) in enumerate(groups[:-1]):
            left, since_cut = left + sums, since_cut + sums[2]
            right = node.sums - left
            if not self.big_enough(left, right) or min(since_cut, right[2]) < apart:
                continue
            if p.max_cat_threshold and min(t + 1, len(groups) - t - 1) > p.max_cat_threshold:
                continue
            since_cut = 0.0
            gain = self.gain(left, node, f, l2)
            if gain > node.gain:
                bins = set().union(*(group[0] for group in groups[: t + 1]))
                node.gain, node.feature = gain, f
                node.left_bins, node.missing_left = self.with_unseen(hist, node, bins, {missing})

    @staticmethod
    def with_unseen(hist, node, bins, missing):
        """Return all bins that go left and whether missing values do: if there are none, to the larger side.

        Bins that the node did not see go where missing values go.
        """
        left = sum(hist[b, 2] for b in bins)
        missing_left = missing <= bins if hist[-1, 2] > 0 else left > node.sums[2] - left
        return bins | set(np.flatnonzero(hist[:, 2] == 0).tolist()) if missing_left else bins, bool(missing_left)


# ---- all trees
# -----------------------------------------------------------------------------------------------------------


class Trainer:
    def __init__(self, mapper, binned, y, sample_weight, objective, params, baseline, n_threads):
        if min(params.subsample, params.colsample_bytree, params.colsample_bylevel, params.colsample_bynode) < 1:
            raise NotImplementedError("random samples")
        self.mapper, self.objective, self.params = mapper, objective, params
        self.bins, self.y = binned.bins, np.asarray(y, dtype=np.float64)
        self.weight = np.ones(len(self.y)) if sample_weight is None else np.asarray(sample_weight)
        self.count = self.weight if (self.weight == np.round(self.weight)).all() else np.ones(len(self.y))
        self.baseline = np.asarray(baseline, dtype=np.float64)
        self.raw, self.validation, self.trees = np.tile(self.baseline, (len(self.y), 1)), None, []

    n_iterations = property(lambda self: len(self.trees) // len(self.baseline))

    def set_raw_scores(self, raw):
        self.raw = np.array(raw)

    def add_validation(self, binned, y, sample_weight):
        raw = np.tile(self.baseline, (len(y), 1))
        self.validation = SimpleNamespace(bins=binned.bins, y=y, weight=sample_weight, raw=raw)

    def set_validation_raw_scores(self, raw):
        self.validation.raw = np.array(raw)

    def raw_scores(self):
        return self.raw.copy()

    def validation_raw_scores(self):
        return self.validation.raw.copy()

    def train_loss(self):
        return self.objective.loss(self.y, self.raw, self.weight)

    def validation_loss(self):
        return self.objective.loss(self.validation.y, self.validation.raw, self.validation.weight)

    def step(self):
        if self.objective.name == "custom":
            raise ValueError("a custom loss has no built-in gradients; use step_custom")
        if not self.params.newton:
            raise NotImplementedError("line search")
        gradient, hessian = self.objective.gradients(self.y, self.raw)
        # Rounded before they are weighted: a weight of 2 is then exactly a second copy.
        scale, weight = self.objective.scale(self.y, self.weight), self.weight[:, None]
        gradient, hessian = (gradient * scale).astype(np.float32), (hessian * scale).astype(np.float32)
        self.add_trees(gradient * weight, hessian * weight, self.objective.step_share())

    def step_custom(self, gradient, hessian):
        self.add_trees(gradient.astype(np.float32), hessian.astype(np.float32))

    def add_trees(self, gradient, hessian, step_share=0):
        residual = self.y - self.raw[:, 0]
        for k in range(len(self.baseline)):
            stats = np.column_stack([gradient[:, k], hessian[:, k], self.count]).astype(np.float64)
            nodes = Grower(self.bins, self.mapper, self.params, stats, step_share).grow()
            for node in nodes:
                if node.feature < 0:
                    renewed = self.objective.renewed_leaf(residual[node.rows], self.weight[node.rows])
                    node.value = node.value if renewed is None else renewed
                node.value *= self.params.learning_rate
                if node.feature < 0:
                    self.raw[node.rows, k] += node.value
            self.trees.append(nodes)
            if self.validation is not None:
                self.validation.raw[:, k] += [self.value_of(row, nodes) for row in self.validation.bins]

    def value_of(self, bins, nodes):
        node = nodes[0]
        while node.feature >= 0:
            b = bins[node.feature]
            if node.left_bins is not None:
                left = b in node.left_bins
            else:
                left = node.missing_left if b == self.mapper.n_bins(node.feature) else b <= node.bin
            node = nodes[node.left + (not left)]
        return node.value

    def truncate(self, n_iterations):
        del self.trees[n_iterations * len(self.baseline) :]

    def forest(self):
        nodes = [node for tree in self.trees for node in tree]
        thresholds, offsets, sizes, words = [], [], [], []
        for node in nodes:
            edges = self.mapper.edges(node.feature) if node.feature >= 0 else []
            # Missing values against all others has no edge: its threshold is infinite.
            thresholds.append(edges[node.bin] if 0 <= node.bin < len(edges) else np.copysign(np.inf, node.bin))
            categorical = node.feature >= 0 and node.left_bins is not None
            offsets.append(len(words) if categorical else -1)
            bits = self.left_codes(node) if categorical else np.array([], dtype=bool)
            packed = np.packbits(bits, bitorder="little").view("<u4") if categorical else []
            words.extend(packed)
            sizes.append(len(packed))
        leaf = np.array([node.feature < 0 for node in nodes], dtype=bool)
        left = np.array([node.left for node in nodes], dtype=np.int32)
        state = {
            "n_features": np.array([self.mapper.n_features]),
            "baseline": self.baseline,
            "tree_offset": np.cumsum([0, *(len(tree) for tree in self.trees)]),
            "feature": np.array([node.feature for node in nodes], dtype=np.int32),
            "threshold": np.where(leaf, 0.0, thresholds) if nodes else np.array([]),
            "left": np.where(leaf, -1, left).astype(np.int32),
            "right": np.where(leaf, -1, left + 1).astype(np.int32),
            "default_left": np.array([node.missing_left for node in nodes], dtype=np.uint8),
            "category_offset": np.array(offsets, dtype=np.int64),
            "category_size": np.array(sizes, dtype=np.int32),
            "value": np.array([node.value for node in nodes], dtype=np.float64),
            "gain": np.array([node.gain if node.feature >= 0 else 0.0 for node in nodes], dtype=np.float64),
            "cover": np.array([node.sums[1] for node in nodes], dtype=np.float64),
            "count": np.array([node.sums[2] for node in nodes], dtype=np.float64),
            "category_words": np.array(words, dtype=np.uint32),
        }
        return Forest.from_state(state)

    def left_codes(self, node):
        """Whether each category goes left, padded to whole words as codes that training has not seen."""
        n_categories, last_bin = self.mapper.n_categories[node.feature], self.mapper.n_bins(node.feature) - 1
        bits = np.full(-(-n_categories // 32) * 32, node.missing_left)
        bits[:n_categories] = [min(code, last_bin) in node.left_bins for code in range(n_categories)]
        return bits


class Forest:
    @staticmethod
    def from_state(state):
        self = Forest()
        self._state = {name: np.array(values) for name, values in state.items()}
        self.n_outputs, self.n_trees = len(state["baseline"]), len(state["tree_offset"]) - 1
        self.n_features, self.n_iterations = int(np.ravel(state["n_features"])[0]), self.n_trees // self.n_outputs
        return self

    @staticmethod
    def merge(a, b):
        a, b = a.state(), b.state()
        b["tree_offset"] = b["tree_offset"][1:] + len(a["feature"])
        b["category_offset"] = np.where(b["category_offset"] < 0, -1, b["category_offset"] + len(a["category_words"]))
        alone = ("n_features", "baseline")
        return Forest.from_state({k: a[k] if k in alone else np.concatenate([a[k], b[k]]) for k in a})

    def state(self):
        return {name: values.copy() for name, values in self._state.items()}

    def apply(self, X, n_threads):
        s, X = self._state, dense(X).astype(np.float64)
        leaves = np.empty((len(X), self.n_trees), dtype=np.int32)
        for t, begin in enumerate(s["tree_offset"][:-1]):
            for i, x in enumerate(X):
                at = 0
                while s["feature"][begin + at] >= 0:
                    at = self.child(x, begin + at)
                leaves[i, t] = at
        return leaves

    def child(self, x, at):
        s = self._state
        value, offset, size = x[s["feature"][at]], s["category_offset"][at], s["category_size"][at]
        if np.isnan(value) or (offset >= 0 and not 0 <= value < 32 * size):
            left = s["default_left"][at]
        elif offset >= 0:
            left = (int(s["category_words"][offset + int(value) // 32]) >> (int(value) % 32)) & 1
        else:
            left = value <= s["threshold"][at]
        return s["left" if left else "right"][at]

    def staged(self, X, n_threads):
        s = self._state
        leaves = self.apply(X, n_threads) + s["tree_offset"][:-1]
        raw = np.tile(s["baseline"], (len(leaves), 1))
        for t in range(self.n_trees):
            raw[:, t % self.n_outputs] += s["value"][leaves[:, t]]
            if (t + 1) % self.n_outputs == 0:
                yield raw.copy()

    def predict(self, X, first_iteration, last_iteration, n_threads):
        s = self._state
        raw = np.tile(s["baseline"], (len(dense(X)), 1))
        leaves = self.apply(X, n_threads) + s["tree_offset"][:-1]
        for t in range(first_iteration * self.n_outputs, last_iteration * self.n_outputs):
            raw[:, t % self.n_outputs] += s["value"][leaves[:, t]]
        return raw

    def predict_one(self, x):
        return self.predict(np.asarray(x)[None, :], 0, self.n_iterations, 1)[0]

    def importance(self, kind):
        s = self._state
        inner = s["feature"] >= 0
        sums = {"gain": s["gain"], "cover": s["cover"], "split": np.ones(len(inner))}[kind]
        return np.bincount(s["feature"][inner], weights=sums[inner], minlength=self.n_features).astype(np.float64)
