"""The tables of docs/estimators.md: which estimator has which parameter, method and attribute.

`python tools/estimator_table.py` writes them into the page, from the installed package: signatures, docstrings and
tags. tests/python/contract/test_vocabulary.py compares the page with them, and the docstrings with fitted models.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlcore
from mlcore._registry import CLASSES

PAGE = Path(__file__).parents[1] / "docs" / "estimators.md"
BEGIN, END = "<!-- written by tools/estimator_table.py -->", "<!-- end -->"

PARAMETERS = [
    *("n_jobs", "random_state", "verbose", "class_weight", "most iterations", "tol", "warm_start"),
    *("early_stopping", "validation_fraction", "n_iter_no_change"),
]
ARGUMENTS = ["sample_weight", "X_val", "y_val", "sample_weight_val"]
ITERATIONS = ["max_iter", "n_estimators", "epochs", "max_epochs"]
METHODS = [
    *(
        "partial_fit",
        "predict",
        "fit_predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
        "transform",
        "generate",
        "score",
    ),
    *("sparsify", "densify"),
]
ATTRIBUTES = [
    *("classes_", "class_weight_", "coef_", "intercept_", "n_iter_", "loss_curve_", "train_score_", "history_"),
    *("labels_", "n_clusters_", "n_features_in_", "feature_names_in_"),
]


def estimators() -> dict[str, type]:
    """All public estimators, family by family."""
    classes = {name: getattr(mlcore, name) for name in CLASSES}
    return {name: cls for name, cls in classes.items() if hasattr(cls, "get_params")}


def parameters(cls: type) -> dict[str, Any]:
    """Parameters and their defaults."""
    return {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def documented(item: Any, section: str) -> dict[str, str]:
    """Names in a section of the docstring of a class or function, with what stands after the colon."""
    text = inspect.getdoc(item) or ""
    body = re.search(rf"^{section}\n-+\n(.*?)(?=^[^\n]+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    found = {}
    for names, kind in re.findall(r"^(?:\*\*)?(\w+(?:, \w+)*)(?: :(.*))?$", body[1] if body else "", re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), kind.strip())
    return found


def tables() -> str:
    """The tables as Markdown."""
    yes: Callable[[bool], str] = lambda is_there: "yes" if is_there else ""  # noqa: E731
    blocks = []

    def add(title: str, columns: list[str], cell: Callable[[type, str], str]) -> None:
        rows = [[f"`{name}`", *(cell(cls, column) for column in columns)] for name, cls in estimators().items()]
        head = ["", *(column if " " in column else f"`{column}`" for column in columns)]
        lines = [head, ["---"] * len(head), *rows]
        blocks.append("\n".join([f"### {title}", "", *("| " + " | ".join(line) + " |" for line in lines)]))

    add("Parameters and their defaults", PARAMETERS, _default)
    add("What fit takes", [*ARGUMENTS, *_TAGS], _takes)
    add("Methods", METHODS, lambda cls, name: yes(hasattr(cls, name)))
    add("Fitted attributes", ATTRIBUTES, lambda cls, name: yes(name in documented(cls, "Attributes")))
    return "\n\n".join(blocks)


def page() -> str:
    """The page as it should be: as it is, with the tables of today."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


_TAGS: dict[str, Callable[[Any], bool]] = {
    "sparse X": lambda tags: tags.input_tags.sparse,
    "missing values": lambda tags: tags.input_tags.allow_nan,
    "several targets": lambda tags: tags.target_tags.multi_output,
    "texts": lambda tags: tags.input_tags.string and not tags.input_tags.two_d_array,
}


def _default(cls: type, name: str) -> str:
    found = parameters(cls)
    if name == "most iterations":
        return next((f"`{other}={found[other]!r}`" for other in ITERATIONS if other in found), "")
    return f"`{found[name]!r}`" if name in found else ""


def _takes(cls: type, name: str) -> str:
    if name in _TAGS:
        return "yes" if _TAGS[name](cls().__sklearn_tags__()) else ""
    return "yes" if name in inspect.signature(cls.fit).parameters else ""  # type: ignore[attr-defined]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
