"""Every registered class has a case."""

from contract.cases import CASES
from mlcore._registry import CLASSES


def test_every_registered_class_has_a_case():
    missing = set(CLASSES) - set(CASES)
    assert not missing, f"describe {', '.join(sorted(missing))} in tests/python/contract/cases.py"
    assert set(CASES) == set(CLASSES)
