"""What tests of seq share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread_of_torch():
    """PyTorch's threads wait busily for each other: on a machine that does something else small work takes seconds."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
