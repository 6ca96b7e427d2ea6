"""Keeps Python's garbage collector away from what a run imports.

Modules stay to the end of a run, and the collector finds nothing in them. Its looking costs
more than any test does, and Python looks at everything once more when it exits.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator, Iterator

import pytest


@contextlib.contextmanager
def spared() -> Iterator[None]:
    """Nothing that is made while this lasts is looked at, then or later: for imports."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption() -> None:
    """Begin with the imports of the other plugins: pytest calls this hook first of all."""
    gc.disable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """End when the tests are collected: most of what they need is imported by then."""
    with spared():
        return (yield)
