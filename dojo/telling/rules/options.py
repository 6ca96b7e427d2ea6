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


def mistyped(failure: Failure, _what: str) -> list[str]:
    """An option that Celery knows by nearly the same name."""
    return [text for task in failure.tasks for text in _mistyped_of(task)]


def _mistyped_of(task: Task) -> list[str]:
    options = {name for name in dir(Task) if name[0] != "_"} | OPTIONS
    known = options | {name for name, _ in Task.from_config}  # Celery sets these by itself
    strange = [name for name in vars(type(task)) if name[0] != "_" and name not in known]
    found = ((n, difflib.get_close_matches(n, options, n=1, cutoff=0.8)) for n in strange)
    return [
        f"`{name}` is not an option of a task. Did you mean `{close[0]}`?"
        for name, close in found
        if close
    ]


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
