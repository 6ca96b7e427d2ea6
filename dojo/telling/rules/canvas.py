"""Signatures, chains, groups and chords that do not fit together."""

from __future__ import annotations

import re
from pathlib import Path

from dojo.telling.failure import Failure

WRONG_CALL = re.compile(r"TypeError: (\w+)\(\) (?:takes|missing|got)\b")


def no_signature(failure: Failure) -> str:
    """Celery's canvas raises over what is no signature."""
    if not isinstance(failure.error, AttributeError | TypeError):
        return ""
    files = [Path(frame.filename) for frame in failure.frames]
    mine = [n for n, file in enumerate(files) if file == failure.answer]
    inside = files[mine[-1] + 1 :] if mine else []
    if not any(file.name == "canvas.py" and "celery" in file.parts for file in inside):
        return ""
    return (
        "Celery says so about what it was handed here. Are all of them signatures, such as "
        "`task.s(1, 2)`?"
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
