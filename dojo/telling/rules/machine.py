"""Troubles of the machine: no answer can mend them, and no TODO is to blame."""

from __future__ import annotations

import errno
import importlib.util
import sys
from pathlib import Path

import pytest

from dojo.evidence.waiting import NeverReady
from dojo.grading import answers, curriculum
from dojo.telling.explanation import Explanation
from dojo.telling.failure import Failure
from dojo.telling.words import paragraphs

NO_FAULT = "This is no fault of your answer: something on this machine stops the tests."
NO_NETWORK = {
    *(errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED),
    *(errno.EACCES, errno.EPERM),
}
LOOPBACK = (
    "The tests open a port on 127.0.0.1 and connect to it. Is the loopback network up, and does a "
    "firewall let them through?"
)
FILES = "A process may open too few files here. Before the command: `ulimit -n 1024`."
#: What tells of the learner's code, wherever it was raised.
ABOUT_CODE = (AssertionError, NotImplementedError, NeverReady, answers.AnswerError, SyntaxError)


def trouble(failure: Failure) -> Explanation | None:
    """An error that came neither through the answer nor through the test, but from below."""
    told = (*ABOUT_CODE, pytest.fail.Exception, SystemExit, KeyboardInterrupt)
    if failure.of_answer or failure.of_test or isinstance(failure.error, told):
        return None
    if not (advice := _advice(failure.error)):
        return None
    what = paragraphs([failure.raised, f"{NO_FAULT}\n{advice}"])
    return Explanation(failure.requirement, what, of_file=True, headline="this machine", cause=what)


def _advice(error: BaseException) -> str:
    """What to do about it; nothing if it is none of the troubles that we know."""
    if isinstance(error, ImportError):
        return _shadow(error)
    while error.__cause__ is not None or error.__context__ is not None:
        if isinstance(error, OSError):
            break
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    number = getattr(error, "errno", None)
    if number in (errno.EMFILE, errno.ENFILE):
        return FILES
    return LOOPBACK if number in NO_NETWORK else ""


def _shadow(error: ImportError) -> str:
    """A file of the learner's that has the name of a package."""
    name = (error.name or "").partition(".")[0]
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None and name:
        spec = importlib.util.find_spec(name)
        file = spec.origin if spec else None
    if not file or (not Path(file).is_relative_to(Path.cwd()) and not _in_katas(file)):
        return ""
    return f"The file {answers.shown(file)} hides the package `{name}`: give it another name."


def _in_katas(file: str) -> bool:
    return Path(file).is_relative_to(curriculum.ROOT) and ".venv" not in Path(file).parts
