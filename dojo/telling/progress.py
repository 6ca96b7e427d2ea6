"""How far each kata of a run is. It works with pytest-xdist, where reports come by wire."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dojo.grading import curriculum
from dojo.grading.curriculum import Kata

PROPERTY = "kata"  # under this name a report carries what is known of the kata of its test


@dataclass
class Progress:
    """How far one kata is."""

    kata: Kata
    total: int = 0  # the tests that the run found, whether they ran or not
    outcomes: dict[str, str] = field(default_factory=dict)  # of those that ran, by their ids
    todos: set[int] = field(default_factory=set)  # that the failed tests are about
    stopped: bool = False  # some tests did not run, since the code did not come to an end
    unusable: bool = False  # the file itself is at fault, not an answer in it

    @property
    def passed(self) -> int:
        """The number of tests that passed."""
        return sum(1 for outcome in self.outcomes.values() if outcome == "passed")

    @property
    def failed(self) -> int:
        """The number of tests that failed."""
        return sum(1 for outcome in self.outcomes.values() if outcome == "failed")

    @property
    def todo(self) -> int | None:
        """The first TODO that fails, if the tests could tell."""
        return None if self.unusable else min(self.todos, default=None)

    @property
    def done(self) -> bool:
        """Whether every test of the kata ran and passed."""
        return self.passed == self.total > 0

    @property
    def state(self) -> str:
        """What is to be said of it in a few words."""
        if self.done:
            return "done"
        if self.kata.lacks:
            return f"needs {self.kata.lacks}"
        if self.unusable:
            return "the file has an error: see above"
        told = [f"TODO {number}" for number in sorted(self.todos)]
        if self.failed and not told:
            told = [f"{self.failed} to go"]
        if left := self.total - len(self.outcomes):
            told.append(f"{left} did not run")
        return ", ".join(told)


def about(report: Any) -> dict[str, Any] | None:
    """What a report says of the kata of its test: `slug`, `total`, and of a failure more.

    todo      the TODO that the failure is about
    cause     the text that need not be said again for another test
    of_file   the file that is at fault as a whole
    not_run   the test was not run: the code did not come to an end before
    """
    found = dict(getattr(report, "user_properties", ())).get(PROPERTY)
    return found if isinstance(found, dict) else None


class Tally:
    """A pytest plugin that counts the tests of each kata, and how they ended."""

    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}
        #: The tests found in each file of each kata; known where they are found.
        self._found: dict[str, dict[str, int]] = {}

    @property
    def katas(self) -> list[Progress]:
        """The katas of this run, in the order of the curriculum."""
        for slug in self._found:  # also those that -x kept from running
            self._of(slug).total = self._total(slug)
        return [self._progress[slug] for slug in sorted(self._progress)]

    @property
    def next_unfinished(self) -> Progress | None:
        """The first kata that fails, or was stopped."""
        return next((p for p in self.katas if p.failed or p.stopped), None)

    def _total(self, slug: str) -> int:
        return sum(self._found[slug].values())

    def _of(self, slug: str) -> Progress:
        if slug not in self._progress:
            self._progress[slug] = Progress(curriculum.kata(slug))
        return self._progress[slug]

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Count the tests of a kata: all of them, also if -k, --lf or an id chooses some."""
        report = yield
        kata = curriculum.kata_of(collector.path) if isinstance(collector, pytest.Module) else None
        if kata is not None:
            self._found.setdefault(kata.slug, {})[collector.nodeid] = len(report.result)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report of a test say which kata it belongs to."""
        report = yield
        if kata := curriculum.kata_of(item.path):
            facts = {"slug": kata.slug, "total": self._total(kata.slug)}
            if mark := item.get_closest_marker("todo"):
                facts["todo"] = mark.args[0]
            report.user_properties.append((PROPERTY, facts))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test for its kata."""
        facts = about(report)
        if facts is None:
            return
        progress = self._of(facts["slug"])
        progress.total = max(progress.total, facts["total"])
        if facts.get("not_run"):
            progress.stopped = True
            return
        progress.unusable |= "of_file" in facts
        if report.failed and facts.get("todo"):
            progress.todos.add(facts["todo"])
        if report.when == "call" or not report.passed:
            progress.outcomes[report.nodeid] = report.outcome


TALLY = pytest.StashKey[Tally]()
