"""The choice of the core's build: the forced level is the one that runs, and a wrong one never loads in silence."""

import ast
import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import mlcore
from mlcore import _native
from mlcore._registry import FAMILIES


@pytest.mark.isa
def test_each_built_level_runs_when_forced(isa_levels, run_python):
    assert isa_levels
    for level in isa_levels:
        result = run_python(
            "from mlcore import _native; print(_native.isa_level(), _native.core.build_info()['isa_level'])",
            env={"MLCORE_ISA": level},
        )
        assert result.stdout.split() == [level, level], result.stderr


def test_highest_usable_level_is_chosen(isa_levels, run_python):
    result = run_python("from mlcore import _native; print(_native.isa_level())")
    assert result.stdout.strip() == isa_levels[-1], result.stderr


@pytest.mark.parametrize("name", ["v9", "V3", "avx2", " v3"])
def test_unknown_level_raises_at_import(name, run_python):
    result = run_python("import mlcore", env={"MLCORE_ISA": name})
    assert result.returncode != 0
    assert f"ImportError: MLCORE_ISA must be one of generic, v2, v3, v4, got '{name}'" in result.stderr
    assert f"levels built: {', '.join(_native.built_levels())}" in result.stderr


def test_level_that_is_not_built_raises_at_import(run_python):
    missing = [level for level in _native.supported_levels() if level not in _native.built_levels()]
    if not missing:
        pytest.skip("this package holds every level that this CPU supports")
    result = run_python("import mlcore", env={"MLCORE_ISA": missing[0]})
    assert f"ImportError: MLCORE_ISA={missing[0]}: this package was built without it" in result.stderr


# The cases that need another CPU: _choose_level itself, told that it is on one.
@pytest.fixture
def old_cpu(monkeypatch):
    """A v2 CPU and a package with the levels given."""

    def pretend(*built: str) -> None:
        monkeypatch.setattr(_native, "CPU_LEVEL", "v2")
        monkeypatch.setattr(_native, "built_levels", lambda: built)

    return pretend


def test_level_that_the_cpu_lacks_raises(old_cpu):
    old_cpu("v2", "v3", "v4")
    assert _native._choose_level("") == "v2"
    message = "MLCORE_ISA=v4: this CPU does not support it (levels built: v2, v3, v4; this CPU supports: generic, v2)"
    with pytest.raises(ImportError, match=re.escape(message)):
        _native._choose_level("v4")


def test_package_for_newer_cpus_only_raises(old_cpu):
    old_cpu("v3", "v4")
    with pytest.raises(ImportError, match=r"no build of its core for this CPU \(levels built: v3, v4; "):
        _native._choose_level("")


def test_generic_build_serves_every_cpu(old_cpu):
    old_cpu("generic")
    assert _native._choose_level("") == "generic"


def test_cpu_level_agrees_with_numpy():
    # An independent opinion: NumPy's own CPU detection.
    features = pytest.importorskip("numpy._core._multiarray_umath").__cpu_features__
    if "AVX2" not in features:
        pytest.skip("not an x86-64 CPU")
    assert ("v3" in _native.supported_levels()) == (features["AVX2"] and features["FMA3"])
    assert ("v4" in _native.supported_levels()) == features["AVX512_SKX"]


def test_show_config_dict():
    config = mlcore.show_config(mode="dict")
    assert config["mlcore"] == mlcore.__version__
    assert config["isa_level"] == _native.isa_level()
    assert config["isa_level"] in config["isa_levels_built"]
    assert config["isa_level_cpu"] == _native.CPU_LEVEL
    assert config["available_cpus"] >= 1
    assert config["int8"] in ("plain", "avx_vnni", "avx512_vnni")
    assert config["bfloat16"] in ("plain", "avx512_bf16")
    assert config["numpy"] == np.__version__
    for key in ("compiler", "openmp", "scipy", "scikit-learn"):
        assert config[key], key
    json.dumps(config)


@pytest.mark.parametrize(("kind", "variable"), [("int8", "MLCORE_INT8"), ("bfloat16", "MLCORE_BF16")])
def test_without_special_instructions(run_python, kind, variable):
    code = f"import mlcore; print(mlcore.show_config('dict')['{kind}'])"
    assert run_python(code, env={variable: "plain"}).stdout.strip() == "plain"
    assert f"{variable} must be 'plain' or unset, got 'fast'" in run_python(code, env={variable: "fast"}).stderr


def test_show_config_prints_what_the_dict_holds(capsys):
    assert mlcore.show_config() is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(mlcore.show_config(mode="dict"))


def test_show_config_rejects_other_modes():
    with pytest.raises(ValueError, match="mode of show_config must be 'stdout' or 'dict', got 'yaml'"):
        mlcore.show_config(mode="yaml")


def test_version_is_that_of_the_distribution():
    assert mlcore.__version__ == version("mlcore-cpp")


def test_import_is_quick_and_brings_no_family(run_python):
    code = """
import sys, time
start = time.perf_counter()
import mlcore
print(time.perf_counter() - start)
print(*[name for name in ("sklearn", "pandas", "mlcore.boosting", "mlcore.embedding") if name in sys.modules])
"""
    seconds, *heavy = run_python(code).stdout.split()
    assert heavy == []
    assert float(seconds) < 2.0  # 0.05 on a quiet machine; a slow disk may take a while over the first load


def stub_names(body, inside=""):
    """Public functions and classes of a stub, and the members of the classes as Class.name."""
    for node in body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "TypedDict" for base in node.bases):
            continue  # tells what is in a dict
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from stub_names(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield inside + node.name
        elif isinstance(node, ast.AnnAssign) and inside:
            yield inside + node.target.id


# seq stands on the kernels of nn and has none of its own
@pytest.mark.parametrize("module", ["__init__", *(family for family in FAMILIES if family != "seq")])
def test_stubs_name_what_the_core_offers(module):
    stub = ast.parse((Path(mlcore.__file__).parent / "_core" / f"{module}.pyi").read_text())
    native = _native.core if module == "__init__" else getattr(_native.core, module)
    offered = set()
    for name, value in vars(native).items():
        if callable(value) and not name.startswith("_"):
            offered.add(name)
            if isinstance(value, type):
                offered.update(f"{name}.{member}" for member in vars(value) if not member.startswith("_"))
    assert offered == set(stub_names(stub.body))


FIT = """
import hashlib, numpy as np, mlcore
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 8))
X[rng.random(X.shape) < 0.1] = np.nan
X[:, 7] = rng.integers(12, size=len(X))
y = np.nansum(X[:, :3], axis=1) + X[:, 7] % 3
models = [
    mlcore.GBDTRegressor(n_estimators=20, subsample=0.7, categorical_features=[7], random_state=0, n_jobs=2).fit(X, y),
    mlcore.GBDTRegressor(n_estimators=20, loss="poisson", random_state=0, n_jobs=2).fit(X, np.exp(y / 5)),
    mlcore.GBDTClassifier(n_estimators=20, growth="depth", random_state=0, n_jobs=2).fit(X, np.digitize(y, [-1, 1])),
]
print(mlcore._native.isa_level())
for model in models:
    print(hashlib.sha256(getattr(model, "predict_proba", model.predict)(X).tobytes()).hexdigest())
"""


def test_results_agree_between_levels(levels_to_compare, run_python):
    # Bit for bit: the core is compiled without contraction into FMA, and sums are in an order of their own.
    digests = {}
    for level in levels_to_compare:
        result = run_python(FIT, env={"MLCORE_ISA": level})
        assert result.returncode == 0, result.stderr
        ran, *digests[level] = result.stdout.split()
        assert ran == level
    assert len({tuple(digest) for digest in digests.values()}) == 1, digests
