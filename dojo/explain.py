"""Turns the failure of one test into a text for the learner, without a frame of ours."""

from __future__ import annotations

import linecache
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

from dojo import answers, causes
from dojo.drawing import drawn
from dojo.map import command
from dojo.timeline import Timeline

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
    #: Is it about the file as a whole?
    of_file: bool = False
    #: The text that need not be said again for another test, if there is one.
    cause: str = ""

    @property
    def text(self) -> str:
        """The whole text, as it is printed."""
        if self.of_file:
            return _indented(self.what)
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
        what = str(error)  # one that was not run again has the same first line as that time
        cause = what.splitlines()[0] if isinstance(error, answers.NotRunError) else what
        return Explanation(requirement, what, of_file=True, cause=cause)
    if gaps := _todos(error, timeline):
        what = "\n".join(_gap(answer, number) for number in gaps)
        return Explanation(requirement, what, todo=gaps[0], cause=f"{requirement} {what}")
    if isinstance(error, AttributeError) and _is_tasks_module(getattr(error, "obj", None)):
        missing = answers.about_missing_name(answer, error.name or "")
        return Explanation(requirement, missing, of_file=True, cause=missing)
    if isinstance(error, ZoneInfoNotFoundError) and (what := causes.about_time_zone(answer)):
        return Explanation(requirement, what, of_file=True, cause=what)
    what = _what(error, test_file, answer)
    if todo is not None:  # the message may name another one, or an earlier one may be missing
        of_test = min(answers.todos_in(what), default=todo)
        todo = min({of_test, *answers.gaps(answer)})
        way_on = _way_on(answer, test_file.parent, todo, comes_first=todo < of_test)
    paragraphs = [what, *_in_the_worker(error, timeline)]
    paragraphs += causes.in_the_tasks(what, timeline) + causes.in_the_next_signature(timeline)
    paragraphs += causes.in_the_options(error) + causes.in_the_settings()
    paragraphs.append(_where(error, test_file, answer, timeline, says_it_all=_is_told(error)))
    drawing = drawn(timeline) if timeline is not None else ""
    if not drawing and expects_messages and isinstance(error, AssertionError):
        drawing = "nothing: no message was sent and no task ran."
    return Explanation(
        requirement,
        "\n\n".join(filter(None, paragraphs)),
        timeline=drawing,
        way_on=way_on if todo is not None else "",
        todo=todo,
        cause=what,
    )


def _way_on(answer: Path, folder: Path, todo: int, comes_first: bool) -> str:
    line = answers.todo_lines(answer).get(todo)
    where = answers.shown(answer) + (f", line {line}" if line else "")
    hint = command("pytest", answers.shown(folder), "--hint")
    what = f"TODO {todo} comes first" if comes_first else f"This test is about TODO {todo}"
    return f"{what}: {where}\nA hint: {hint}"


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
    if said := causes.in_our_words(error):
        return said
    if not isinstance(error, AssertionError):
        raised = f"{type(error).__name__}: {error}".removesuffix(": ")
        return "\n".join(filter(None, [raised, causes.of_no_signature(error, answer)]))
    said, compared = _split_assertion(str(error))
    if said:
        return said
    statement = _statement(error, test_file)
    return "\n".join(filter(None, [statement, _cut(compared)]))


def _in_the_worker(error: BaseException, timeline: Timeline | None) -> list[str]:
    """The last error of a task in a worker, unless it is the one that the test ended with."""
    failed = [e for e in timeline.failed() if not e.eager] if timeline is not None else []
    if not failed or not failed[-1].error or f"{type(error).__name__}: {error}" in failed[-1].error:
        return []
    return [f"{failed[-1].task} failed in the worker:\n{_cut(failed[-1].error)}"]


def _split_assertion(message: str) -> tuple[str, str]:
    """What the test's author says, and what pytest adds to it."""
    said, separator, compared = message.replace("\n  ", "\n").partition("\nassert ")
    if separator:
        return _cut(said), compared
    return ("", message) if message.startswith("assert ") else (_cut(message), "")


def _cut(text: str) -> str:
    text = re.split(r"\n *Full diff", text)[0]  # pytest adds it where it believes to run in CI
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("+ ")]
    lines = [line for line in lines if "Use -v to get" not in line and line.strip()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], "…"]
    return "\n".join(map(causes.shortened, lines))


def _statement(error: BaseException, test_file: Path) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename) == test_file:
            return (frame.line or "").strip()
    return ""


def _is_told(error: BaseException) -> bool:
    """Whether the test has a text of its own for this failure."""
    return isinstance(error, AssertionError) and bool(_split_assertion(str(error))[0])


def _where(
    error: BaseException,
    test_file: Path,
    answer: Path,
    timeline: Timeline | None,
    says_it_all: bool,
) -> str:
    """The lines of the learner and of the test that the error passed through.

    Of the test only the place is named if its message says it all.
    """
    frames = traceback.extract_tb(error.__traceback__)
    failed = timeline.failed() if timeline is not None else []
    places = [("in the worker: ", *event.where) for event in failed[-1:] if event.where]
    mine = [("", f.filename, f.lineno or 0) for f in frames if Path(f.filename) == answer]
    places += list(dict.fromkeys(mine))[-3:]
    told = [
        f"{prefix}{_place(file, line)}:\n    {_source(file, line)}" for prefix, file, line in places
    ]
    in_test = [(f.filename, f.lineno or 0) for f in frames if Path(f.filename) == test_file][-1:]
    for file, line in in_test:
        told.append(_place(file, line) + ("" if says_it_all else f":\n    {_source(file, line)}"))
    return "\n".join(told)


def _place(file: str, line: int) -> str:
    return f"{answers.shown(file)}, line {line}"


def _source(file: str, line: int) -> str:
    return linecache.getline(file, line).strip()


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
