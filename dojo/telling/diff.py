"""`--diff`: how the learner's file differs from the reference."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import pytest

from dojo.grading import answers, curriculum
from dojo.grading.curriculum import Kata
from dojo.telling.option import add_option
from dojo.telling.progress import TALLY, Progress
from dojo.telling.words import command, plain

ANYWAY = "anyway"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    add_option(
        parser,
        "--diff",
        words=("done", ANYWAY),
        does="show how your file differs from the reference, once the kata is done; "
        f"--diff={ANYWAY} does not wait for that",
    )


def difference(kata: Kata) -> list[str]:
    """The lines of a unified diff from the graded file to the reference; none if they are alike."""
    mine = answers.file_of(kata)
    return list(
        difflib.unified_diff(
            mine.read_text(encoding="utf-8", errors="replace").splitlines(),
            kata.reference.read_text(encoding="utf-8").splitlines(),
            answers.shown(mine),
            answers.shown(kata.reference),
            lineterm="",
        )
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the difference for each kata of the run, if that was asked for."""
    if not (wanted := config.option.diff):
        return
    for progress in config.stash[TALLY].katas:
        terminalreporter.ensure_newline()
        terminalreporter.section(f"diff of {progress.kata.slug}", "-")
        for line in _told(progress, anyway=wanted == ANYWAY):
            markup = {"green": line.startswith("+"), "red": line.startswith("-")}
            terminalreporter.write_line(plain(line, terminalreporter._tw._file), **markup)


def _told(progress: Progress, anyway: bool) -> Iterator[str]:
    kata = progress.kata
    if answers.tree() == curriculum.ROOT / "solutions":
        yield "This run graded the reference itself: there is nothing to compare."
    elif not (progress.done or anyway):
        yield "It is not done yet, so the reference is not shown. To see it all the"
        yield f"same: {command('pytest', answers.shown(kata.folder), f'--diff={ANYWAY}')}"
    elif not kata.reference.exists():
        yield f"There is no reference: {answers.shown(kata.reference)} is missing."
    else:
        yield from difference(kata) or ["Your file is the same as the reference."]
