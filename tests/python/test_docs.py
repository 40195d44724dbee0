"""The examples in docstrings run and print what they say; those in the pages run."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import mlcore

PACKAGE = Path(mlcore.__file__).parent
PAGES = Path(__file__).parents[2] / "docs"


def modules_with_examples():
    for path in PACKAGE.rglob("*.py"):
        if ">>> " in path.read_text("utf-8"):
            yield ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def snippets_of(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", sorted(modules_with_examples()))
def test_examples(name):
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "page", [page for page in sorted(PAGES.glob("*.md")) if snippets_of(page)], ids=lambda p: p.stem
)
def test_snippets(page, tmp_path, monkeypatch):
    """All of a page in one namespace, from top to bottom."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, snippet in enumerate(snippets_of(page)):
        exec(compile(snippet, f"{page.name}, snippet {number}", "exec"), names)
