"""The examples in docstrings run and print what they say; those in the pages run."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    "name",
    [
        "mlcore._io",
        "mlcore.boosting._classifier",
        "mlcore.boosting._regressor",
        "mlcore.embedding._similarity",
        "mlcore.embedding.keyed_vectors",
        "mlcore.embedding.phrases",
        "mlcore.embedding.word2vec",
        "mlcore.linear_model._elastic_net",
        "mlcore.linear_model._elastic_net_path",
        "mlcore.linear_model._logistic",
        "mlcore.linear_model._logistic_path",
        "mlcore.linear_model._ridge",
        "mlcore.nn.layers._summary",
        "mlcore.svm._linear_svc",
        "mlcore.svm._linear_svr",
        "mlcore.svm._one_class",
        "mlcore.svm._svc",
        "mlcore.svm._svr",
    ],
)
def test_examples(name):
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", ["embedding", "linear_model", "nn", "svm", "training"])
def test_snippets(name, tmp_path, monkeypatch):
    """All of a page in one namespace, from top to bottom."""
    snippets = re.findall(r"^```python\n(.*?)^```", (PAGES / f"{name}.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert snippets
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, snippet in enumerate(snippets):
        exec(compile(snippet, f"{name}.md, snippet {number}", "exec"), names)
