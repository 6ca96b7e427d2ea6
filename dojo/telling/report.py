"""Failures that explain themselves, and which of them are shown."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from dojo.grading import answers, curriculum
from dojo.grading.curriculum import Kata
from dojo.telling.progress import TALLY, about
from dojo.telling.words import cut, plain

if TYPE_CHECKING:
    from dojo.telling.explanation import Explanation

HANG_GUARDS_STACKS = re.compile(r"^\++ Timeout \++$.*", re.MULTILINE | re.DOTALL)
LATER = "to do"  # what the last line calls the failures that are not shown
MOST_PRINTED = 12  # lines of what the learner's code prints


class Report:
    """Puts our words in the place of pytest's, and shows those that are of use now."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    # -- one test ---------------------------------------------------------------------

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Keep pytest from explaining a failure that we explain.

        It parses source files for that, and CPython 3.11 cannot do so while the thread of a
        worker formats a traceback (python/cpython#106905): the whole run would end.
        """
        if curriculum.kata_of(item.path) and not self._wants_pytests_own_words():
            item.repr_failure = lambda excinfo, style=None: ""  # type: ignore[method-assign] # noqa: ARG005

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell pytest what to print for a failure in a kata."""
        report = yield
        kata, facts = curriculum.kata_of(item.path), about(report)
        if kata is None or facts is None:
            return report
        ours = not self._wants_pytests_own_words()
        if ours:
            report.sections = list(_printed(report))
        if report.failed and call.excinfo is not None:
            try:
                explanation = _explained(item, kata, call.excinfo.value)
            except Exception as defect:  # ours; it must not hide the learner's failure
                if ours:
                    _tell_our_defect(report, item, call.excinfo, defect)
                return report
            facts.update(todo=explanation.todo, cause=explanation.cause)
            if explanation.of_file:
                facts["of_file"] = answers.shown(answers.file_of(kata))
            facts["not_run"] = call.excinfo.errisinstance(answers.NotRunError)
            if ours:
                report.longrepr = explanation.text
        return report

    def _wants_pytests_own_words(self) -> bool:
        option = self._config.option
        return bool(option.verbose >= 2 or option.tbstyle != "auto")

    # -- all tests --------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Choose the failures to show: those of the first unfinished kata, each text once.

        Whoever asks for a hint has read them.
        """
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._wants_pytests_own_words():
            return
        upcoming = self._config.stash[TALLY].next_unfinished
        slug = upcoming.kata.slug if upcoming else ""
        no_more = bool(self._config.option.hint and upcoming and upcoming.todo)
        stats = terminal.stats
        said: list[str] = []
        for category in ("failed", "error"):
            for report in stats.pop(category, []):
                facts = about(report)
                if facts is None:
                    stats.setdefault(category, []).append(report)
                    continue
                cause = facts.get("cause", "")
                if facts["slug"] != slug or no_more or _is_said(cause, said):
                    stats.setdefault(LATER, []).append(report)
                    continue
                said += [cause] if cause else []
                _dress(report, terminal)
                stats.setdefault("failed", []).append(report)


def _explained(item: pytest.Item, kata: Kata, error: BaseException) -> Explanation:
    from dojo.telling.explain import explain  # neither is needed while everything passes
    from dojo.telling.failure import failure_of

    return explain(failure_of(item, kata, error))


def _tell_our_defect(
    report: pytest.TestReport,
    item: pytest.Item,
    excinfo: pytest.ExceptionInfo[BaseException],
    defect: Exception,
) -> None:
    report.longrepr = f"{type(excinfo.value).__name__}: {answers.text_of(excinfo.value)}"
    with contextlib.suppress(Exception):
        report.longrepr = type(item).repr_failure(item, excinfo)
    what = f"The dojo could not explain this: {type(defect).__name__}: {defect}"
    report.sections.append(("A defect of the katas", what))


def _is_said(cause: str, said: list[str]) -> bool:
    """Whether this text, or a text with this line, was told for another test."""
    return bool(cause) and any(cause == one or cause in one.splitlines() for one in said)


def _dress(report: Any, terminal: pytest.TerminalReporter) -> None:
    """Make the terminal show a failure in letters of its stream, under the right headline."""
    if isinstance(report.longrepr, str):
        report.longrepr = plain(report.longrepr, terminal._tw._file)
    if file := (about(report) or {}).get("of_file"):
        report.location = (*report.location[:2], file)
    report.__dict__.pop("node", None)  # pytest-xdist would print which process it was


def _printed(report: pytest.TestReport) -> Iterator[tuple[str, str]]:
    """What the learner's code printed, cut if it is long."""
    for title, text in report.sections:
        text = HANG_GUARDS_STACKS.sub("", text)
        if title.startswith("Captured stdout") and text:
            lines = text.splitlines()
            more = ["… and more …"] if len(lines) > MOST_PRINTED else []
            yield title, cut([*lines[:MOST_PRINTED], *more], len(lines) + 1) + "\n"
