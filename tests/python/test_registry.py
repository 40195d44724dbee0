"""The registry is the one list of public classes: the package, its families and type checkers agree with it."""

import ast
import pkgutil
from pathlib import Path

import pytest

import mlcore
from mlcore import _registry
from mlcore._base import StateMixin


def names_for_type_checkers():
    """Name -> module of what the TYPE_CHECKING block of the package imports."""
    tree = ast.parse(Path(mlcore.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    found = {}
    for node in block.body:
        (alias,) = node.names
        assert alias.asname == alias.name, "only 'import X as X' is exported to users of type checkers"
        found[alias.name] = node.module
    return found


def test_type_checkers_see_what_the_registry_lists():
    families = dict.fromkeys(_registry.FAMILIES, "mlcore")
    assert names_for_type_checkers() == families | _registry.CLASSES | _registry.FUNCTIONS


def test_all_public_names_resolve():
    assert mlcore.__all__ == [*_registry.PUBLIC, "__version__"]
    assert dir(mlcore) == sorted(mlcore.__all__)
    for name in mlcore.__all__:
        value = getattr(mlcore, name)
        assert getattr(value, "__name__", name).rpartition(".")[2] == name or name == "__version__"
        assert vars(mlcore)[name] is value  # found once


def test_every_family_is_registered_with_all_its_classes():
    """What has a state can be saved, and what can be saved is one of the public classes."""
    packages = {module.name for module in pkgutil.iter_modules(mlcore.__path__) if module.ispkg}
    assert packages - {"_core", "plotting"} == set(_registry.FAMILIES)
    for family, names in _registry.FAMILIES.items():
        package = getattr(mlcore, family)
        with_state = {
            name
            for name in package.__all__
            if isinstance(value := getattr(package, name), type) and issubclass(value, StateMixin)
        }
        assert with_state == set(names)
        assert list(names) == sorted(names, key=lambda name: (not name.isupper(), name))


def test_unknown_attribute_raises():
    with pytest.raises(AttributeError, match="module 'mlcore' has no attribute 'nonsense'"):
        _ = mlcore.nonsense
