"""The map: a line for each kata, and what comes next."""

from __future__ import annotations

import pytest

from dojo.grading import answers, curriculum
from dojo.telling.hints import GRADES
from dojo.telling.progress import TALLY, Progress, Tally
from dojo.telling.words import command, plain

CELLS = 10  # of a bar


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Draw the map, below all else."""
    tally = config.stash[TALLY]
    if tally.katas:
        terminalreporter.ensure_newline()
        option = config.option
        Map(terminalreporter, tally).draw(int(option.hint or 0), diff_seen=bool(option.diff))


def pytest_report_collectionfinish() -> list[str]:
    """Say at once if the answers are not the learner's own."""
    return [_not_yours(others)] if (others := answers.others()) else []


def _not_yours(others: str) -> str:
    return f"This run grades {others}. It does not look at your files."


class Map:
    """Draws the katas of one run on the terminal."""

    def __init__(self, terminal: pytest.TerminalReporter, tally: Tally) -> None:
        self._terminal, self._katas = terminal, tally.katas
        self._upcoming = tally.next_unfinished
        self._stream = terminal._tw._file

    def _line(self, text: str = "", **markup: bool) -> None:
        self._terminal.write_line(plain(text, self._stream), **markup)

    def draw(self, hint_seen: int = 0, diff_seen: bool = False) -> None:
        """Draw the bars, and say what comes next.

        Args:
            hint_seen: the grade of the hint that this run has given, if it has.
            diff_seen: has this run shown the difference from the reference?
        """
        self._terminal.section("katas", "-")
        upcoming = self._upcoming
        for progress in self._katas:
            if progress.kata.part and len(self._katas) > 1:
                self._part(progress)
            self._row(progress, is_next=progress is upcoming)
        if others := answers.others():
            self._line()
            self._line(_not_yours(others), bold=True)
            return
        if upcoming is not None:
            self._way_on(upcoming, hint_seen)
        elif all(progress.done for progress in self._katas):
            self._all_done(diff_seen)

    def _part(self, first: Progress) -> None:
        part = [p for p in self._katas if p.kata.part == first.kata.part]
        if part[0] is not first:
            return
        done = sum(1 for p in part if p.done)
        self._line(f"{first.kata.part}: {done} of {len(part)}", bold=True)

    def _row(self, progress: Progress, is_next: bool) -> None:
        total = max(progress.total, len(progress.outcomes))
        full = progress.passed * CELLS // total if total else 0
        mark = "✓" if progress.done else "→" if is_next else " "
        counted = f"{progress.passed:2} of {total:2}"
        bar = "█" * full + "░" * (CELLS - full)
        width = max(len(p.kata.slug) for p in self._katas)
        text = f" {mark} {progress.kata.slug:{width}}  {bar}  {counted}  {progress.state}"
        self._line(text[:79], green=progress.done, yellow=is_next)

    def _way_on(self, progress: Progress, hint_seen: int) -> None:
        kata = progress.kata
        folder = answers.shown(kata.folder)
        where = answers.place_of(kata, progress.todo or 0)
        what = f": TODO {progress.todo}" if progress.todo else ""
        self._line()
        title = ": ".join(filter(None, [kata.title, kata.job]))
        self._line(f"Next: {kata.slug[:2]} · {title}"[:79], bold=True)
        self._line(f"  read  {folder}/README.md")
        self._line(f"  edit  {where}{what}")
        self._line(f"  run   {command('pytest', folder)}")
        if progress.todo and hint_seen < len(GRADES):
            option = f"--hint={hint_seen + 1}" if hint_seen else "--hint"
            self._line(f"  hint  {command('pytest', folder, option)}")

    def _all_done(self, diff_seen: bool) -> None:
        katas = curriculum.katas()
        mine = [p.kata.slug for p in self._katas]
        if [k.slug for k in katas] == mine and len(mine) > 1:
            self._line()
            self._line(f"All {len(katas)} katas are done. Well done: you know Celery!", bold=True)
            if not diff_seen:
                self._line("Compare your answers with the reference: " + command("pytest --diff"))
            return
        self._line()
        last = mine[-1]
        folder = answers.shown(self._katas[-1].kata.folder)
        if not diff_seen:
            self._line(f"Compare with the reference: {command('pytest', folder, '--diff')}")
        following = next((k for k in katas if k.slug > last), None)
        if following is not None:
            self._line(f"Go on with: {command('pytest', answers.shown(following.folder))}")
