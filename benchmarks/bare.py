"""Three empty tests, and what an app imports: what a run of pytest on an app costs in any case."""

import importlib

from benchmarks.cases import APP_NEEDS

for name in APP_NEEDS:
    importlib.import_module(name)


def test_one() -> None:
    """Nothing."""


def test_two() -> None:
    """Nothing."""


def test_three() -> None:
    """Nothing."""
