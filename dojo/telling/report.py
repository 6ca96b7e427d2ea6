"""Failures that explain themselves: our words take the place of pytest's."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from dojo.grading import answers, curriculum
from dojo.grading.curriculum import Kata
from dojo.safety.shelter import Heard
from dojo.telling.progress import about
from dojo.telling.words import cut

if TYPE_CHECKING:
    from dojo.telling.explanation import Explanation

#: CPython 3.11 raises a SystemError when two threads parse at the same time, and a worker's thread
#: parses when it formats a traceback (python/cpython#106905). So often we try again.
PARSED_AT_ONCE = 3
HANG_GUARDS_STACKS = re.compile(r"^\++ Timeout \++$.*", re.MULTILINE | re.DOTALL)
VERBOSE = re.compile(r"-v+")
MOST_PRINTED = 12  # lines of what the learner's code prints, to each stream
HEARD = pytest.StashKey[Heard]()  # where a test leaves what its answer told


def verbosity(config: pytest.Config) -> int:
    """How often the learner has said `-v`.

    Other plugins set pytest's option for themselves: PyCharm's does, and it means nothing to us.
    """
    words = _words(config)
    return sum(len(word) - 1 for word in words if VERBOSE.fullmatch(word)) + words.count(
        "--verbose"
    )


def wants_pytests_own_words(config: pytest.Config) -> bool:
    """Whether the learner has asked for what pytest says: by `-vv`, or by a `--tb`."""
    styles = [word for word in _words(config) if word.startswith("--tb")]
    return verbosity(config) >= 2 or (bool(styles) and config.option.tbstyle != "auto")


def _words(config: pytest.Config) -> list[str]:
    """What the learner wrote."""
    lasting = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    return [*lasting, *map(str, config.invocation_params.args)]


def pytest_configure(config: pytest.Config) -> None:
    """Explain the failures of this run."""
    config.pluginmanager.register(Report(not wants_pytests_own_words(config)), "dojo-report")


class Report:
    """Explains the failures in katas.

    Args:
        in_our_words: put the explanations in the place of pytest's words.
    """

    def __init__(self, in_our_words: bool) -> None:
        self._in_our_words = in_our_words

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Keep pytest from explaining a failure that we explain.

        It parses source files for that, and CPython 3.11 cannot do so while the thread of a
        worker formats a traceback (python/cpython#106905): the whole run would end.
        """
        if self._in_our_words and curriculum.kata_of(item.path):
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
        if self._in_our_words:
            report.sections = list(_sections(report, item.stash.get(HEARD, Heard())))
        if report.failed and call.excinfo is not None:
            try:
                explanation = _explained(item, kata, call.excinfo.value)
            except Exception as defect:  # ours; it must not hide the learner's failure
                if self._in_our_words:
                    _tell_our_defect(report, item, call.excinfo, defect)
                return report
            facts.update(todo=explanation.todo, cause=explanation.cause)
            if explanation.of_file:
                facts["of_file"] = explanation.headline or answers.shown(answers.file_of(kata))
            facts["not_run"] = call.excinfo.errisinstance(answers.NotRunError)
            if self._in_our_words:
                facts["explanation"] = dataclasses.asdict(explanation)
                report.longrepr = explanation.text
        return report


def _explained(item: pytest.Item, kata: Kata, error: BaseException) -> Explanation:
    from dojo.telling.explain import explain  # neither is needed while everything passes
    from dojo.telling.failure import failure_of

    for _ in range(PARSED_AT_ONCE):
        with contextlib.suppress(SystemError):
            return explain(failure_of(item, kata, error))
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


def _sections(report: pytest.TestReport, heard: Heard) -> Iterator[tuple[str, str]]:
    """What the learner's code printed and logged, cut if it is long."""
    told = [(title, text) for title, text in report.sections if title.startswith("Captured stdout")]
    told += [("On the error stream", "".join(heard.stderr)), ("In the log", "".join(heard.log))]
    for title, text in told:
        if lines := HANG_GUARDS_STACKS.sub("", text).splitlines():
            more = ["… and more …"] if len(lines) > MOST_PRINTED else []
            yield title, cut([*lines[:MOST_PRINTED], *more], len(lines) + 1) + "\n"
