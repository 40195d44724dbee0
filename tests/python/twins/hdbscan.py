"""HDBSCAN* in plain Python: from points to labels by the definitions, without a thought for speed."""

import numpy as np


def reachability(X, min_samples, alpha=1.0):
    """Return the matrix of mutual reachability distances; the point itself counts among `min_samples`."""
    d = np.sqrt(((X[:, None] - X[None]) ** 2).sum(axis=2))
    core = np.sort(d, axis=1)[:, min_samples - 1]
    return np.maximum(np.maximum(core[:, None], core[None]), d / alpha)


def spanning_weight(D):
    """Return the weight of the minimum spanning tree: always the nearest point that is not in it."""
    near, total = D[0].copy(), 0.0
    inside = np.arange(len(D)) == 0
    while not inside.all():
        j = int(np.argmin(np.where(inside, np.inf, near)))
        total += near[j]
        inside[j] = True
        near = np.minimum(near, D[j])
    return total


def members(Z, node):
    """Return the points below a node."""
    n = len(Z) + 1
    return [node] if node < n else members(Z, int(Z[node - n, 0])) + members(Z, int(Z[node - n, 1]))


class Tree:
    """A cluster with the points that leave it, [(lambda, point)], and what it splits into."""

    def __init__(self, Z, node, min_cluster_size, birth=0.0):
        n = len(Z) + 1
        self.birth, self.points, self.children = birth, [], []
        self.size = len(members(Z, node))
        self.split = None
        while True:
            left, right, distance, _ = Z[node - n]
            sides = [int(left), int(right)]
            with np.errstate(divide="ignore"):
                level = float(np.float64(1) / distance)
            large = [side for side in sides if np.isfinite(level) and len(members(Z, side)) >= min_cluster_size]
            self.points += [(level, p) for side in sides if side not in large for p in members(Z, side)]
            if len(large) == 2:
                self.split = level
                self.children = [Tree(Z, side, min_cluster_size, level) for side in large]
            if len(large) != 1:
                return
            node = large[0]

    def levels(self):
        """Return all lambdas at which something leaves."""
        return [level for level, _ in self.points] + [self.split] * (self.split is not None)

    def death(self):
        """Return the highest finite one."""
        return max([level for level in self.levels() if np.isfinite(level)], default=np.inf)

    def below(self):
        """Return this cluster and all below it."""
        return [self, *(tree for child in self.children for tree in child.below())]

    def stability(self):
        """Return the sum of lifetimes."""
        split = sum(child.size * (self.split - self.birth) for child in self.children)
        return split + sum(level - self.birth for level, _ in self.points)

    def best(self):
        """Return the most stability that clusters at or below have, and those clusters."""
        if not self.children:
            return self.stability(), [self]
        found = [child.best() for child in self.children]
        total = sum(value for value, _ in found)
        if total > self.stability():
            return total, [tree for _, trees in found for tree in trees]
        return self.stability(), [self]


def labels_and_scores(tree, n, clusters):
    """Return labels (in the order of the clusters), probabilities and outlier scores."""
    labels, probabilities, scores = np.full(n, -1), np.zeros(n), np.zeros(n)
    for k, cluster in enumerate(clusters):
        death = cluster.death()
        for part in cluster.below():
            for level, p in part.points:
                labels[p] = k
                probabilities[p] = 1.0 if level >= death else level / death
    for part in tree.below():
        top = max([t.death() for t in part.below() if np.isfinite(t.death())], default=0.0)
        for level, p in part.points:
            scores[p] = 0.0 if level >= top else 1 - level / top
    return labels, probabilities, scores
