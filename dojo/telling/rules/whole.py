"""Failures of which one thing is to be said, and nothing beside it."""

from __future__ import annotations

from zoneinfo import ZoneInfoNotFoundError

from dojo.grading import answers
from dojo.telling.explanation import Explanation
from dojo.telling.failure import Failure, place
from dojo.telling.rules import settings


def file_cannot_be_graded(failure: Failure) -> Explanation | None:
    """The file does not parse, stops with an error, or is not run again."""
    error = failure.error
    if not isinstance(error, answers.AnswerError):
        return None
    what = str(error)  # one that was not run again has the same first line as that time
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
    cause = f"{failure.requirement} {what}"
    return Explanation(failure.requirement, what, todo=todos[0], cause=cause)


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
    zone = str(settings.zone_of(failure))
    lines = failure.answer.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if zone in line:
            text = f"{place(str(failure.answer), number)}: {text}\n    {line.strip()}"
            break
    return Explanation(failure.requirement, text, of_file=True, cause=text)
