"""The book of incidents, and what else the tests must know of an errback."""

import importlib
import logging
from dataclasses import dataclass

import pytest
from celery import Task
from celery.app.task import Context


class Book(list):
    """The book of incidents. While there is some `trouble`, writing in it raises that error."""

    trouble = None

    def append(self, entry):
        """Write an entry down."""
        if self.trouble:
            raise self.trouble
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
def failed_request():
    """`failed_request("4f0c…")` is the request of a task with that id, as an errback gets it."""

    def request(task_id):
        order = {"args": [0], "kwargs": {}, "hostname": "press@shop", "retries": 0}
        return Context(id=task_id, task="tasks.print_photos", root_id=task_id, **order)

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


@pytest.fixture
def why_not_reported(kata, timeline, calls):
    """`why_not_reported()` says what became of the errback, as far as it is known."""

    def why():
        if not isinstance(kata.report_failure, Task):
            return "TODO 1: `report_failure` is not a task of `app`.\n"
        if as_task := timeline.sent(kata.report_failure.name):
            return (
                f"TODO 1: a worker sent it as a task: {as_task[0].call}.\nCelery does so when it "
                "takes one argument, or has `bind=True`.\n"
            )
        if error := next((call.error for call in calls if call.error), ""):
            return f"`report_failure` was called, and raised {error}\n"
        return "" if calls else "`report_failure` was not called.\n"

    return why
