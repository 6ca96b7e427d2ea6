"""What a task did that the test knows nothing of."""

from __future__ import annotations

import re

from dojo.telling.failure import Failure
from dojo.telling.words import cut


def failed_in_worker(failure: Failure, what: str) -> list[str]:
    """The last error of a task in a worker, unless the test speaks of it or has planned it."""
    failed = [event for event in failure.unplanned if not event.eager]
    if not failed or not failed[-1].error or failure.raised in failed[-1].error:
        return []
    kind = failed[-1].error.partition(":")[0]
    if re.search(rf"\b{re.escape(kind)}\b", what):
        return []
    return [f"{failed[-1].task} failed in the worker:\n{cut(failed[-1].error.splitlines())}"]


def result_thrown_away(failure: Failure, what: str) -> list[str]:
    """Tasks whose results are thrown away, where a None came back or nothing."""
    if failure.app is None or not re.search(r"\bNone\b|\bcan never come\b", what):
        return []
    names = dict.fromkeys(event.task for event in failure.sent)
    tasks = (failure.app.tasks.get(name) for name in names)
    return [
        f"The result of {task.name} is not kept: the task has ignore_result=True."
        for task in tasks
        if task is not None and task.ignore_result
    ]
