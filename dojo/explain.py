"""Turns the failure of one test into a text for the learner, without a frame of ours."""

from __future__ import annotations

import linecache
import re
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from dojo import answers
from dojo.timeline import Event, Timeline

NAME_OF_ERROR = re.compile(r"\b[A-Z]\w*")
RESULT_METHODS = {"get", "join"}
MOST_LINES = 8  # of one message
MOST_EVENTS = 12  # of one timeline
TOLD = {  # what the learner reads for each kind of event; the others are not shown
    "sent": "sent     ",
    "started": "started  ",
    "read": "waited   ",
    "retried": "retried  ",
    "succeeded": "succeeded",
    "failed": "failed   ",
    "revoked": "revoked  ",
    "rejected": "rejected ",
    "unknown": "unknown  ",
}


@dataclass
class Explanation:
    """What is said about one failure."""

    requirement: str
    what: str
    timeline: str = ""
    still_open: str = ""
    #: Is it about the file as a whole, so that it need not be said twice?
    of_file: bool = False

    @property
    def text(self) -> str:
        """The whole text, as it is printed."""
        parts = [self.requirement, _indented(self.what)]
        if self.timeline:
            parts.append("What Celery did:\n" + _indented(self.timeline))
        if self.still_open:
            parts.append(self.still_open)
        return "\n\n".join(part for part in parts if part)


def explain(
    error: BaseException, requirement: str, test_file: Path, answer: Path, timeline: Timeline | None
) -> Explanation:
    """Explain why a test failed.

    Args:
        error: what the test ended with.
        requirement: the docstring of the test.
        test_file: the file of the test.
        answer: the learner's file.
        timeline: what Celery did, if the test looked.
    """
    requirement = " ".join(requirement.split())
    if isinstance(error, answers.AnswerError):
        return Explanation(requirement, str(error), of_file=True)
    todos = _todos(error, timeline)
    if todos:
        return Explanation(requirement, "\n".join(_gap(answer, n) for n in todos))
    if isinstance(error, AttributeError) and _is_tasks_module(getattr(error, "obj", None)):
        missing = answers.about_missing_name(answer, error.name or "")
        return Explanation(requirement, missing, of_file=True)
    places = _where(error, test_file, answer, timeline)
    what = "\n\n".join(filter(None, [_what(error, test_file), places]))
    gaps = ", ".join(f"TODO {n} (line {line})" for n, line in answers.open_todos(answer).items())
    return Explanation(
        requirement,
        what,
        timeline=drawn(timeline) if timeline is not None else "",
        still_open=f"Still to do in {answers.shown(answer)}: {gaps}." if gaps else "",
    )


def _todos(error: BaseException, timeline: Timeline | None) -> list[int]:
    texts = [f"{type(error).__name__}: {error}"]
    texts += [event.error or "" for event in timeline.failed()] if timeline is not None else []
    gaps = [text for text in texts if "NotImplementedError" in text]
    return sorted({number for text in gaps for number in answers.todos_in(text)})


def _gap(answer: Path, number: int) -> str:
    line = answers.open_todos(answer).get(number, 1)
    return f"Not done yet: TODO {number}, in {answers.shown(answer)}, line {line}."


def _is_tasks_module(value: object) -> bool:
    return getattr(value, "__name__", None) == answers.MODULE_NAME


def _what(error: BaseException, test_file: Path) -> str:
    message = str(error)
    if isinstance(error, pytest.fail.Exception):
        return _about_pytest_failure(message)
    if isinstance(error, AttributeError) and error.name in RESULT_METHODS:
        return (
            f"The test called .{error.name}() on {_shortened(repr(error.obj))}. That is no result "
            "of a task: an AsyncResult is expected here."
        )
    if not isinstance(error, AssertionError):
        return f"{type(error).__name__}: {message}"
    said, compared = _split_assertion(message)
    if said:
        return said
    statement = _statement(error, test_file)
    return "\n".join(filter(None, [statement, _cut(compared)]))


def _about_pytest_failure(message: str) -> str:
    if "pytest-timeout" in message:
        return (
            f"{message.split(' from ')[0]}: the test did not come to an end.\n"
            "Look for an endless loop, or for something that waits and never gets it."
        )
    if message.startswith("DID NOT RAISE"):
        names = NAME_OF_ERROR.findall(message.removeprefix("DID NOT RAISE"))
        return f"No {' or '.join(names)} was raised here."
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
    places += [("", f.filename, f.lineno or 0) for f in frames if Path(f.filename) == answer][-3:]
    places += [("", f.filename, f.lineno or 0) for f in frames if Path(f.filename) == test_file][
        -1:
    ]
    return "\n".join(
        f"{prefix}{answers.shown(file)}, line {line}:\n    {linecache.getline(file, line).strip()}"
        for prefix, file, line in places
    )


def drawn(timeline: Timeline) -> str:
    """The timeline as text, one event a line, cut in the middle when it is long."""
    events = [e for e in timeline.events() if e.kind in TOLD]
    if not events:
        return "nothing: no message was sent and no task ran."
    lines = []
    shown = _worth_showing(events)
    for place, event in enumerate(events):
        if place in shown:
            lines.append(_line(event, events[0].at, timeline))
        elif place - 1 in shown:
            gap = next(n for n in range(place, len(events)) if n in shown) - place
            lines.append(f"           … {gap} more …")
    return "\n".join(lines)


def _worth_showing(events: list[Event]) -> set[int]:
    """The places of the events to show: the beginning, the end, and what went wrong."""
    everything = range(len(events))
    if len(events) <= MOST_EVENTS:
        return set(everything)
    troubles = [n for n in everything if events[n].error or events[n].kind == "read"]
    half = MOST_EVENTS // 2
    return {*everything[:half], *troubles[:3], *everything[-half:]}


def _line(event: Event, start: float, timeline: Timeline) -> str:
    by_caller = event.eager or (event.kind in ("sent", "read") and not event.worker)
    who = "caller" if by_caller else "worker"
    what = event.call if event.args or event.kwargs else event.task
    if event.kind == "sent":
        what += f"  to queue '{event.queue}'"
        what += f", due in {event.countdown:g} s" if event.countdown else ""
        what += "" if event.published else "  (it did not go out)"
    elif event.kind == "read":
        of = next((e.call for e in timeline.sent() if e.id == event.id), "something")
        what = f"for the result of {of}"
    elif event.eager:
        what += "  (eagerly, no worker)"
    if event.error:
        what += f"  {event.error.splitlines()[0]}"
    return f"{(event.at - start) * 1000:6.0f} ms  {who}  {TOLD[event.kind]}  {what}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
