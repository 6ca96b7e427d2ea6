"""A pytest plugin: the fixtures `kata` and `celery_app` as one would write them without the dojo.

`pytest --noconftest -p celery.contrib.pytest -p benchmarks.stock` runs tests of a kata that ask
for nothing but `kata` and `celery_worker`. The worker is Celery's own fixture as it comes; the
broker and the result back end are in memory.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator

import celery.contrib.testing.tasks  # noqa: F401 - the fixture's worker answers to its ping
import pytest
from celery import Celery

from benchmarks.processes import ROOT

SERVERS = {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": "cache+memory://"}


@pytest.fixture
def kata(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[types.ModuleType]:
    """The reference solution, imported afresh as `tasks`."""
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    file = ROOT / "solutions" / request.path.parent.name / "tasks.py"
    spec = importlib.util.spec_from_file_location("tasks", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tasks", module)
    spec.loader.exec_module(module)
    yield module
    module.app.close()


@pytest.fixture
def naps() -> list[float]:
    """The tests ask for it; here nothing is noted."""
    return []


@pytest.fixture
def celery_app(kata: types.ModuleType) -> Celery:
    """The app of the solution, for Celery's fixture `celery_worker`."""
    app: Celery = kata.app
    return app


class PriceList:
    """In place of the kata's own: prices are as they are, and nothing is checked."""

    more = 0

    def check(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def price_list() -> PriceList:
    """See `PriceList`."""
    return PriceList()
