"""Signatures, chains, groups and chords that do not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from celery import Task
from celery.canvas import Signature
from celery.result import ResultBase

from dojo.telling.failure import Failure
from dojo.telling.words import shortened

WRONG_CALL = re.compile(r"TypeError: (\w+)\(\) (?:takes|missing|got)\b")
#: What Celery's canvas calls the signatures that it was handed.
HANDED = ("tasks", "header", "body", "task", "other", "args")


def no_signature(failure: Failure) -> str:
    """Celery's canvas raises over what is no signature."""
    if not isinstance(failure.error, AttributeError | TypeError | KeyError):
        return ""
    if WRONG_CALL.match(failure.raised):  # the arguments of a task do not fit
        return ""
    things = (thing for frame in _celerys_frames(failure) for thing in _handed(frame))
    return next((text for thing in things if (text := _about(thing))), "")


def _celerys_frames(failure: Failure) -> list[FrameType]:
    """The frames of Celery's canvas that the learner's code has called."""
    trace, found = failure.error.__traceback__, list[FrameType]()
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file == failure.answer:
            found = []
        elif file.name == "canvas.py" and "celery" in file.parts:
            found.append(trace.tb_frame)
        trace = trace.tb_next
    return found


def _handed(frame: FrameType) -> Iterator[Any]:
    """What stands where signatures are due, one after another."""
    own = frame.f_locals.get("self")
    inside = dict(own.kwargs) if isinstance(own, Signature) else {}
    for value in [inside.get("tasks"), *(frame.f_locals.get(name) for name in HANDED)]:
        yield from value if isinstance(value, list | tuple) else [value]


def _about(thing: object) -> str:
    if isinstance(thing, ResultBase):
        return (
            f"Celery was handed {shortened(repr(thing))}, which is a result: `.delay()` has sent "
            "the task already. Hand it signatures, such as `task.s(1, 2)`: Celery sends them."
        )
    if isinstance(thing, Task):
        name = thing.__name__
        return f"Celery was handed the task `{name}`. Hand it a signature: `{name}.s(…)`."
    if thing is None or isinstance(thing, Signature | list | tuple):
        return ""
    return (
        f"Celery was handed {shortened(repr(thing))}. That is not a signature, such as "
        "`task.s(1, 2)`."
    )


def next_signature(failure: Failure, what: str) -> list[str]:
    """A task did its work, but its successor in a chain could not be sent."""
    failed = failure.in_tasks[-1:]
    named = WRONG_CALL.match(failed[0].error or "") if failed else None
    if named is None or failed[0].task.rpartition(".")[2] == named[1]:
        return []
    if failed[0].task in ("celery.map", "celery.starmap"):
        return ["`map` hands over each item as one argument. `starmap` takes it apart."]
    if not any(task.__name__ == named[1] for task in failure.tasks):
        return []
    if isinstance(failure.error, AssertionError) and re.search(r"\.si?\(|\blink\b", what):
        return []  # the test has said how to call it
    return [
        f"`{named[1]}` comes next, and cannot be called like that. With `.s` its first argument "
        "is the result of the task before it; yours come after that. With `.si` it gets only yours."
    ]
