"""Words for what a test ended with, where its own text tells a newcomer little."""

from __future__ import annotations

import re
from pathlib import Path
from types import FunctionType

import pytest
from celery import Task

from dojo.telling.failure import Failure, source
from dojo.telling.rules import canvas
from dojo.telling.words import cut, paragraphs, shortened

NAME_OF_ERROR = re.compile(r"\b[A-Z]\w*")
RESULT_METHODS = {"get", "join"}
#: What Python says of `.get()` on a signature, which is a dict.
DICTS_GET = "get expected at least 1 argument"


def hang_guard(failure: Failure) -> str:
    """The last resort ended the test."""
    if not _is_pytest_failure(failure) or "pytest-timeout" not in failure.message:
        return ""
    return (
        f"{failure.message.split(' from ')[0]}: the test did not come to an end.\n"
        "Look for an endless loop, or for something that waits and never gets it."
    )


def nothing_raised(failure: Failure) -> str:
    """`pytest.raises` waited for an error."""
    before, said, named = failure.message.partition("DID NOT RAISE")
    if before or not said or not _is_pytest_failure(failure):
        return ""
    names = " or ".join(NAME_OF_ERROR.findall(named))
    return f"{names} must be raised here, and nothing was raised."


def pytest_failure(failure: Failure) -> str:
    """The test has said it by `pytest.fail`."""
    return failure.message if _is_pytest_failure(failure) else ""


def _is_pytest_failure(failure: Failure) -> bool:
    return isinstance(failure.error, pytest.fail.Exception)


def exit_called(failure: Failure) -> str:
    """The learner's code ends the process."""
    if not isinstance(failure.error, SystemExit):
        return ""
    return (
        "Your code calls sys.exit(). In a worker that ends the worker, and not only the task: "
        "return, or raise an error."
    )


def no_result(failure: Failure) -> str:
    """The test asks for a result, and was handed something else."""
    error = failure.error
    if not isinstance(error, AttributeError) or error.name not in RESULT_METHODS:
        return ""
    return (
        f".{error.name}() was called on {shortened(repr(error.obj))}. That is no result of a "
        "task: an AsyncResult is expected here."
    )


def plain_function(failure: Failure) -> str:
    """A function that is no task was used as one."""
    error = failure.error
    if not isinstance(error, AttributeError) or not isinstance(error.obj, FunctionType):
        return ""
    if not hasattr(Task, error.name or ""):
        return ""
    name = error.obj.__name__
    return f"`{name}` is a plain function, and no task. Only a task has .{error.name}()."


def signature_asked(failure: Failure) -> str:
    """A signature, which is a dict, was asked for its result."""
    if not isinstance(failure.error, TypeError) or not failure.message.startswith(DICTS_GET):
        return ""
    return (
        ".get() was called on a signature that nobody has sent. It is a kind of dict. "
        "An AsyncResult is expected here."
    )


def said_by_test(failure: Failure) -> str:
    """The test's own message for a condition that does not hold."""
    return _split(failure)[0]


def statement_of_test(failure: Failure) -> str:
    """The condition itself, and what pytest knows about it."""
    if not isinstance(failure.error, AssertionError):
        return ""
    return paragraphs([_statement(failure), _cut(_split(failure)[1])], "\n")


def other(failure: Failure) -> str:
    """Any other error, as Python writes it."""
    return paragraphs([failure.raised, canvas.no_signature(failure)], "\n")


def _split(failure: Failure) -> tuple[str, str]:
    """What the test's author says, and what pytest adds to it."""
    if not isinstance(failure.error, AssertionError):
        return "", ""
    message = failure.message
    said, separator, compared = message.replace("\n  ", "\n").partition("\nassert ")
    if separator:
        return _cut(said), compared
    return ("", message) if message.startswith("assert ") else (_cut(message), "")


def _cut(text: str) -> str:
    text = re.split(r"\n *Full diff", text)[0]  # pytest adds it where it believes to run in CI
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("+ ")]
    return cut(line for line in lines if "Use -v to get" not in line and line.strip())


def _statement(failure: Failure) -> str:
    for frame in reversed(failure.frames):
        if Path(frame.filename) == failure.test_file:
            return source(frame.filename, frame.lineno or 0)
    return ""
