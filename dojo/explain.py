"""Turns the failure of one test into a text for the learner, without a frame of ours."""

from __future__ import annotations

import difflib
import linecache
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery.app.defaults import _TO_NEW_KEY, DEFAULTS

from dojo import answers
from dojo.drawing import drawn
from dojo.map import command
from dojo.timeline import Timeline

NAME_OF_ERROR = re.compile(r"\b[A-Z]\w*")
RESULT_METHODS = {"get", "join"}
#: What Python says of `.get()` on a signature, which is a dict.
DICTS_GET = "get expected at least 1 argument"
MOST_LINES = 8  # of one message


@dataclass
class Explanation:
    """What is said about one failure."""

    requirement: str
    what: str
    timeline: str = ""
    #: Where to go on: the TODO that the test is about, file and line, and how to get a hint.
    way_on: str = ""
    #: The TODO that the failure is about, if that is known.
    todo: int | None = None
    #: Is it about the file as a whole, so that it need not be said twice?
    of_file: bool = False

    @property
    def text(self) -> str:
        """The whole text, as it is printed."""
        parts = [self.requirement, _indented(self.what)]
        if self.timeline:
            parts.append("What Celery did:\n" + _indented(self.timeline))
        return "\n\n".join(part for part in (*parts, self.way_on) if part)


def explain(
    error: BaseException,
    requirement: str,
    test_file: Path,
    answer: Path,
    timeline: Timeline | None,
    todo: int | None = None,
    expects_messages: bool = True,
) -> Explanation:
    """Explain why a test failed.

    Args:
        error: what the test ended with.
        requirement: the docstring of the test.
        test_file: the file of the test.
        answer: the learner's file.
        timeline: what Celery did, if the test looked.
        todo: the TODO that the test is about.
        expects_messages: is it worth saying that Celery did nothing?
    """
    requirement = " ".join(requirement.split())
    if isinstance(error, answers.AnswerError):
        return Explanation(requirement, str(error), of_file=True)
    if gaps := _todos(error, timeline):
        what = "\n".join(_gap(answer, number) for number in gaps)
        return Explanation(requirement, what, todo=gaps[0])
    if isinstance(error, AttributeError) and _is_tasks_module(getattr(error, "obj", None)):
        missing = answers.about_missing_name(answer, error.name or "")
        return Explanation(requirement, missing, of_file=True)
    if todo is not None:  # what comes before it may be missing
        todo = min({todo, *answers.gaps(answer)})
    paragraphs = [_what(error, test_file, answer), *_in_the_worker(error, timeline)]
    paragraphs += _mistyped_settings()
    paragraphs.append(_where(error, test_file, answer, timeline))
    drawing = drawn(timeline) if timeline is not None else ""
    if not drawing and expects_messages:
        drawing = "nothing: no message was sent and no task ran."
    return Explanation(
        requirement,
        "\n\n".join(filter(None, paragraphs)),
        timeline=drawing,
        way_on=_way_on(answer, test_file.parent, todo) if todo is not None else "",
        todo=todo,
    )


def _way_on(answer: Path, folder: Path, todo: int) -> str:
    line = answers.todo_lines(answer).get(todo)
    where = answers.shown(answer) + (f", line {line}" if line else "")
    hint = command("pytest", answers.shown(folder), "--hint")
    return f"This is TODO {todo}: {where}. A hint: {hint}"


def _todos(error: BaseException, timeline: Timeline | None) -> list[int]:
    texts = [f"{type(error).__name__}: {error}"]
    texts += [event.error or "" for event in timeline.failed()] if timeline is not None else []
    gaps = [text for text in texts if "NotImplementedError" in text]
    return sorted({number for text in gaps for number in answers.todos_in(text)})


def _gap(answer: Path, number: int) -> str:
    line = answers.todo_lines(answer).get(number, 1)
    return f"Not done yet: TODO {number}, in {answers.shown(answer)}, line {line}."


def _is_tasks_module(value: object) -> bool:
    return getattr(value, "__name__", None) == answers.MODULE_NAME


def _what(error: BaseException, test_file: Path, answer: Path) -> str:
    message = str(error)
    if isinstance(error, pytest.fail.Exception):
        return _about_pytest_failure(message)
    if isinstance(error, AttributeError) and error.name in RESULT_METHODS:
        return _about_no_result(error)
    if isinstance(error, TypeError) and message.startswith(DICTS_GET):
        return (
            ".get() was called on a signature that nobody has sent. It is a kind of dict. "
            "An AsyncResult is expected here."
        )
    if not isinstance(error, AssertionError):
        raised = f"{type(error).__name__}: {message}" if message else type(error).__name__
        return "\n".join(filter(None, [raised, _about_signatures(error, answer)]))
    said, compared = _split_assertion(message)
    if said:
        return said
    statement = _statement(error, test_file)
    return "\n".join(filter(None, [statement, _cut(compared)]))


def _about_no_result(error: AttributeError) -> str:
    return (
        f"The test called .{error.name}() on {_shortened(repr(error.obj))}. That is no result "
        "of a task: an AsyncResult is expected here."
    )


def _about_signatures(error: BaseException, answer: Path) -> str:
    """A word on errors that Celery's canvas raises over what is no signature."""
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


def _in_the_worker(error: BaseException, timeline: Timeline | None) -> list[str]:
    """The last error of a task in a worker, unless it is the one that the test ended with."""
    failed = [e for e in timeline.failed() if not e.eager] if timeline is not None else []
    if not failed or not failed[-1].error or f"{type(error).__name__}: {error}" in failed[-1].error:
        return []
    return [f"{failed[-1].task} failed in the worker:\n{_cut(failed[-1].error)}"]


def _mistyped_settings() -> list[str]:
    """A word on each setting of the learner's app that Celery does not know, but nearly."""
    app = getattr(sys.modules.get(answers.MODULE_NAME), "app", None)
    changed = getattr(getattr(app, "conf", None), "changes", {})
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


def _split_assertion(message: str) -> tuple[str, str]:
    """What the test's author says, and what pytest adds to it."""
    said, separator, compared = message.replace("\n  ", "\n").partition("\nassert ")
    if separator:
        return _cut(said), compared
    return ("", message) if message.startswith("assert ") else (_cut(message), "")


def _cut(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("+ ")]
    lines = [line for line in lines if "Use -v to get" not in line and line.strip()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], "…"]
    return "\n".join(map(_shortened, lines))


def _shortened(line: str, most: int = 200) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"


def _statement(error: BaseException, test_file: Path) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename) == test_file:
            return (frame.line or "").strip()
    return ""


def _where(error: BaseException, test_file: Path, answer: Path, timeline: Timeline | None) -> str:
    """The lines of the learner and of the test that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    failed = timeline.failed() if timeline is not None else []
    places = [("in the worker: ", *event.where) for event in failed[-1:] if event.where]
    mine = [("", f.filename, f.lineno or 0) for f in frames if Path(f.filename) == answer]
    places += list(dict.fromkeys(mine))[-3:]
    places += [("", f.filename, f.lineno or 0) for f in frames if Path(f.filename) == test_file][
        -1:
    ]
    return "\n".join(
        f"{prefix}{answers.shown(file)}, line {line}:\n    {linecache.getline(file, line).strip()}"
        for prefix, file, line in places
    )


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
