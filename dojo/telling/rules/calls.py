"""Calls of Celery's that newcomers get wrong, and the way to write them."""

from __future__ import annotations

import re

import celery

from dojo.grading.source import text_of
from dojo.telling.failure import Failure

#: Options of `apply_async` that are often handed to `delay`.
OPTIONS = {
    *("queue", "countdown", "eta", "expires", "priority", "routing_key", "exchange"),
    *("task_id", "link", "link_error", "serializer", "ignore_result", "retry", "retry_policy"),
}
UNEXPECTED = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
REJECT = re.compile(r"Reject: \((\w+)\(['\"](.+?)['\"]\), False\)")
NO_TUPLE = (
    *("task args must be a list or tuple", "argument after * must be an iterable"),
    "apply_async() takes from",
    "argument after ** must be a mapping",
)
#: Where names stand that newcomers forget to import.
MODULES = {
    "crontab": "celery.schedules",
    "get_task_logger": "celery.utils.log",
    "AsyncResult": "celery.result",
    "GroupResult": "celery.result",
    "Queue": "kombu",
    "Exchange": "kombu",
    "Ignore": "celery.exceptions",
    "Reject": "celery.exceptions",
    "Retry": "celery.exceptions",
    "MaxRetriesExceededError": "celery.exceptions",
    "SoftTimeLimitExceeded": "celery.exceptions",
    **dict.fromkeys(("chain", "group", "chord", "signature", "states", "shared_task"), "celery"),
    **dict.fromkeys(("chunks", "xmap", "xstarmap", "maybe_signature"), "celery"),
}


def options_of_delay(failure: Failure, _what: str) -> list[str]:
    """`delay(queue=…)`: an option was handed to the task itself."""
    found = [match for text in _texts(failure) for match in UNEXPECTED.finditer(text)]
    names = {task.__name__ for task in failure.tasks}
    return [
        f"`delay` hands everything to the task. The option `{option}` belongs to "
        f"`{name}.apply_async((…), {option}=…)`."
        for name, option in list(dict.fromkeys(match.groups() for match in found))[:1]
        if option in OPTIONS and name in names
    ]


def args_are_no_tuple(failure: Failure, _what: str) -> list[str]:
    """`apply_async(5)`: the arguments must be a tuple, also when there is one."""
    if not any(text in failure.message for text in NO_TUPLE):
        return []
    if any(event.task == "celery.starmap" for event in failure.in_tasks):
        return [
            "`starmap` and `chunks` take each item apart: an item must be the arguments of one "
            "call, such as `(5,)`."
        ]
    return [
        "`apply_async` takes the arguments as one tuple, also when there is one: `(5,)`. `delay` "
        "takes them one by one."
    ]


def name_not_imported(failure: Failure, _what: str) -> list[str]:
    """`group` was used, and not imported."""
    names = [m[1] for text in _texts(failure) for m in re.finditer(r"name '(\w+)' is not", text)]
    if "self" in names[:1]:
        return ["`self` is the first parameter of a bound task: `@app.task(bind=True)`."]
    return [f"`{n}` is not imported: {line}" for n in names[:1] if (line := import_line(n))]


def import_line(name: str) -> str:
    """The line that imports a name of Celery's, or nothing if it is none."""
    module = MODULES.get(name) or ("celery" if name in celery.__all__ else "")
    return f"`from {module} import {name}`" if module else ""


def retry_returned(failure: Failure, _what: str) -> list[str]:
    """`return self.retry(…, throw=False)`: the task has returned the order to run it again."""
    if not any("Object of type Retry is not JSON" in text for text in _texts(failure)):
        return []
    return ["A task returned a Retry. Raise it: `raise self.retry(…)`."]


def retry_not_sent(failure: Failure, _what: str) -> list[str]:
    """A retry whose message could not be made."""
    found = (REJECT.search(text) for text in _texts(failure))
    why = next((match for match in found if match), None)
    return [f"The retry could not be sent: {why[1]}: {why[2]}"] if why else []


def one_message_for_all(failure: Failure, _what: str) -> list[str]:
    """`map`, `starmap` and `chunks` make one task of many calls."""
    if "starmap" in text_of(failure.kata.folder / "README.md"):
        return []  # there it is what the kata asks for
    names = {event.task.removeprefix("celery.") for event in failure.sent}
    return [
        f"`{name}` sends one message for the whole list: one task does it all, one after another."
        for name in ("map", "starmap")
        if name in names
    ]


def retry_without_exc(failure: Failure, _what: str) -> list[str]:
    """The retries are used up, and nobody knows why they were needed."""
    if not any("MaxRetriesExceededError" in text for text in _texts(failure)):
        return []
    return [
        "When its retries are used up, `retry()` raises the error that it was given as `exc`, or "
        "else MaxRetriesExceededError. Hand it the error that the task shall end with: "
        "`self.retry(exc=…)`."
    ]


def _texts(failure: Failure) -> list[str]:
    """The texts of the errors: of the one that ended the test, and of those in tasks."""
    return [failure.raised, *(event.error or "" for event in failure.in_tasks)]
