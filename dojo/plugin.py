"""The pytest plugin: hands pytest's hooks on to the modules that know."""

from __future__ import annotations

import pytest

from dojo import curriculum, options, servers
from dojo.options import pytest_addoption as pytest_addoption
from dojo.report import Report

pytest_plugins = ("dojo.fixtures", "dojo.naps")


def pytest_configure(config: pytest.Config) -> None:
    """Look for the servers, and let the dojo report on the katas."""
    servers.check()
    options.find_katas(config)
    if (target := config.option.timeline) is not None:
        from dojo import chart

        chart.switch_on(config, target)
    config.pluginmanager.register(Report(config), "dojo-report")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a kata that needs another version, before anything is imported."""
    kata = curriculum.kata_of(item.path)
    if kata and kata.lacks:
        pytest.skip(f"needs {kata.lacks}")
