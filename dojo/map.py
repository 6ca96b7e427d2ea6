"""The map: a line for each kata, and what comes next."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TextIO

import pytest

from dojo import answers, curriculum
from dojo.curriculum import Kata
from dojo.hints import GRADES

CELLS = 10  # of a bar
#: How what we draw is written where the terminal has only plain letters.
PLAIN = str.maketrans(
    {"█": "#", "░": ".", "✓": "*", "→": ">", "·": "-", "…": "...", "≥": ">=", "≤": "<=", "≈": "~"}
)


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


def command(*words: str) -> str:
    """A command as the learner types it, with `uv run` if that is how this run was started."""
    return " ".join([*(["uv", "run"] if os.environ.get("UV") else []), *words])


def plain(text: str, stream: TextIO) -> str:
    """`text` as the stream can show it."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return text.translate(PLAIN)
    return text


class Map:
    """Draws the katas of one run on the terminal."""

    def __init__(self, terminal: pytest.TerminalReporter, katas: list[Progress]) -> None:
        self._terminal, self._katas = terminal, katas
        self._stream = terminal._tw._file
        self._own = answers.tree() == curriculum.ROOT / "katas"

    def _line(self, text: str = "", **markup: bool) -> None:
        self._terminal.write_line(plain(text, self._stream), **markup)

    def draw(self, hint_seen: int = 0, diff_seen: bool = False) -> None:
        """Draw the bars, and say what comes next.

        Args:
            hint_seen: the grade of the hint that this run has given, if it has.
            diff_seen: has this run shown the difference from the reference?
        """
        self._terminal.section("katas", "-")
        upcoming = self.next_unfinished
        for progress in self._katas:
            if progress.kata.part and len(self._katas) > 1:
                self._part(progress)
            self._row(progress, is_next=progress is upcoming)
        if not self._own:
            return
        if upcoming is not None:
            self._way_on(upcoming, hint_seen)
        elif all(progress.done for progress in self._katas):
            self._all_done(diff_seen)

    @property
    def next_unfinished(self) -> Progress | None:
        """The first kata that fails, or was stopped."""
        return next((p for p in self._katas if p.failed or p.stopped), None)

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
        kata, answer = progress.kata, answers.tree() / progress.kata.slug / "tasks.py"
        folder = answers.shown(kata.folder)
        where = answers.shown(answer)
        if (line := answers.todo_lines(answer).get(progress.todo or 0)) is not None:
            where += f", line {line}"
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
