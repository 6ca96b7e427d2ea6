"""The pytest plugin: hands pytest's hooks on to the rooms of the dojo."""

from __future__ import annotations

import pytest

from dojo import arguments
from dojo.grading import curriculum
from dojo.running import servers
from dojo.telling.progress import TALLY, Tally
from dojo.telling.report import Report

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
)


def pytest_configure(config: pytest.Config) -> None:
    """Look for the servers, and let the dojo report on the katas."""
    servers.check()
    arguments.find_katas(config)
    config.stash[TALLY] = Tally()
    # In this order: what a report says of its kata is there before the failure is explained.
    config.pluginmanager.register(config.stash[TALLY], "dojo-tally")
    config.pluginmanager.register(Report(config), "dojo-report")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a kata that needs another version, before anything is imported."""
    kata = curriculum.kata_of(item.path)
    if kata and kata.lacks:
        pytest.skip(f"needs {kata.lacks}")
