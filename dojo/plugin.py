"""The pytest plugin: hands pytest's hooks on to the rooms of the dojo."""

from __future__ import annotations

import pytest

from dojo import arguments
from dojo.grading import curriculum
from dojo.running import servers
from dojo.telling.progress import TALLY, Tally

pytest_plugins = (
    "dojo.safety.guard",  # first: pytest warns of plugins that another one has imported
    "dojo.fixtures.evidence",
    "dojo.fixtures.kata",
    "dojo.fixtures.servers",
    "dojo.fixtures.workers",
    "dojo.telling.chart",
    "dojo.telling.diff",
    "dojo.telling.hints",
    "dojo.telling.map",
    "dojo.telling.report",
    "dojo.telling.screen",
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Look for the servers and the katas, and begin to count."""
    servers.check()
    arguments.find_katas(config)
    # Before all others: a report says which kata it is of before the failure is explained.
    config.stash[TALLY] = Tally()
    config.pluginmanager.register(config.stash[TALLY], "dojo-tally")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a kata that needs another version, before anything is imported."""
    kata = curriculum.kata_of(item.path)
    if kata and kata.lacks:
        pytest.skip(f"needs {kata.lacks}")
