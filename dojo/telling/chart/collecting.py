"""Collects what Celery did in each test of a run.

Each test tells of its timeline in the report of its teardown, in data that JSON can carry:
under pytest-xdist the reports come by wire.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dojo.grading import curriculum
from dojo.telling.chart import page
from dojo.telling.chart.drawing import drawn, printable
from dojo.telling.failure import TIMELINE
from dojo.telling.progress import about

PROPERTY = "timeline"


def check(file: Path, target: str) -> None:
    """Find out before the first test whether the page can be written.

    Raises:
        pytest.UsageError: it cannot; the message says why.
    """
    problem = None
    if not target:
        problem = "name a file, as in --timeline=chart.html"
    elif file.is_dir():
        problem = "this is a folder; name a file in it"
    elif file.exists() and not file.is_file():
        problem = "this is not a file"
    elif not file.parent.is_dir():
        problem = f"there is no folder {file.parent}"
    elif file.exists() and not _is_ours(file):
        problem = "this file is there, and it is no chart; name another one"
    elif file.exists() and not os.access(file, os.W_OK):
        problem = "the file cannot be written to"
    else:
        try:
            with tempfile.TemporaryFile(dir=file.parent):
                pass
        except OSError as error:
            problem = error.strerror or str(error)
    if problem:
        raise pytest.UsageError(f"--timeline={target}: {problem}.")


def _is_ours(file: Path) -> bool:
    """Whether the file is an earlier page, or empty: nothing is lost with it."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = file.read_text(encoding="utf-8")
        return not text or page.SIGNATURE in text
    return False


class Chart:
    """Collects the timelines of all tests, and writes them to the file `target` in the end.

    Raises:
        pytest.UsageError: the page cannot be written there.
    """

    def __init__(self, config: pytest.Config, target: str) -> None:
        self._config = config
        self._file = (config.invocation_params.dir / Path(target).expanduser()).resolve()
        if not _is_xdist_worker(config):
            check(self._file, target)
        self._tests: dict[str, page.Test] = {}
        self._outcomes: dict[str, str] = {}
        self._failures: dict[str, str] = {}  # the sentence of each
        self._said = ""

    # -- one test, perhaps in a process of pytest-xdist ---------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Put the timeline into the last report of a test."""
        report: pytest.TestReport = yield
        if call.when == "teardown" and curriculum.kata_of(item.path):
            report.user_properties.append((PROPERTY, told(item)))
        return report

    # -- all tests ----------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the timeline out of the report again, so that nobody else prints it."""
        if _is_xdist_worker(self._config):
            return  # it has still to go to the process that writes the page
        if report.when == "call" or not report.passed:
            self._outcomes[report.nodeid] = report.outcome
        if report.failed:
            said = (about(report) or {}).get("explanation", {}).get("what", "")
            self._failures[report.nodeid] = printable(said.partition("\n\n")[0])
        for mine in [p for p in report.user_properties if p[0] == PROPERTY]:
            report.user_properties.remove(mine)
            self._tests[report.nodeid] = mine[1]  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        """Write the page, unless no test ran: a page of an earlier run is worth more then."""
        if _is_xdist_worker(self._config):
            return
        if not self._tests:
            self._said = f"no kata ran to its end, so {self._file} was not written"
            return
        for nodeid, said in self._failures.items():
            if nodeid in self._tests:
                self._tests[nodeid]["said"] = said
        tests = sorted(self._tests.items(), key=lambda test: test[1]["place"])
        try:
            write(self._file, page.html(tests, self._outcomes))
            self._said = f"{self._file} (tests: {len(tests)})"
        except OSError as error:
            self._said = f"{self._file} could not be written: {error.strerror or error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the page is."""
        terminalreporter.write_line(f"timeline: {self._said}")


def told(item: pytest.Item) -> page.Test:
    """What the page needs to know of a test that has ended."""
    requirement = inspect.getdoc(getattr(item, "function", None)) or item.name
    file, line, _ = item.location
    timeline = item.stash.get(TIMELINE, None)
    return {
        "name": printable(item.name),
        "kata": item.path.parent.name,
        "requirement": printable(" ".join(requirement.split())),
        "said": "",
        "place": [file, line or 0, item.nodeid],
        "drawing": drawn(timeline.events() if timeline is not None else []),
    }


def write(file: Path, text: str) -> None:
    """Write the file as a whole or not at all: an older page stays until the new one is there."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with open(handle, "w", encoding="utf-8") as temporary:  # noqa: PTH123 - it is open already
            temporary.write(text)
        Path(name).chmod(_mode(file))
        Path(name).replace(file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _mode(file: Path) -> int:
    """The permissions of the page: those that it has, or those of any new file."""
    if file.exists():
        return file.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _is_xdist_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
