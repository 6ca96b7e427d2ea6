"""The pytest plugin: hands pytest's hooks on to the modules that know."""

from __future__ import annotations

import pytest

from dojo import servers
from dojo.report import Report

pytest_plugins = ("dojo.fixtures",)


def pytest_configure(config: pytest.Config) -> None:
    """Look for the servers, and let the dojo report on the katas."""
    servers.check()
    config.pluginmanager.register(Report(config), "dojo-report")
