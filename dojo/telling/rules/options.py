"""Options of the learner's tasks that do not fit."""

from __future__ import annotations

import difflib
import inspect
from types import MethodType

from celery import Task

from dojo.telling.failure import Failure

#: The options of a task that are no attributes of Celery's class `Task`.
OPTIONS = {
    *("bind", "base", "pydantic", "autoretry_for", "dont_autoretry_for"),
    *("retry_backoff", "retry_backoff_max", "retry_jitter", "retry_kwargs"),
}
#: What `Task.retry` takes and looks at by itself.
RETRY_OPTIONS = {"countdown", "eta", "exc", "max_retries", "throw"}


def mistyped(failure: Failure, _what: str) -> list[str]:
    """An option that Celery knows by nearly the same name."""
    return [text for task in failure.tasks for text in _mistyped_of(task)]


def _mistyped_of(task: Task) -> list[str]:
    return [*_of_task(task), *_of_retry(task)]


def _of_task(task: Task) -> list[str]:
    options = {name for name in dir(Task) if name[0] != "_"} | OPTIONS
    known = options | {name for name, _ in Task.from_config}  # Celery sets these by itself
    strange = [name for name in vars(type(task)) if name[0] != "_" and name not in known]
    told = []
    for name in strange:
        close = difflib.get_close_matches(name, options, n=1, cutoff=0.8)
        if f"retry_{name}" in options:
            close = [f"retry_{name}"]
        if close:
            told.append(f"`{name}` is not an option of a task. Did you mean `{close[0]}`?")
        elif name in RETRY_OPTIONS and callable(getattr(task, "_orig_run", None)):
            told.append(
                f"`{name}` is not an option of a task. It belongs into `retry_kwargs`, or to "
                f"`apply_async`."
            )
    return told


def _of_retry(task: Task) -> list[str]:
    """Keys of `retry_kwargs` that `retry` hands on, and nobody looks at."""
    given = vars(type(task)).get("retry_kwargs")
    told = []
    for name in map(str, given if isinstance(given, dict) else ()):
        close = difflib.get_close_matches(name, RETRY_OPTIONS, n=1, cutoff=0.8)
        if name in OPTIONS:
            told.append(
                f"`{name}` is an option of the task. It does not belong into `retry_kwargs`."
            )
        elif name not in RETRY_OPTIONS and close:
            told.append(
                f"`{name}` in `retry_kwargs` is not an option of a retry. Did you mean "
                f"`{close[0]}`?"
            )
    return told


def self_and_bind(failure: Failure, _what: str) -> list[str]:
    """A first parameter that does not fit to `bind`, wherever a call has failed."""
    texts = [failure.raised, *(event.error or "" for event in failure.in_tasks)]
    errors = [text for text in dict.fromkeys(texts) if text.startswith("TypeError")]
    told = (
        text
        for error in errors
        for task in failure.tasks
        if f"{task.__name__}()" in error or f"'{task.__name__}'" in error
        for text in _about_self(task, error)
    )
    return list(dict.fromkeys(told))


def never_awaited(failure: Failure, _what: str) -> list[str]:
    """A task that is `async def`: its body never runs."""
    return [
        f"`{task.__name__}` is `async def`. A worker calls it and awaits nothing, so its body does "
        "not run: write `def`."
        for task in failure.tasks
        if inspect.iscoroutinefunction(getattr(task.run, "__func__", task.run))
    ]


def of_another_app(failure: Failure, _what: str) -> list[str]:
    """A task that a second app has: the worker runs the tasks of `app`."""
    return [
        f"`{name}` is a task of another app, and not of `app`. The worker runs the tasks of `app`: "
        "write `@app.task`."
        for name, thing in failure.names.items()
        if _is_task(thing) and thing.app is not failure.app
    ]


def _is_task(thing: object) -> bool:
    try:
        return isinstance(thing, Task)
    except Exception:  # a task that Celery cannot make
        return False


def _about_self(task: Task, message: str) -> list[str]:
    bound, function = isinstance(task.run, MethodType), getattr(task.run, "__func__", task.run)
    first = next(iter(inspect.signature(function).parameters), "")
    if first == "self" and not bound:
        return [
            f"The first parameter of `{task.__name__}` is `self`, but the task is not bound. With "
            "`bind=True` Celery passes the task as the first argument."
        ]
    # With a default value the call succeeds, and the task itself is taken for an argument.
    misused = " takes " in message or f"'{task.__name__}'" in message
    if first not in ("self", "task") and bound and misused:
        return [
            f"`{task.__name__}` is bound (`bind=True`): Celery passes the task as the first "
            "argument. The function needs a parameter for it, `self`."
        ]
    return []
