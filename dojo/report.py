"""What the learner reads: failures that explain themselves, hints, and the map of the katas."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dojo import answers, curriculum, hints
from dojo.diff import difference, reference_of
from dojo.map import Map, Progress, command, plain
from dojo.timeline import Timeline

if TYPE_CHECKING:
    from dojo.explain import Explanation

TIMELINE = pytest.StashKey[Timeline]()  # where a test leaves its timeline for us
HANG_GUARDS_STACKS = re.compile(r"^\++ Timeout \++$.*", re.MULTILINE | re.DOTALL)
LATER = "to do"  # what the last line calls the failures that are not shown
MOST_PRINTED = 12  # lines of what the learner's code prints
WIDEST = 200  # characters of such a line


class Report:
    """Collects the reports of all tests; works with pytest-xdist, where they come by wire."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._progress: dict[str, Progress] = {}
        self._totals: dict[str, int] = {}  # tests found in each kata; known where they are found

    # -- one test ---------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        """Count the tests of a kata: all of them, also if -k, --lf or an id chooses some."""
        report: pytest.CollectReport = yield
        kata = curriculum.kata_of(collector.path) if isinstance(collector, pytest.Module) else None
        if kata is not None:
            self._totals[kata.slug] = len(report.result)
        return report

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
        about: dict[str, Any] = {"slug": kata.slug, "total": self._totals[kata.slug]}
        report.user_properties.append(("kata", about))
        if mark := item.get_closest_marker("todo"):
            about["todo"] = mark.args[0]
        explanation = None
        if report.failed and call.excinfo is not None:
            with contextlib.suppress(Exception):  # told below, where it is needed
                explanation = self._explained(item, call.excinfo.value, about)
        if explanation is not None:
            about.update(todo=explanation.todo, cause=explanation.cause)
            if explanation.of_file:
                about["of_file"] = answers.shown(self._answer(about))
            if call.excinfo is not None:
                about["not_run"] = call.excinfo.errisinstance(answers.NotRunError)
        if self._wants_pytests_own_words():
            return report
        report.sections = list(_printed(report))
        if report.failed and call.excinfo is not None:
            try:
                report.longrepr = (
                    explanation or self._explained(item, call.excinfo.value, about)
                ).text
            except Exception as defect:  # ours; it must not hide the learner's failure
                report.longrepr = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}"
                with contextlib.suppress(Exception):
                    report.longrepr = type(item).repr_failure(item, call.excinfo)
                what = f"The dojo could not explain this: {type(defect).__name__}: {defect}"
                report.sections.append(("A defect of the katas", what))
        return report

    def _explained(self, item: pytest.Item, error: BaseException, about: Any) -> Explanation:
        from dojo.explain import explain  # not needed while everything passes

        function = getattr(item, "function", None)
        timeline = item.stash.get(TIMELINE, None)
        code = getattr(function, "__code__", None)
        asked_for = code.co_varnames[: code.co_argcount] if code else ()
        return explain(
            error,
            getattr(function, "__doc__", None) or item.name,
            item.path,
            self._answer(about),
            timeline,
            todo=about.get("todo"),
            expects_messages=bool({"timeline", "celery_worker", "queue_size"} & set(asked_for)),
        )

    def _answer(self, about: dict[str, Any]) -> Path:
        return answers.tree() / str(about["slug"]) / "tasks.py"

    def _wants_pytests_own_words(self) -> bool:
        option = self._config.option
        return bool(option.verbose >= 2 or option.tbstyle != "auto")

    # -- all tests --------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test for its kata."""
        about = _about(report)
        if about is None:
            return
        progress = self._of(about["slug"])
        progress.total = max(progress.total, about["total"])
        if about.get("not_run"):
            progress.stopped = True
            return
        progress.unusable |= "of_file" in about
        if report.failed and about.get("todo"):
            progress.todos.add(about["todo"])
        if report.when == "call" or not report.passed:
            progress.outcomes[report.nodeid] = report.outcome

    def _of(self, slug: str) -> Progress:
        if slug not in self._progress:
            self._progress[slug] = Progress(curriculum.kata(slug))
        return self._progress[slug]

    def _map(self, terminal: pytest.TerminalReporter) -> Map:
        for slug, total in self._totals.items():  # also those that -x kept from running
            self._of(slug).total = total
        return Map(terminal, [self._progress[slug] for slug in sorted(self._progress)])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Choose the failures to show: those of the first unfinished kata, each text once.

        Whoever asks for a hint has read them.
        """
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._wants_pytests_own_words():
            return
        upcoming = self._map(terminal).next_unfinished
        slug = upcoming.kata.slug if upcoming else ""
        no_more = bool(self._config.option.hint and upcoming and upcoming.todo)
        stats = terminal.stats
        said: list[str] = []
        for category in ("failed", "error"):
            for report in stats.pop(category, []):
                about = _about(report)
                if about is None:
                    stats.setdefault(category, []).append(report)
                    continue
                cause = about.get("cause", "")
                if about["slug"] != slug or no_more or _is_said(cause, said):
                    stats.setdefault(LATER, []).append(report)
                    continue
                said += [cause] if cause else []
                _dress(report, terminal)
                stats.setdefault("failed", []).append(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was asked for by an option, and the map."""
        chart = self._map(terminalreporter)
        if not self._progress:
            return
        option = self._config.option
        terminalreporter.ensure_newline()
        if option.hint:
            _hint(terminalreporter, chart.next_unfinished, int(option.hint))
        if option.diff:
            for progress in self._progress.values():
                _diff(terminalreporter, progress, anyway=option.diff == "anyway")
        chart.draw(hint_seen=int(option.hint or 0), diff_seen=bool(option.diff))


def _hint(terminal: pytest.TerminalReporter, upcoming: Progress | None, grade: int) -> None:
    if upcoming is None:
        terminal.section("hint", "-")
        terminal.write_line("No test fails, so there is nothing to give a hint for.")
        return
    terminal.section(f"hint for {upcoming.kata.slug}", "-")
    if upcoming.todo is None:
        terminal.write_line("First mend what is said above. Then there is a hint for each TODO.")
        return
    terminal.write_line(plain(hints.hint(upcoming.kata, upcoming.todo, grade), terminal._tw._file))


def _about(report: Any) -> dict[str, Any] | None:
    """What `pytest_runtest_makereport` noted about the kata of a test."""
    properties = dict(getattr(report, "user_properties", ()))
    about = properties.get("kata")
    return about if isinstance(about, dict) else None


def _is_said(cause: str, said: list[str]) -> bool:
    """Whether this text, or a text with this line, was told for another test."""
    return bool(cause) and any(cause == one or cause in one.splitlines() for one in said)


def _dress(report: Any, terminal: pytest.TerminalReporter) -> None:
    """Make the terminal show a failure in letters of its stream, under the right headline."""
    if isinstance(report.longrepr, str):
        report.longrepr = plain(report.longrepr, terminal._tw._file)
    if file := (_about(report) or {}).get("of_file"):
        report.location = (*report.location[:2], file)
    report.__dict__.pop("node", None)  # pytest-xdist would print which process it was


def _printed(report: pytest.TestReport) -> Any:
    """What the learner's code printed, cut if it is long."""
    for title, text in report.sections:
        text = HANG_GUARDS_STACKS.sub("", text)
        if not title.startswith("Captured stdout") or not text:
            continue
        lines = text.splitlines()
        cut = [
            line if len(line) <= WIDEST else line[:WIDEST] + "…" for line in lines[:MOST_PRINTED]
        ]
        if len(lines) > MOST_PRINTED:
            cut.append("… and more …")
        yield title, "\n".join(cut) + "\n"


def _diff(terminal: pytest.TerminalReporter, progress: Progress, anyway: bool) -> None:
    kata = progress.kata
    terminal.section(f"diff of {kata.slug}", "-")
    if answers.tree() == curriculum.ROOT / "solutions":
        terminal.write_line("This run graded the reference itself: there is nothing to compare.")
        return
    if not (progress.done or anyway):
        again = command("pytest", answers.shown(kata.folder), "--diff=anyway")
        terminal.write_line("It is not done yet, so the reference is not shown. To see it all the")
        terminal.write_line(f"same: {again}")
        return
    if not (reference := reference_of(kata)).exists():
        terminal.write_line(f"There is no reference: {answers.shown(reference)} is missing.")
        return
    lines = difference(kata)
    if not lines:
        terminal.write_line("Your file is the same as the reference.")
    for line in lines:
        markup = {"green": line.startswith("+"), "red": line.startswith("-")}
        terminal.write_line(plain(line, terminal._tw._file), **markup)
