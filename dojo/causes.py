"""Words for errors whose own text tells a newcomer little."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import traceback
import zoneinfo
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from types import FunctionType, MethodType

import pytest
from celery import Celery, Task
from celery.app.defaults import _TO_NEW_KEY, DEFAULTS

from dojo import answers
from dojo.timeline import Timeline

NAME_OF_ERROR = re.compile(r"\b[A-Z]\w*")
WRONG_CALL = re.compile(r"TypeError: (\w+)\(\) (?:takes|missing|got)\b")
#: The options of a task that are no attributes of Celery's class `Task`.
OPTIONS = {
    *("bind", "base", "pydantic", "autoretry_for", "dont_autoretry_for"),
    *("retry_backoff", "retry_backoff_max", "retry_jitter", "retry_kwargs"),
}
RESULT_METHODS = {"get", "join"}
#: What Python says of `.get()` on a signature, which is a dict.
DICTS_GET = "get expected at least 1 argument"


def in_our_words(error: BaseException) -> str:
    """The error as a newcomer understands it, or nothing if its own text will do."""
    message = str(error)
    if isinstance(error, pytest.fail.Exception):
        return _about_pytest_failure(message)
    if isinstance(error, SystemExit):
        return (
            "Your code calls sys.exit(). In a worker that ends the worker, and not only the task: "
            "return, or raise an error."
        )
    if isinstance(error, AttributeError) and error.name in RESULT_METHODS:
        return _about_no_result(error)
    if isinstance(error, AttributeError) and _is_for_tasks(error):
        name = getattr(error.obj, "__name__", "")
        return f"`{name}` is a plain function, and no task. Only a task has .{error.name}()."
    if isinstance(error, TypeError) and message.startswith(DICTS_GET):
        return (
            ".get() was called on a signature that nobody has sent. It is a kind of dict. "
            "An AsyncResult is expected here."
        )
    return ""


def shortened(line: str, most: int = 200) -> str:
    """The line, cut to `most` characters."""
    return line if len(line) <= most else line[: most - 1] + "…"


def _is_for_tasks(error: AttributeError) -> bool:
    """Whether a plain function was used as a task."""
    return isinstance(error.obj, FunctionType) and hasattr(Task, error.name or "")


def _about_no_result(error: AttributeError) -> str:
    return (
        f".{error.name}() was called on {shortened(repr(error.obj))}. That is no result of a "
        "task: an AsyncResult is expected here."
    )


def _about_pytest_failure(message: str) -> str:
    if "pytest-timeout" in message:
        return (
            f"{message.split(' from ')[0]}: the test did not come to an end.\n"
            "Look for an endless loop, or for something that waits and never gets it."
        )
    if message.startswith("DID NOT RAISE"):
        names = NAME_OF_ERROR.findall(message.removeprefix("DID NOT RAISE"))
        return f"{' or '.join(names)} must be raised here, and nothing was raised."
    return message


def of_no_signature(error: BaseException, answer: Path) -> str:
    """A word on an error that Celery's canvas raises over what is no signature, or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [n for n, frame in enumerate(frames) if Path(frame.filename) == answer]
    inside = (
        [frame for frame in frames[mine[-1] + 1 :] if "celery" in frame.filename] if mine else []
    )
    if isinstance(error, AttributeError | TypeError) and any(
        Path(frame.filename).name == "canvas.py" for frame in inside
    ):
        return (
            "Celery says so about what it was handed here. Are all of them signatures, such as "
            "`task.s(1, 2)`?"
        )
    return ""


def in_the_settings() -> list[str]:
    """A word on each setting of the learner's app that Celery cannot use, or knows by nearly
    the same name."""
    app = _learners_app()
    changed = app.conf.changes if app else {}
    return [*_mistyped(changed), *_no_time_zone(changed.get("timezone")), *_beside(app)]


def _mistyped(changed: Mapping[str, object]) -> list[str]:
    strange = [name for name in map(str, changed) if name.lower() not in DEFAULTS]
    found = (
        (name, difflib.get_close_matches(name.lower(), DEFAULTS, n=1, cutoff=0.8))
        for name in strange
    )
    return [
        f"`{name}` is not a setting of Celery. Did you mean `{close[0]}`?"
        for name, close in found
        if close and name not in _TO_NEW_KEY
    ]


def in_the_tasks(what: str, timeline: Timeline | None) -> list[str]:
    """A word on tasks whose results are thrown away, where a None came back or nothing."""
    app = _learners_app()
    if timeline is None or app is None or not re.search(r"\bNone\b|\bcan never come\b", what):
        return []
    names = dict.fromkeys(event.task for event in timeline.sent())
    tasks = (app.tasks.get(name) for name in names)
    return [
        f"The result of {task.name} is not kept: the task has ignore_result=True."
        for task in tasks
        if task is not None and task.ignore_result
    ]


def in_the_options(error: BaseException) -> list[str]:
    """A word on tasks of the learner whose options do not fit, as far as they matter."""
    app = _learners_app()
    tasks = [task for task in app.tasks.values() if _is_learners(task)] if app else []
    found = [text for task in tasks for text in _mistyped_options(task)]
    if isinstance(error, TypeError):
        called = [task for task in tasks if f"{task.__name__}()" in str(error)]
        found += [text for task in called for text in _about_self(task, str(error))]
    return found


def _mistyped_options(task: Task) -> list[str]:
    options = {name for name in dir(Task) if name[0] != "_"} | OPTIONS
    known = options | {name for name, _ in Task.from_config}  # Celery sets these by itself
    strange = [name for name in vars(type(task)) if name[0] != "_" and name not in known]
    found = ((n, difflib.get_close_matches(n, options, n=1, cutoff=0.8)) for n in strange)
    return [
        f"`{name}` is not an option of a task. Did you mean `{close[0]}`?"
        for name, close in found
        if close
    ]


def _about_self(task: Task, message: str) -> list[str]:
    """A word on a first parameter that does not fit to `bind`, where a call has failed."""
    bound, function = isinstance(task.run, MethodType), getattr(task.run, "__func__", task.run)
    first = next(iter(inspect.signature(function).parameters), "")
    if first == "self" and not bound:
        return [
            f"The first parameter of `{task.__name__}` is `self`, but the task is not bound. With "
            "`bind=True` Celery passes the task as the first argument."
        ]
    if first not in ("self", "task") and bound and " takes " in message:
        return [
            f"`{task.__name__}` is bound (`bind=True`): Celery passes the task as the first "
            "argument. The function needs a parameter for it, `self`."
        ]
    return []


def in_the_next_signature(timeline: Timeline | None) -> list[str]:
    """A word on a task that did its work, but whose successor in a chain could not be sent."""
    app, failed = _learners_app(), timeline.failed()[-1:] if timeline is not None else []
    named = WRONG_CALL.match(failed[0].error or "") if failed else None
    if app is None or named is None or failed[0].task.rpartition(".")[2] == named[1]:
        return []
    if not any(task.__name__ == named[1] and _is_learners(task) for task in app.tasks.values()):
        return []
    return [
        f"`{named[1]}` comes next, and cannot be called like that. With `.s` its first argument "
        "is the result of the task before it; yours come after that. With `.si` it gets only yours."
    ]


def _learners_app() -> Celery | None:
    app = getattr(sys.modules.get(answers.MODULE_NAME), "app", None)
    return app if isinstance(app, Celery) else None


def _is_learners(task: Task) -> bool:
    return bool(task.__module__ == answers.MODULE_NAME)


def about_time_zone(answer: Path) -> str:
    """The line that sets a time zone which does not exist, or nothing if the setting is right."""
    app = _learners_app()
    name = app.conf.changes.get("timezone") if app else None
    text = "".join(_no_time_zone(name))
    lines = answer.read_text(encoding="utf-8").splitlines()
    named = [(n, line.strip()) for n, line in enumerate(lines, 1) if text and str(name) in line]
    return (
        f"{answers.shown(answer)}, line {named[0][0]}: {text}\n    {named[0][1]}" if named else text
    )


def _beside(app: object) -> list[str]:
    """A word on settings that were made attributes of the app: Celery does not look there."""
    own = vars(app) if isinstance(app, Celery) else {}
    names = [
        name
        for name, value in own.items()
        if name in DEFAULTS and not (name == "timezone" and isinstance(value, tzinfo))
    ]
    return [f"Celery does not look at `app.{name}`. Set `app.conf.{name}`." for name in names]


def _no_time_zone(name: object) -> list[str]:
    if not isinstance(name, str):
        return []
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        zones = [zone for zone in zoneinfo.available_timezones() if "/" in zone]
        close = difflib.get_close_matches(name, zones, n=1)
        known = f"Did you mean {close[0]!r}?" if close else "One of them is 'Europe/Amsterdam'."
        return [f"`timezone`: there is no time zone {name!r}. {known}"]
    return []
