"""Learn word vectors from English text, one text a line: ``python examples/word2vec.py [FILE]``.

Without a file: from what every installation brings along, a million words of documentation inside three libraries.
"""

import random
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl

from mlcore import Word2Vec
from mlcore.plotting import plot_embedding, plot_history

mpl.use("agg")
from matplotlib import pyplot as plt

NEIGHBOURS = "minimum lasso classifier eigenvalue sine faster red"
ANALOGIES = "row rows column, minimum maximum lower, csr row csc, classification classifier regression, sin cos sinh"
STRANGERS = "poisson gamma weibull dbscan, int float cosine bool, chebyshev lasso legendre hermite"
GROUPS = {
    "distributions": "gamma poisson weibull lognormal cauchy gumbel pareto dirichlet binomial",
    "linear models": "lasso ridge elastic lars lassolars sgd perceptron logistic",
    "polynomials": "chebyshev legendre hermite laguerre jacobi gegenbauer",
    "functions": "sin cos tan sinh cosh tanh exp log sqrt",
    "clustering": "kmeans dbscan hdbscan linkage agglomerative centroids clusters",
    "sparse formats": "csr csc coo bsr dok lil",
}


def documentation():
    """Read all docstrings of the three libraries, each one text, as lists of words, in random order."""
    folders = [Path(find_spec(name).origin).parent for name in ("numpy", "scipy", "sklearn")]
    files = [path for folder in folders for path in folder.rglob("*.py") if "tests" not in path.parts]
    texts = {text for path in files for text in re.findall(r'"""(.*?)"""', path.read_text("utf-8"), re.DOTALL)}
    return [re.findall(r"[a-z]\w*", text.lower()) for text in random.Random(0).sample(sorted(texts), len(texts))]


corpus, start = sys.argv[1] if len(sys.argv) > 1 else documentation(), time.perf_counter()
model = Word2Vec(epochs=10, random_state=0, verbose=1).fit(corpus)
rate, words = 10 * model.n_words_ / (time.perf_counter() - start), model.keyed_vectors_
print(f"{model.n_words_:,} words of text, {len(words):,} different ones kept; 10 epochs at {rate:,.0f} words a second")
print(f"loss of a pair: {model.loss_curve_[0]:.3f} in the first epoch, {model.loss_curve_[-1]:.3f} in the last\n")
for word in [w for w in NEIGHBOURS.split() if w in words] or words.index_to_key[200:207]:
    print(f"near {word:<11}", *(f"{near} {cosine:.2f}  " for near, cosine in words.most_similar(word, topn=5)))
for a, b, c in [asked for line in ANALOGIES.split(",") if set(asked := line.split()) <= set(words.index_to_key)]:
    print(f"{a} is to {b} as {c} is to {words.most_similar(positive=[b, c], negative=[a], topn=1)[0][0]}")
for several in [asked for line in STRANGERS.split(",") if set(asked := line.split()) <= set(words.index_to_key)]:
    print(f"the stranger among {', '.join(several)}: {words.doesnt_match(several)}")

figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), width_ratios=(3, 1), layout="constrained")
groups = {name: [w for w in members.split() if w in words] for name, members in GROUPS.items()}
plot_embedding(words, ax=left, groups=groups if all(groups.values()) else None)
plot_history(model, ax=right)
figure.savefig("word2vec.png", dpi=120)
print("\nwords in the plane, and the loss:", Path("word2vec.png").resolve())
