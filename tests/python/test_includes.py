"""The rule of floors: what stands in the repository keeps it, and each way to break it is seen."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def problems(root):
    spec = importlib.util.spec_from_file_location("check_includes", ROOT / "tools/check_includes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.problems(root)


KEPT = {
    "cpp/core/view.hpp": "#include <span>\n",
    "cpp/core/eigen.hpp": "#include <Eigen/Core>\n",
    "cpp/linalg/gemm.cpp": '#include "core/eigen.hpp"\n#include <Eigen/QR>\n#include "linalg/gemm.hpp"\n',
    "cpp/text/corpus.cpp": '#include "core/view.hpp"\n',
    "cpp/neighbors/kd_tree.cpp": '#include "linalg/gemm.hpp"\n',
    "cpp/cluster/dbscan.cpp": '#include "neighbors/kd_tree.hpp"\n',
    "cpp/svm/solver.cpp": '#include "linalg/gemm.hpp"\n#include "text/corpus.hpp"\n',
    "cpp/nn/softmax.cpp": '#include "nn/softmax.hpp"\n',
    "cpp/bindings/nn/softmax.cpp": '#include <pybind11/numpy.h>\n#include "level.hpp"\n#include "nn/softmax.hpp"\n',
    "python/mlcore/__init__.py": "from mlcore import nn, svm\nfrom mlcore.svm._svc import SVC\n",
    "python/mlcore/_base.py": "from mlcore import __version__\nfrom mlcore._state import Spec\n",
    "python/mlcore/_state.py": "import numpy as np\n",
    "python/mlcore/svm/__init__.py": "from mlcore.svm._svc import SVC\n",
    "python/mlcore/svm/_svc.py": "from mlcore import _base\nfrom mlcore.svm import _kernel\n",
    "python/mlcore/nn/__init__.py": "from mlcore.nn.estimators._fit import fit\n",
    "python/mlcore/nn/_runtime.py": "import numpy as np\n",
    "python/mlcore/nn/tensor/_tape.py": "import mlcore._base\nfrom mlcore.nn._runtime import pool\n",
    "python/mlcore/nn/layers/_linear.py": "from mlcore.nn import functional as F\nfrom ..tensor._tape import Tensor\n",
    "python/mlcore/nn/estimators/_fit.py": "from mlcore.nn.training._trainer import Trainer\n",
    "python/mlcore/metrics/__init__.py": "from mlcore._base import seed_from\n",
    "python/mlcore/nn/training/_steps.py": "from mlcore.metrics import accuracy_score\n",
    "python/mlcore/plotting/__init__.py": "from mlcore.metrics import roc_curve\nfrom mlcore.svm import SVC\n",
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_repository_keeps_the_rule():
    assert problems(ROOT) == []


def test_tree_that_keeps_the_rule_passes(tmp_path):
    write(tmp_path, KEPT)
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("cpp/core/view.hpp", '#include "linalg/gemm.hpp"', "core stands below linalg"),
        ("cpp/core/view.hpp", '  #  include "nn/softmax.hpp"', "core stands below nn"),
        ("cpp/linalg/gemm.cpp", '#include "text/corpus.hpp"', "linalg stands below text or beside it"),
        ("cpp/linalg/gemm.cpp", '#include "neighbors/kd_tree.hpp"', "linalg stands below neighbors or beside it"),
        ("cpp/neighbors/kd_tree.cpp", '#include "cluster/dbscan.hpp"', "neighbors stands below cluster"),
        ("cpp/text/corpus.cpp", '#include "svm/solver.hpp"', "text stands below svm"),
        ("cpp/svm/solver.cpp", '#include "nn/softmax.hpp"', "svm stands below nn or beside it"),
        ("cpp/svm/solver.cpp", '#include "bindings/module.hpp"', "svm stands below bindings"),
        ("cpp/svm/solver.cpp", "#include <pybind11/numpy.h>", "only the bindings know Python"),
        ("cpp/core/view.hpp", "#include <Python.h>", "only the bindings know Python"),
        ("cpp/svm/solver.cpp", "#include <Eigen/QR>", "core/eigen.hpp comes before it"),
        ("cpp/core/view.hpp", "#ifdef __AVX512F__", "depends on the ISA level without core/simd.hpp"),
        ("python/mlcore/_base.py", "from mlcore.svm import SVC", "_base stands below svm"),
        ("python/mlcore/_base.py", "from . import nn", "_base stands below nn"),
        ("python/mlcore/_base.py", "from mlcore.metrics import roc_curve", "_base stands below metrics"),
        ("python/mlcore/metrics/__init__.py", "from mlcore.svm import SVC", "metrics stands below svm"),
        ("python/mlcore/svm/_svc.py", "from mlcore.nn import Tensor", "svm stands below nn or beside it"),
        ("python/mlcore/svm/_svc.py", "    import mlcore.plotting", "svm stands below plotting"),
        ("python/mlcore/svm/_svc.py", "from mlcore import save", "what lists all others"),
        ("python/mlcore/nn/tensor/_tape.py", "from mlcore.nn.functional import relu", "tensor stands below functional"),
        ("python/mlcore/nn/tensor/_tape.py", "from ..layers import _linear", "tensor stands below layers"),
        ("python/mlcore/nn/layers/_linear.py", "from mlcore.nn import Trainer", "layers stands below Trainer"),
        ("python/mlcore/nn/_runtime.py", "from mlcore.nn import layers", "stands below layers"),
        ("python/mlcore/nn/helpers.py", "from mlcore.nn import layers", "helpers is none of the rooms"),
        ("python/mlcore/plotting/__init__.py", "import mlcore", "what lists all others"),
    ],
)
def test_violation_is_named(tmp_path, name, line, said):
    text = KEPT.get(name, "")
    write(tmp_path, KEPT | {name: f"{text}def f():\n{line}\n" if line.startswith("    ") else f"{text}{line}\n"})
    (found,) = problems(tmp_path)
    assert found.startswith(name)
    assert said in found
