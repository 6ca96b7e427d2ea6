"""The facts about one failed test, gathered once. What is said about them is in `rules`."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import sys
import textwrap
import traceback
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, Task

from dojo.evidence.timeline import Event, Timeline
from dojo.grading import answers
from dojo.grading.curriculum import Kata
from dojo.grading.source import function_at, names_defined

TIMELINE = pytest.StashKey[Timeline]()  # where a test leaves its timeline for us
#: Who asks for one of these wants to know what Celery did.
LOOKS_AT_CELERY = {"timeline", "celery_worker", "queue_size"}


@dataclass(frozen=True)
class Failure:
    """What is known of a test that has failed.

    Args:
        error: what the test ended with.
        requirement: the docstring of the test, in one line.
        test_file: the file of the test.
        kata: the kata of the test.
        answer: the learner's file.
        timeline: what Celery did, if the test has a timeline.
        todo: the TODO that the test is about, if it says so.
        looks_at_celery: does the test want to know what Celery did?
        eager: does the test run tasks eagerly?
    """

    error: BaseException
    requirement: str
    test_file: Path
    kata: Kata
    answer: Path
    timeline: Timeline | None = None
    todo: int | None = None
    looks_at_celery: bool = False
    eager: bool = False

    @cached_property
    def message(self) -> str:
        """The text of the error."""
        return answers.text_of(self.error)

    @cached_property
    def raised(self) -> str:
        """The error as Python writes it: "Type: text"."""
        return f"{type(self.error).__name__}: {self.message}".removesuffix(": ")

    @cached_property
    def frames(self) -> list[traceback.FrameSummary]:
        """Where the error passed through; the last one raised it."""
        return list(traceback.extract_tb(self.error.__traceback__))

    @cached_property
    def of_answer(self) -> list[tuple[str, int]]:
        """The lines of the learner that the error passed through, each once."""
        mine = ((f.filename, f.lineno or 0) for f in self.frames if Path(f.filename) == self.answer)
        return list(dict.fromkeys(mine))

    @cached_property
    def of_test(self) -> list[tuple[str, int]]:
        """The lines of the test that the error passed through."""
        return [
            (f.filename, f.lineno or 0) for f in self.frames if Path(f.filename) == self.test_file
        ]

    @cached_property
    def in_tasks(self) -> list[Event]:
        """The tasks that failed, in order."""
        return self.timeline.failed() if self.timeline is not None else []

    @cached_property
    def unplanned(self) -> list[Event]:
        """The tasks that failed otherwise than the kata has planned, in order.

        Planned is what a given function, a given module or the test itself raises on purpose.
        """
        return [event for event in self.in_tasks if not self._is_planned(event)]

    def _is_planned(self, failed: Event) -> bool:
        file, line = failed.raised_at or ("", 0)
        if not source(file, line).startswith("raise "):
            return False
        if Path(file) != self.answer:
            return Path(file).parent in (self.kata.folder, self.test_file.parent)
        given = names_defined(self.kata.reference).keys() - set(self.kata.todos)
        return function_at(self.answer, line) in given

    @cached_property
    def sent(self) -> list[Event]:
        """The messages that the broker took, in order."""
        return self.timeline.sent() if self.timeline is not None else []

    @cached_property
    def names(self) -> dict[str, Any]:
        """What the learner's file defines."""
        return dict(vars(sys.modules.get(answers.MODULE_NAME, object)))

    @cached_property
    def app(self) -> Celery | None:
        """The learner's app, if the file has one."""
        app = self.names.get("app")
        return app if isinstance(app, Celery) else None

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks that the learner's file defines."""
        everyone = self.app.tasks.values() if self.app else ()
        return [task for task in everyone if task.__module__ == answers.MODULE_NAME]


def failure_of(item: pytest.Item, kata: Kata, error: BaseException) -> Failure:
    """The facts about the failure of this test."""
    function: Any = getattr(item, "function", None)
    code = getattr(function, "__code__", None)
    asked_for = set(code.co_varnames[: code.co_argcount]) if code else set()
    mark = item.get_closest_marker("todo")
    return Failure(
        error,
        " ".join((_docstring(function) or item.name).split()),
        item.path,
        kata,
        answers.file_of(kata),
        item.stash.get(TIMELINE, None),
        mark.args[0] if mark else None,
        bool(LOOKS_AT_CELERY & asked_for),
        "eager" in getattr(item, "fixturenames", ()),
    )


def _docstring(function: Any) -> str | None:
    """The docstring; with PYTHONOPTIMIZE=2 it stands in the source only."""
    found: str | None = getattr(function, "__doc__", None)
    if found is None and sys.flags.optimize >= 2 and function is not None:
        with contextlib.suppress(OSError, TypeError, IndentationError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            found = ast.get_docstring(tree.body[0])  # type: ignore[arg-type]
    return found


def place(file: str, line: int) -> str:
    """A line of a file, as the learner finds it."""
    return f"{answers.shown(file)}, line {line}"


def source(file: str, line: int) -> str:
    """What stands there."""
    return linecache.getline(file, line).strip()
