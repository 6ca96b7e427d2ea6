"""The list of incidents, and what else the tests must know of an errback."""

import functools
import importlib
import inspect
import logging
import sys
import traceback
from collections import Counter
from types import SimpleNamespace

import pytest
from celery import Task
from celery.app.task import Context
from celery.canvas import Signature
from celery.result import AsyncResult, EagerResult, GroupResult
from celery.utils.functional import arity_greater

NO_TASK = "`report_failure` is not a task of `app`. Put `@app.task` above it."
BOUND = "An errback that Celery is to call is not bound: leave `bind=True` out."
ID_ONLY = (
    "Celery sends `report_failure` as a task, and hands over the id only. It calls none but a "
    "function with the three arguments, and without `bind=True`."
)
EACH_MEMBER = "Give each member its own: `print_photos.s(…).set(link=…, link_error=…)`."
RETURNS = {"print_order": AsyncResult, "print_batch": GroupResult}


class Incidents(list):
    """The list of incidents. While there is some `trouble`, writing there raises that error."""

    trouble = None
    by_report = 0  # how many of them `incidents.report` has made
    refused = 0  # how many could not be written

    def append(self, incident):
        """Write an incident down."""
        if self.trouble:
            self.refused += 1
            raise self.trouble
        self.by_report += sys._getframe(1).f_globals["__name__"] == "incidents"
        super().append(incident)

    def fault(self, task_id, error, traceback, task="tasks.print_photos", since=None):
        """What is wrong with the incident of a task that failed, or ""."""
        seen = [one for one in self if one.get("id") == task_id] if since is None else self[since:]
        if len(seen) != 1:
            return f"Of this task there are {len(seen)} incidents, not one: {error}."
        expected = {"task": task, "id": task_id, "error": error, "traceback": traceback}
        for part, value in expected.items():
            if (got := seen[0].get(part)) != value:
                return f"The {part!r} of its incident must be {value!r:.99}, not {got!r:.99}."
        return ""


@pytest.fixture
def reported(kata):
    """The list that the module `incidents` writes in, which is fresh for this test."""
    assert kata  # it has imported the module
    incidents = importlib.import_module("incidents")
    incidents.reported = Incidents()
    return incidents.reported


@pytest.fixture
def jams(kata, monkeypatch):
    """The orders at which the press gets stuck, though they exist. Ask for it before the worker."""
    jams, run = set(), kata.print_photos.run

    def print_or_jam(order_id):
        if order_id in jams:
            raise RuntimeError(f"paper jam at order {order_id}")
        return run(order_id)

    monkeypatch.setattr(kata.print_photos, "run", print_or_jam)
    return jams


def bound(task):
    """Whether it is a task with `bind=True`."""
    return isinstance(getattr(task, "__header__", None), functools.partial)


def called_as_function(task):
    """Whether Celery calls this errback in the worker. It sends all others as tasks."""
    header = getattr(task, "__header__", None)  # a class-based task has none
    return header is not None and not bound(task) and arity_greater(header, 1)


@pytest.fixture
def report(kata):
    """`report("4f0c…", error, "Traceback …")` calls `report_failure` as Celery does."""

    def call(task_id, error, text, task="tasks.print_photos"):
        function = kata.report_failure
        assert not bound(function), BOUND
        around = {"root_id": "root", "parent_id": "parent", "group": "group"}
        request = Context(id=task_id, task=task, args=[0], kwargs={}, **around)
        taken = inspect.signature(getattr(function, "run", function))
        try:
            taken.bind(request, error, text)
        except TypeError:
            pytest.fail(
                f"Celery calls `report_failure(request, exc, traceback)`. It takes {taken}."
            )
        function(request, error, text)

    return call


class Log:
    """What was logged: (level, all that the line knows), and what was wrong with it."""

    def __init__(self):
        self.lines, self.broken, self.caught = [], "", ""

    def note(self, record):
        """Take a line of the log."""
        try:
            text = logging.Formatter().format(record)
        except (TypeError, ValueError) as error:  # logging itself would only print it
            text = f"{record.msg} {record.args}"
            self.broken = f"Line {record.lineno} of {record.filename} logs nothing: {error}."
        if error := sys.exc_info()[1]:
            self.caught = f"\nYour `except` caught an error of your own: {place(error)}"
        self.lines.append((record.levelno, " ".join([text, *map(str, vars(record).values())])))

    def fault(self, task_id):
        """What is wrong with the lines about a task, or ""."""
        levels = [level for level, line in self.lines if task_id in line]
        if self.broken or max(levels, default=0) >= logging.ERROR:
            return self.broken and f"{self.broken}\nThe text needs a `%s` for each value after it."
        if levels:
            level = logging.getLevelName(max(levels))
            return f"The log names the failed task, but as a line of level {level}, not ERROR."
        return f"Nothing in the log tells of the failed task: log an error with its id, {task_id}."


def place(error):
    """An error, and the line of the learner's file that raised it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name == "report_failure"]
    text = f"{type(error).__name__}: {error}"
    return f"{text}\nin line {frames[-1].lineno}: {frames[-1].line}" if frames else text


@pytest.fixture
def log(monkeypatch):
    """See `Log`."""
    log, handle = Log(), logging.Logger.handle

    def noted(logger, record):
        log.note(record)
        if not log.broken:
            handle(logger, record)

    monkeypatch.setattr(logging.Logger, "handle", noted)
    return log


@pytest.fixture
def calls(kata, monkeypatch):
    """Every call of `report_failure` with its error. Celery tells of none of them."""
    calls, task = [], kata.report_failure
    if not isinstance(task, Task):
        return calls
    run = task.run

    def noted(*args, **kwargs):
        calls.append(call := SimpleNamespace(args=(*args, *kwargs.values()), error=""))
        try:
            return run(*args, **kwargs)
        except Exception as error:
            call.error = place(error)
            raise

    monkeypatch.setattr(task, "run", noted)
    return calls


class Options(list):
    """The options that each message of `print_photos` was sent with, by their names; its id."""

    def linked(self, name):
        """The signatures that were sent as `link` or `link_error`, by the names of their tasks."""
        each = [one.get(name) or [] for one in self]
        flat = [one for some in each for one in (some if isinstance(some, list) else [some])]
        return {one.get("task"): one for one in flat if isinstance(one, dict)}


@pytest.fixture
def options(kata, monkeypatch):
    """See `Options`."""
    options = Options()
    send = kata.print_photos.apply_async

    def noted(*args, **kwargs):
        options.append(noted := {**kwargs})
        noted["id"] = (result := send(*args, **kwargs)).id
        return result

    monkeypatch.setattr(kata.print_photos, "apply_async", noted)
    return options


def why_not_called(options, failed):
    """What was wrong when these tasks were sent, by id and call, or ""."""
    if any("on_error" in each for each in options):
        return "`apply_async` has no option `on_error`, and ignores it: write `link_error`."
    for task, one in options.linked("link").items():
        if one.get("options", {}).get("link_error"):
            return f"It is the error callback of `{task}`. It must be that of `print_photos`."
    if not any(each.get("link_error") for each in options):
        return "`print_photos` was sent without it: `link_error` is missing."
    bare = [failed.get(each.get("id"), "") for each in options if not each.get("link_error")]
    calls = ", ".join(filter(None, bare)).replace("tasks.", "")
    return f"Sent without `link_error`: {calls}. Each needs its own." if calls else ""


def about_calls(calls, options, failed):
    """What was wrong with the calls of the errback of these tasks, or ""."""
    if wrong := [call for call in calls if len(call.args) != 3]:
        return (
            "Celery hands the three arguments over. The signature has none of its own: "
            f"`report_failure.s()`.\n{wrong[0].error}"
        )
    if error := next((call.error for call in calls if call.error), ""):
        return f"`report_failure` was called, and raised {error}"
    requests = [call.args[0] for call in calls]
    reported = Counter(getattr(request, "id", "") for request in requests)
    if missing := {*failed} - {*reported}:
        called = len(failed) - len(missing)
        others = {getattr(r, "task", "") for r in requests if getattr(r, "id", "") not in failed}
        for_others = f" It was called for {', '.join(sorted(others))}." if others else ""
        return (
            f"Of `print_photos` {len(failed)} failed. `report_failure` was called for {called} of "
            f"them.{for_others}\n{why_not_called(options, failed)}"
        )
    twice = "`report_failure` was called twice for one task. One `link_error` is enough: leave "
    twice += "out the other one, or a call of your own."
    return twice if any(times > 1 for times in reported.values()) else ""


@pytest.fixture
def why_not_reported(kata, calls, options, timeline, reported):
    """`why_not_reported(results)` says what became of the errback of these tasks, if known."""

    def why(*results):
        if not isinstance(kata.report_failure, Task):
            return f"TODO 1: {NO_TASK}"
        if not called_as_function(kata.report_failure):
            return f"TODO 1: {BOUND if bound(kata.report_failure) else ID_ONLY}"
        ids = {result.id for result in results}
        failed = {e.id: e.call for e in timeline.sent() if e.id in ids}
        todo = "TODO 1: " if len(reported) <= len(calls) else ""  # more: by somebody else
        called = f"{todo}`report_failure` was called once for each task that failed."
        return about_calls(calls, options, failed) or called

    return why


def about_error(kata, name, error):
    """What a newcomer must know of an error in a function, or ""."""
    text = f"{type(error).__name__}: {error}"
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if "link to group" in text:
        return f"A group takes no callbacks when it is sent. {EACH_MEMBER}\n{text}"
    if isinstance(error, IndexError):
        return f"`link` of a group is for its first member; an empty group has none. {EACH_MEMBER}"
    if isinstance(error, AttributeError) and error.obj is kata.report_failure:
        return f"TODO 1: {NO_TASK}"
    if getattr(kata.print_photos.run, "__code__", None) in codes:
        return f"`{name}` has called `print_photos` here. A worker must do that: send it."
    return ""


@pytest.fixture
def call(kata):
    """`call("print_order", 7)` is the result that a function returns."""

    def called(name, *args, **kwargs):
        try:
            result = getattr(kata, name)(*args, **kwargs)
        except Exception as error:
            why = about_error(kata, name, error)
            if not why:
                raise
            raise AssertionError(why).with_traceback(error.__traceback__) from None
        text = "a signature that is not sent" if isinstance(result, Signature) else repr(result)
        if str(result).startswith("parcel-"):
            text += ": it has called `print_photos` here. A worker must do that: send it"
        wanted, given = RETURNS[name].__name__, ", ".join(map(str, (*args, *kwargs.values())))
        assert isinstance(result, RETURNS[name]), (
            f"`{name}({given})` must return {'an' if wanted[0] == 'A' else 'a'} {wanted}. "
            f"It returned {text}."
        )
        if any(isinstance(each, EagerResult) for each in getattr(result, "results", [result])):
            pytest.fail(f"`{name}` ran it here (eagerly, no worker). Use `delay` or `apply_async`.")
        return result

    return called
