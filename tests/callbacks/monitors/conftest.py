"""Runs of a few steps: the advice that nothing can be named in them is of no use here."""

import pytest


def pytest_collection_modifyitems(items):
    """Pass it over, except where a test expects it."""
    folder = __file__.rpartition("conftest.py")[0]
    for item in items:
        if str(item.path).startswith(folder):
            item.add_marker(pytest.mark.filterwarnings("ignore:`every_n_steps` should be smaller"))
