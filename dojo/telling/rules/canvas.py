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
    frame = _celerys_first_frame(failure)
    if frame is None or not isinstance(failure.error, AttributeError | TypeError | KeyError):
        return ""
    return next((text for thing in _handed(frame) if (text := _about(thing))), "")


def _celerys_first_frame(failure: Failure) -> FrameType | None:
    """The frame of Celery's canvas that the learner's code has called."""
    trace, ours, found = failure.error.__traceback__, False, None
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file == failure.answer:
            ours, found = True, None
        elif ours and found is None and file.name == "canvas.py" and "celery" in file.parts:
            found = trace.tb_frame
        trace = trace.tb_next
    return found


def _handed(frame: FrameType) -> Iterator[Any]:
    """What stands where signatures are due, one after another."""
    for name in HANDED:
        value = frame.f_locals.get(name)
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


def next_signature(failure: Failure, _what: str) -> list[str]:
    """A task did its work, but its successor in a chain could not be sent."""
    failed = failure.in_tasks[-1:]
    named = WRONG_CALL.match(failed[0].error or "") if failed else None
    if named is None or failed[0].task.rpartition(".")[2] == named[1]:
        return []
    if not any(task.__name__ == named[1] for task in failure.tasks):
        return []
    return [
        f"`{named[1]}` comes next, and cannot be called like that. With `.s` its first argument "
        "is the result of the task before it; yours come after that. With `.si` it gets only yours."
    ]
