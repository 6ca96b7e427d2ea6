"""The book of incidents, and what else the tests must know of an errback."""

import functools
import importlib
import logging
import sys
from collections import Counter
from dataclasses import dataclass

import pytest
from celery import Task
from celery.app.task import Context
from celery.utils.functional import arity_greater


class Book(list):
    """The book of incidents. While there is some `trouble`, writing in it raises that error."""

    trouble = None
    by_write = 0  # how many entries `incidents.write` has made

    def append(self, entry):
        """Write an entry down."""
        if self.trouble:
            raise self.trouble
        self.by_write += sys._getframe(1).f_globals["__name__"] == "incidents"
        super().append(entry)

    def of(self, result):
        """The entries about the task with this result."""
        return [entry for entry in self if entry[0] == result.id]


@pytest.fixture
def book(kata):
    """The book that the module `incidents` writes in, which is fresh for this test."""
    assert kata  # it has imported the module
    incidents = importlib.import_module("incidents")
    incidents.book = Book()
    return incidents.book


@pytest.fixture
def jams(kata, monkeypatch):
    """The orders at which the press gets stuck, though they exist. Ask for it before the worker."""
    jams = set()
    run = kata.print_photos.run

    def print_or_jam(order_id):
        if order_id in jams:
            raise RuntimeError(f"paper jam at order {order_id}")
        return run(order_id)

    monkeypatch.setattr(kata.print_photos, "run", print_or_jam)
    return jams


@pytest.fixture
def failed_request():
    """`failed_request("4f0c…")` is the request of a task with that id, as an errback gets it."""

    def request(task_id):
        around = {"root_id": "root", "parent_id": "parent", "group": "group"}
        return Context(id=task_id, task="tasks.print_photos", args=[0], kwargs={}, **around)

    return request


@pytest.fixture
def errors_logged(monkeypatch):
    """The lines of the log that tell of an error, with all that they know."""
    lines = []
    handle = logging.Logger.handle

    def note(logger, record):
        if record.levelno >= logging.ERROR:
            known = [str(value) for value in vars(record).values()]
            lines.append(" ".join([logging.Formatter().format(record), *known]))
        handle(logger, record)

    monkeypatch.setattr(logging.Logger, "handle", note)
    return lines


@dataclass
class Call:
    """A call of `report_failure`, and how it ended."""

    args: tuple
    error: str = ""


@pytest.fixture
def calls(kata, monkeypatch):
    """Every call of `report_failure`, whoever made it. Celery tells of none of them."""
    calls = []
    task = kata.report_failure
    if not isinstance(task, Task):
        return calls
    run = task.run

    def noted(*args, **kwargs):
        calls.append(call := Call((*args, *kwargs.values())))
        try:
            return run(*args, **kwargs)
        except Exception as error:
            call.error = f"{type(error).__name__}: {error}"
            raise

    monkeypatch.setattr(task, "run", noted)
    return calls


def called_as_function(task):
    """Whether Celery calls this errback in the worker. It sends all others as tasks."""
    header = getattr(task, "__header__", None)  # a class-based task has none
    bound = isinstance(header, functools.partial)
    return header is not None and not bound and arity_greater(header, 1)


@pytest.fixture
def why_not_reported(kata, calls):
    """`why_not_reported(results)` says what became of the errback of these tasks, if known."""

    def why(*results):
        if not isinstance(kata.report_failure, Task):
            return "TODO 1: `report_failure` is not a task of `app`.\n"
        if not called_as_function(kata.report_failure):
            return (
                "TODO 1: Celery sends `report_failure` as a task, and hands over the id only. It "
                "calls none but a function with the three arguments, and without `bind=True`.\n"
            )
        if error := next((call.error for call in calls if call.error), ""):
            return f"`report_failure` was called, and raised {error}\n"
        reported = Counter(getattr(call.args[0], "id", "") for call in calls if call.args)
        if any(result.id not in reported for result in results):
            return "`report_failure` was not called for each task that failed.\n"
        if any(times > 1 for times in reported.values()):
            return "`report_failure` was called twice for one task. Who calls it?\n"
        return ""

    return why
