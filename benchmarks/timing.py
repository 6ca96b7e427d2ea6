"""A pytest plugin that writes down how long each test took: `-p benchmarks.timing`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import TIMES_FILE


class Times:
    """Adds up setup, call and teardown of each test."""

    def __init__(self) -> None:
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which tests start real worker processes."""
        for item in session.items:
            processes = "workers" in getattr(item, "fixturenames", ())
            self._tests[item.nodeid] = {"seconds": 0.0, "processes": processes}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one part of a test."""
        self._tests[report.nodeid]["seconds"] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write all of it down."""
        Path(os.environ[TIMES_FILE]).write_text(json.dumps(self._tests), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run."""
    config.pluginmanager.register(Times(), "benchmarks-times")
