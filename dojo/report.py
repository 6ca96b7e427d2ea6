"""What the learner reads: failures that explain themselves, and a line for each kata."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Any

import pytest

from dojo import answers, curriculum
from dojo.explain import explain
from dojo.timeline import Timeline

TIMELINE = pytest.StashKey[Timeline]()  # where a test leaves its timeline for us
HANG_GUARDS_STACKS = re.compile(r"^\++ Timeout \++$.*", re.MULTILINE | re.DOTALL)
SAME_AGAIN = "The same error as in the test above."


@dataclasses.dataclass
class Progress:
    """How far one kata is: the outcome of each test that ran."""

    outcomes: dict[str, str] = dataclasses.field(default_factory=dict)
    unusable: bool = False  # the file itself is at fault, not an answer in it

    @property
    def passed(self) -> int:
        """The number of tests that passed."""
        return sum(1 for outcome in self.outcomes.values() if outcome == "passed")


class Report:
    """Collects the reports of all tests; works with pytest-xdist, where they come by wire."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._progress: dict[str, Progress] = {}
        self._said: set[tuple[str, str]] = set()

    # -- one test ---------------------------------------------------------------------

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Keep pytest from explaining a failure that we explain.

        It parses source files for that, and CPython 3.11 cannot do so while the thread of a
        worker formats a traceback (python/cpython#106905): the whole run would end.
        """
        if curriculum.kata_of(item.path) and not self._wants_pytests_own_words():
            item.repr_failure = lambda excinfo, style=None: ""  # type: ignore[method-assign] # noqa: ARG005

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Tell pytest what to print for a failure in a kata."""
        report: pytest.TestReport = yield
        kata = curriculum.kata_of(item.path)
        if kata is None:
            return report
        report.user_properties.append(("kata", kata.slug))
        if self._wants_pytests_own_words():
            return report
        printed = [
            (title, HANG_GUARDS_STACKS.sub("", text))
            for title, text in report.sections
            if title.startswith("Captured stdout")
        ]
        report.sections = [(title, text) for title, text in printed if text]
        if report.failed and call.excinfo is not None:
            try:
                self._explain(item, call.excinfo.value, kata, report)
            except Exception as defect:  # ours; it must not hide the learner's failure
                report.longrepr = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}"
                with contextlib.suppress(Exception):
                    report.longrepr = type(item).repr_failure(item, call.excinfo)
                what = f"The dojo could not explain this: {type(defect).__name__}: {defect}"
                report.sections.append(("A defect of the katas", what))
        return report

    def _explain(
        self,
        item: pytest.Item,
        error: BaseException,
        kata: curriculum.Kata,
        report: pytest.TestReport,
    ) -> None:
        explanation = explain(
            error,
            getattr(getattr(item, "function", None), "__doc__", None) or item.name,
            item.path,
            answers.tree() / kata.slug / "tasks.py",
            item.stash.get(TIMELINE, None),
        )
        if explanation.of_file:
            report.user_properties.append(("unusable", kata.slug))
            if (kata.slug, explanation.what) in self._said:
                report.longrepr = SAME_AGAIN
                return
            self._said.add((kata.slug, explanation.what))
        report.longrepr = explanation.text

    def _wants_pytests_own_words(self) -> bool:
        option = self._config.option
        return bool(option.verbose >= 2 or option.tbstyle != "auto")

    # -- all tests --------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test for its kata."""
        slug = next((str(value) for name, value in report.user_properties if name == "kata"), None)
        if slug is None:
            return
        progress = self._progress.setdefault(slug, Progress())
        progress.unusable |= ("unusable", slug) in report.user_properties
        if report.when == "call" or not report.passed:
            progress.outcomes[report.nodeid] = report.outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each kata."""
        if not self._progress:
            return
        terminalreporter.section("katas", "-")
        width = max(map(len, self._progress))
        for slug, progress in sorted(self._progress.items()):
            counted = f"{progress.passed:2} of {len(progress.outcomes):2}"
            done = progress.passed == len(progress.outcomes)
            terminalreporter.write_line(
                f"{slug:{width}}  {counted}  {self._state(slug, progress)}",
                green=done,
                yellow=not done,
            )

    def _state(self, slug: str, progress: Progress) -> str:
        if progress.passed == len(progress.outcomes):
            return "done"
        if lacking := curriculum.kata(slug).lacks:
            return f"needs {lacking}"
        if progress.unusable:
            return "the file cannot be used as it is: see above"
        answer = answers.tree() / slug / "tasks.py"
        if answer.is_file() and (gaps := answers.open_todos(answer)):
            numbers = ", ".join(f"TODO {number}" for number in gaps)
            return f"not done yet: {numbers} in {answers.shown(answer)}"
        failed = len(progress.outcomes) - progress.passed
        return f"{failed} to go: see above" if failed > 1 else "one to go: see above"
