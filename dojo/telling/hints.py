"""`--hint`: the next hint for the first TODO that fails.

The hints of a kata stand in its README, three for each TODO, folded.
"""

from __future__ import annotations

import re

import pytest

from dojo.grading.curriculum import Kata
from dojo.telling.option import add_option
from dojo.telling.progress import TALLY, Progress
from dojo.telling.words import plain

GRADES = ("first", "second", "third")
HINT = re.compile(
    r"<details><summary>TODO (\d+), (first|second|third) hint</summary>\s*(.*?)\s*</details>", re.S
)
LINK = re.compile(r"\[([^]]+)]\((\S+?)\)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    add_option(
        parser,
        "--hint",
        words=("1", "2", "3"),
        does="give a hint for the first TODO that fails: --hint=2 and --hint=3 tell more",
    )


def hints(kata: Kata) -> dict[tuple[int, int], str]:
    """The hints of a kata by the number of the TODO and the grade, from 1 to 3."""
    readme = (kata.folder / "README.md").read_text(encoding="utf-8")
    return {
        (int(todo), GRADES.index(grade) + 1): LINK.sub(r"\1 (\2)", text)
        for todo, grade, text in HINT.findall(readme)
    }


def hint(kata: Kata, todo: int, grade: int) -> str:
    """One hint as the learner reads it, with its heading."""
    text = hints(kata).get((todo, grade), "There is no such hint.")
    return f"TODO {todo}, {GRADES[grade - 1]} hint\n\n{text}"


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Give the hint that was asked for."""
    tally, grade = config.stash[TALLY], config.option.hint
    if not grade or not tally.katas:
        return
    upcoming = tally.next_unfinished
    terminalreporter.ensure_newline()
    terminalreporter.section(f"hint for {upcoming.kata.slug}" if upcoming else "hint", "-")
    text = _text(upcoming, int(grade))
    terminalreporter.write_line(plain(text, terminalreporter._tw._file))


def _text(upcoming: Progress | None, grade: int) -> str:
    if upcoming is None:
        return "No test fails, so there is nothing to give a hint for."
    if upcoming.todo is None:
        return "First mend what is said above. Then there is a hint for each TODO."
    return hint(upcoming.kata, upcoming.todo, grade)
