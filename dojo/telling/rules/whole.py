"""Failures of which one thing is to be said, and nothing beside it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

from dojo.grading import answers
from dojo.telling.explanation import Explanation
from dojo.telling.failure import Failure, place, source
from dojo.telling.rules import calls, imports, settings
from dojo.telling.words import paragraphs

#: What may be said beside the error of an import.
OF_IMPORT: tuple[Callable[[Failure, str], list[str]], ...] = (
    calls.name_not_imported,
    imports.wrong_decorator,
    imports.called_in_place,
    imports.defined_later,
    imports.seconds_of_crontab,
)


def file_cannot_be_graded(failure: Failure) -> Explanation | None:
    """The file does not parse, stops with an error, or is not run again."""
    error = failure.error
    if not isinstance(error, answers.AnswerError):
        return None
    what = str(error)  # one that was not run again has the same first line as that time
    beside = [text for rule in OF_IMPORT for text in rule(failure, what)]
    what = paragraphs([what, *beside], "\n")
    cause = what.splitlines()[0] if isinstance(error, answers.NotRunError) else what
    return Explanation(failure.requirement, what, of_file=True, cause=cause)


def not_done_yet(failure: Failure) -> Explanation | None:
    """A gap of the stub was called, here or in a task."""
    texts = [failure.raised, *(event.error or "" for event in failure.in_tasks)]
    gaps = [text for text in texts if "NotImplementedError" in text]
    todos = sorted({number for text in gaps for number in answers.todos_in(text)})
    if not todos:
        return None
    lines = answers.todo_lines(failure.answer)
    what = "\n".join(
        f"Not done yet: TODO {n}, in {place(str(failure.answer), lines.get(n, 1))}." for n in todos
    )
    return Explanation(failure.requirement, what, todo=todos[0], cause=what)


def name_is_missing(failure: Failure) -> Explanation | None:
    """The file does not define what the test asks for."""
    error = failure.error
    module = getattr(error, "obj", None)
    if not isinstance(error, AttributeError):
        return None
    if getattr(module, "__name__", None) != answers.MODULE_NAME:
        return None
    what = answers.about_missing_name(failure.answer, error.name or "")
    return Explanation(failure.requirement, what, of_file=True, cause=what)


def no_such_time_zone(failure: Failure) -> Explanation | None:
    """Celery looks for a time zone that does not exist."""
    if not isinstance(failure.error, ZoneInfoNotFoundError):
        return None
    if not (text := "".join(settings.no_time_zone(failure))):
        return None
    if line := _line_of_text(failure.answer, settings.zone_of(failure)):
        file = str(failure.answer)
        text = f"{place(file, line)}: {text}\n    {source(file, line)}"
    return Explanation(failure.requirement, text, of_file=True, cause=text)


def _line_of_text(file: Path, text: object) -> int | None:
    """The line where this text stands in the code, and not in a comment."""
    tree = ast.parse(file.read_bytes())
    found = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value == text)
    return next((node.lineno for node in found), None)
