"""The examples in docstrings run and print what they say."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["mlcore._io", "mlcore.boosting._classifier", "mlcore.boosting._regressor"])
def test_examples(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
