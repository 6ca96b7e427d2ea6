"""Which failures are shown: those of the first unfinished TODO, as far as a screen has room.

The last line of a run counts the others as "to do". `--all` and `-v` show them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dojo.grading import answers
from dojo.telling.block import Block
from dojo.telling.explanation import Explanation
from dojo.telling.option import GROUP
from dojo.telling.progress import TALLY, Progress, about
from dojo.telling.report import verbosity, wants_pytests_own_words
from dojo.telling.words import command

LATER = "to do"
ROOM = 25  # lines; with the lines of pytest and of the map a run has about 40


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup(GROUP).addoption(
        "--all",
        action="store_true",
        help="show all failures, and all that is known of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the failures of this run, unless pytest was asked for all it knows."""
    if not wants_pytests_own_words(config):
        config.pluginmanager.register(Screen(config), "dojo-screen")


class Screen:
    """A pytest plugin that chooses the failures to show when the run is over."""

    def __init__(self, config: pytest.Config) -> None:
        self._all = bool(config.option.all or verbosity(config))
        self._later: list[Any] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the failures that are not shown out of pytest's list."""
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return
        upcoming = session.config.stash[TALLY].next_unfinished
        hinted = bool(session.config.option.hint and upcoming and upcoming.todo)
        stats, ours = terminal.stats, []
        for category in ("failed", "error"):
            reports = stats.pop(category, [])
            ours += [report for report in reports if about(report)]
            if others := [report for report in reports if not about(report)]:
                stats[category] = others
        shown = [] if hinted else self._chosen(ours, upcoming, terminal._tw.fullwidth)
        for report in shown:
            stats.setdefault("failed", []).append(report)
        self._later = [report for report in ours if report not in shown]
        if self._later:
            stats[LATER] = self._later

    def _chosen(self, failed: list[Any], upcoming: Progress | None, width: int) -> list[Any]:
        """The failures to show, dressed for the terminal. Whoever asks for a hint has read them."""
        chosen: list[Any] = []
        said: list[str] = []
        room = ROOM
        for report in failed:
            facts = about(report) or {}
            cause = facts.get("cause", "")
            if not self._all and (not _is_next(facts, upcoming) or _is_said(cause, said)):
                continue
            block = _block(facts, short=bool(chosen) and not self._all)
            if block is not None:
                room -= block.height(width)
                if room < 0 and chosen and not self._all:
                    continue
                report.longrepr = block
            said += [cause] if cause else []
            if "of_file" in facts:
                report.location = (*report.location[:2], facts["of_file"])
            report.__dict__.pop("node", None)  # pytest-xdist would print which process it was
            chosen.append(report)
        return chosen

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Say what is not shown of the kata that comes next."""
        upcoming = config.stash[TALLY].next_unfinished
        if upcoming is None or upcoming.unusable or config.option.hint:
            return
        facts = [about(report) or {} for report in self._later]
        todos = Counter(f.get("todo") for f in facts if f["slug"] == upcoming.kata.slug)
        if todos:
            counted = ", ".join(_counted(todo, todos[todo]) for todo in sorted(todos, key=str))
            again = command("pytest", answers.shown(upcoming.kata.folder), "--all")
            terminalreporter.write_line("")
            terminalreporter.write_line(f"Not shown: {counted}.")
            terminalreporter.write_line(f"To read all: {again}")


def _counted(todo: int | None, count: int) -> str:
    tests = "1 test" if count == 1 else f"{count} tests"
    return f"TODO {todo}: {tests}" if todo else tests


def _block(facts: dict[str, Any], short: bool) -> Block | None:
    """The explanation as a block; None if there is none, by a defect of ours."""
    said = facts.get("explanation")
    return Block(Explanation(**said), short) if said else None


def _is_next(facts: dict[str, Any], upcoming: Progress | None) -> bool:
    """Whether a failure is about the TODO that comes next, or about the file as a whole."""
    if upcoming is None or facts["slug"] != upcoming.kata.slug:
        return False
    return upcoming.todo is None or facts.get("todo") in (None, upcoming.todo)


def _is_said(cause: str, said: list[str]) -> bool:
    """Whether this text, or a text with this line, was told for another test."""
    return bool(cause) and any(cause == one or cause in one.splitlines() for one in said)
