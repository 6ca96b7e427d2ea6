"""One run of `send_receipt`, and everything that Celery tells about a task."""

import contextlib
import logging
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from celery import Task, signals
from celery.events.dispatcher import EventDispatcher

OTHER_HOST = """
import platform, socket
socket.gethostname = socket.getfqdn = platform.node = lambda *_: "another.example"
"""


class Run(NamedTuple):
    """What came of one receipt: its result or error, its messages, how often it was retried."""

    outcome: object
    sent: list
    retried: int
    told: str


class Sender:
    """Sends `send_receipt`, and lets the worker do all that it can."""

    def __init__(self, kata, mailbox, timeline, settle):
        self._kata, self._mailbox, self._timeline, self._settle = kata, mailbox, timeline, settle

    def task(self):
        """`send_receipt`. If it is not written yet, it says which TODO it is."""
        task = self._kata.send_receipt
        if not isinstance(task, Task) or task.name not in self._kata.app.tasks:
            with contextlib.suppress(OSError, TypeError):
                task(1042, "ann@mail.example")
            pytest.fail("TODO 2: `send_receipt` is not a task of `app`.")
        return task

    def arguments(self, message):
        """The arguments of a message, by their names."""
        return dict(zip(("order_id", "to"), message.args, strict=False)) | message.kwargs

    def run(self, order_id, to, by_name=False):
        task, before = self.task(), len(self._timeline.sent())
        calls, errors = self._mailbox.calls, len(self._mailbox.errors)
        result = task.delay(order_id=order_id, to=to) if by_name else task.delay(order_id, to)
        assert self._timeline.sent()[before:], "`send_receipt.delay(…)` sent no message."
        queue = self._timeline.sent()[before].queue
        assert queue == "mail", f"`send_receipt` was sent to queue '{queue}', not to 'mail'."
        self._settle()
        outcome = result.get(propagate=False)
        sent = [event for event in self._timeline.sent()[before:] if event.task == task.name]
        ids = {event.id for event in sent}
        assert ids == {result.id}, (
            f"One receipt made {len(sent)} messages with {len(ids)} different ids. "
            "A retry keeps the id of the task."
        )
        for event in sent:
            assert self.arguments(event) == {"order_id": order_id, "to": to}, (
                f"The task was sent for order {order_id} to {to!r}. One of its messages has "
                f"other arguments: {event.call}."
            )
        calls = self._mailbox.calls - calls
        assert calls <= len(sent), (
            f"`send_receipt` ran {len(sent)} times, and connected to the mail server {calls} "
            "times. Expected one attempt in each run."
        )
        told = [f"The task ended with {outcome!r}."]
        told += [f"smtplib raised {error}." for error in self._mailbox.errors[errors:][-1:]]
        retried = len([event for event in self._timeline.retried() if event.id == result.id])
        return Run(outcome, sent, retried, "\n".join(told))


@pytest.fixture
def sender(kata, mailbox, timeline, settle):
    """See `Sender`."""
    return Sender(kata, mailbox, timeline, settle)


@pytest.fixture
def receipt(kata):
    """`receipt(order_id, to)` is what `build_receipt` makes, if others can build on that."""

    def receipt(order_id, to):
        message, again = (kata.build_receipt(order_id, to) for _ in range(2))
        call = f"TODO 1: `build_receipt({order_id}, {to!r})`"
        for made in (message, again):
            assert isinstance(made, EmailMessage), f"{call} returned {made!r}, no EmailMessage."
        first, second = str(message["Message-ID"]), str(again["Message-ID"])
        assert first == second, f"{call} made the Message-ID {first}, and then {second}."
        return message

    return receipt


@pytest.fixture
def elsewhere(kata):
    """`elsewhere(order_id, to)` is the Message-ID that another process on another host makes."""

    def elsewhere(order_id, to):
        folders = [str(Path(file).parent) for file in (kata.__file__, __file__)]
        script = (
            f"{OTHER_HOST}import sys; sys.path[:0] = {folders}\n"
            f"import tasks; print(tasks.build_receipt({order_id}, {to!r})['Message-ID'])"
        )
        seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "HOSTNAME": "another.example"}
        command = [sys.executable, "-B", "-c", script]
        ran = subprocess.run(command, env=environment, text=True, capture_output=True)  # noqa: S603
        said = (ran.stderr if ran.returncode else ran.stdout).splitlines() or ["nothing"]
        assert ran.returncode == 0, f"In a Python of its own, your file ended with\n{said[-1]}"
        return said[-1]

    return elsewhere


SERVERS_OWN = {"mail.log", "mail.debug", "mail.error"}  # a real mail server has its own log


class Traces(logging.Handler):
    """Collects what is told. A handler of the root logger, so that it hears every log line."""

    def __init__(self, answer, capsys):
        super().__init__()
        self._answer, self._capsys = answer, capsys
        self._told = []

    def add(self, where, values):
        self._told += [(f"{where}, {name}", str(value)) for name, value in values.items()]

    def emit(self, record):
        # At DEBUG Celery logs its own work, in each version otherwise: there only the
        # learner's lines count.
        if record.name in SERVERS_OWN or (
            record.levelno < logging.INFO and record.pathname != self._answer
        ):
            return
        self._told.append(("log line", self.format(record)))
        self.add("log line, data", getattr(record, "data", {}))

    def naming(self, *texts):
        """Where one of the texts is told, a line for each place."""
        for line in "".join(self._capsys.readouterr()).splitlines():
            self._told.append(("printed, so logged", line))
        places = {}
        for where, told in self._told:
            for line in told.splitlines():
                found = [text for text in texts if text.casefold() in line.casefold()]
                if found and where not in places:
                    places[where] = _around(found[0], line)
        return [f"{where}: {line}" for where, line in places.items()]


def _around(text, line, most=100):
    start = max(0, line.casefold().index(text.casefold()) + len(text) + 10 - most)
    return ("…" if start else "") + line[start : start + most].strip()


@pytest.fixture
def traces(kata, capsys, monkeypatch):
    """Collects what Celery tells. Ask for it before the worker."""
    traces = Traces(kata.__file__, capsys)
    kata.app.conf.worker_send_task_events = True
    send = EventDispatcher.send

    def send_event(self, type, *args, **fields):  # noqa: A002 - Celery's word
        traces.add(f"event {type}", fields)
        return send(self, type, *args, **fields)

    def published(headers, **_):
        traces.add(
            "message header of the retry" if headers["retries"] else "message header", headers
        )

    def leave_the_log_alone(**_):
        pass  # a receiver keeps Celery from setting the level

    monkeypatch.setattr(EventDispatcher, "send", send_event)
    monkeypatch.setattr(logging.getLogger("celery.task"), "propagate", True)
    loggers = [logging.getLogger(), logging.getLogger("celery.task")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(traces)
    signals.before_task_publish.connect(published)
    signals.setup_logging.connect(leave_the_log_alone)
    yield traces
    signals.before_task_publish.disconnect(published)
    signals.setup_logging.disconnect(leave_the_log_alone)
    loggers[0].removeHandler(traces)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
