"""Sort texts by subject, from raw text to a confusion matrix: ``python examples/text_classification.py [FILE]``.

FILE has a JSON object a line with the keys split ("train" or "test"), label and text, plain or compressed (.gz, .xz,
.bz2), as 20 Newsgroups is often found. Without one: which library does a piece of documentation belong to? Every
installation of the demo extra brings those texts along.
"""

import json
import random
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.dummy import DummyClassifier

from mlcore import LogisticRegression, TfidfVectorizer
from mlcore.metrics import accuracy_score, bootstrap, classification_report
from mlcore.plotting import plot_confusion_matrix

mpl.use("agg")
from matplotlib import pyplot as plt

LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "sklearn")
NAMES = r"\b(matplotlib|mpl|plt|numpy|np|pandas|pd|scipy|sklearn|scikit)\b"


def documentation():
    """Read docstrings, each once, without the names of the libraries; every fourth is for the test."""
    library_of = {}
    for library in LIBRARIES:
        folder = Path(find_spec(library).origin).parent
        for path in sorted(path for path in folder.rglob("*.py") if "tests" not in path.parts):
            for text in re.findall(r'"""(.*?)"""', path.read_text("utf-8"), re.DOTALL):
                plain = re.sub(NAMES, "", text)
                if len(plain) > 200:
                    library_of[plain] = library
    texts = random.Random(0).sample(sorted(library_of), len(library_of))
    return [("train" if i % 4 else "test", library_of[text], text) for i, text in enumerate(texts)]


def lines_of(path):
    """Read a file of JSON lines."""
    import bz2
    import gzip
    import lzma

    opener = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}.get(Path(path).suffix, open)
    with opener(path, "rt", encoding="utf-8") as file:
        return [(line["split"], line["label"], line["text"]) for line in map(json.loads, file)]


documents = lines_of(sys.argv[1]) if len(sys.argv) > 1 else documentation()
train, test = ([row[1:] for row in documents if row[0] == split] for split in ("train", "test"))
(y_train, texts_train), (y_test, texts_test) = (zip(*rows, strict=True) for rows in (train, test))
y_train, y_test = np.array(y_train), np.array(y_test)
megabytes = sum(map(len, texts_train + texts_test)) / 1e6
print(f"{len(y_train):,} texts to learn from, {len(y_test):,} to test, {megabytes:.1f} million characters")

start = time.perf_counter()
vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
X_train = vectorizer.fit_transform(texts_train)
X_test = vectorizer.transform(texts_test)
print(f"tf-idf: {X_train.shape[1]:,} terms, {time.perf_counter() - start:.2f} s")

start = time.perf_counter()
model = LogisticRegression(C=10).fit(X_train, y_train)
predicted = model.predict(X_test)
print(f"logistic regression: {time.perf_counter() - start:.2f} s\n")

trivial = DummyClassifier().fit(X_train, y_train).predict(X_test)
interval = bootstrap("accuracy", y_test, predicted, random_state=0).interval
print(classification_report(y_test, predicted))
print(f"accuracy {accuracy_score(y_test, predicted):.3f}, 95 % interval {interval[0]:.3f} to {interval[1]:.3f};")
print(f"always the most frequent class: {accuracy_score(y_test, trivial):.3f}\n")
terms = vectorizer.get_feature_names_out()
for label, weights in zip(model.classes_, model.coef_, strict=True):
    print(f"{label:<26}", *terms[np.argsort(-weights)[:6]])

figure, ax = plt.subplots(figsize=(9, 8), layout="constrained")
plot_confusion_matrix(y_test, predicted, ax)
figure.savefig("text_classification.png", dpi=120)
print("\nwhich was taken for which:", Path("text_classification.png").resolve())
