"""One run of `send_receipt`, and everything that Celery tells about a task."""

import contextlib
import logging
import os
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from celery import Task, signals
from celery.events.dispatcher import EventDispatcher

DELAYS = [10, 20, 40, 80, 160]
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
    why: list  # what may be said below a text about retries

    def check_retries(self, count, why):
        """So many retries, later and later."""
        delays = [event.countdown for event in self.sent[1:]]
        saw = f"The messages asked for: {delays}." if delays else "The task was not retried."
        assert delays == DELAYS[:count], (
            f"{why}\nExpected retries after these delays: {DELAYS[:count]} seconds.\n"
            + "\n".join([saw, *self.why])
        )
        assert self.retried == count, f"{why}\nThe task was sent again, but it was not retried."


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

    def check_queue(self, queue, sent_by="send_receipt"):
        """Fail unless the message went to `mail`: a queue of the task's own, or its sender's."""
        task, router = self.task(), self._kata.app.amqp.router
        own = router.route(dict(task._get_exec_options()), task.name, (), {}, task).get("queue")
        own = getattr(own, "name", own) or self._kata.app.conf.task_default_queue
        assert own != "mail" or queue == own, (
            f"`{sent_by}` sent its message to queue '{queue}'. It must go to 'mail'."
        )
        assert queue == "mail", (
            f"TODO 2: `send_receipt` goes to queue '{own}', not to 'mail'. "
            "A route in `task_routes` (kata 05) or the task's own `queue` decides that."
        )

    def run(self, order_id, to, by_name=False):
        task, before = self.task(), len(self._timeline.sent())
        calls, errors = self._mailbox.calls, len(self._mailbox.errors)
        result = task.delay(order_id=order_id, to=to) if by_name else task.delay(order_id, to)
        assert self._timeline.sent()[before:], "`send_receipt.delay(…)` sent no message."
        self.check_queue(self._timeline.sent()[before].queue)
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
        retried = len([event for event in self._timeline.retried() if event.id == result.id])
        errors = self._mailbox.errors[errors:][-1:]
        why = [*about_retries(task, retried, outcome), *about_error(outcome, len(sent))]
        if errors and errors[0].startswith(f"{type(outcome).__name__}: "):
            told = [f"The task ended with what smtplib raised: {errors[0]}."]
        else:
            told = [f"The task ended with {outcome!r}."]
            told += [f"smtplib raised {error}." for error in errors if not why]
        if errors and not calls:
            told.append("Nobody connected to the mail server. `smtp_address()` says where it is.")
        return Run(outcome, sent, retried, "\n".join(told + why), why)


def about_retries(task, retried, outcome):
    """What the options of the task have to do with its retries."""
    if getattr(task, "retry_backoff", False) and getattr(task, "retry_jitter", True) and retried:
        yield "The delays are random: `retry_jitter` is on."
    if isinstance(outcome, Exception) and retried == task.max_retries < 5:
        yield f"It gave up after {retried} retries (`max_retries`). It must be tried again 5 times."


def about_error(outcome, runs):
    """What the error tells of the code, if it ended the task at once."""
    if (
        isinstance(outcome, OSError)
        and not isinstance(outcome, smtplib.SMTPException)
        and runs == 1
    ):
        yield "It is an OSError and no SMTPException. Does your code catch it?"
    if isinstance(outcome, TypeError) and "'NoneType'" in str(outcome):
        yield "`reply_code` gives None when there was no answer."


@pytest.fixture
def sender(kata, mailbox, timeline, settle):
    """See `Sender`."""
    return Sender(kata, mailbox, timeline, settle)


@pytest.fixture
def receipt(kata):
    """`receipt(order_id, to)` is what `build_receipt` makes, if others can build on that."""

    def receipt(order_id, to):
        message, again = (
            kata.build_receipt(order_id, to),
            kata.build_receipt(order_id=order_id, to=to),
        )
        call = f"TODO 1: `build_receipt({order_id}, {to!r})`"
        for made in (message, again):
            assert isinstance(made, EmailMessage), f"{call} returned {made!r}, no EmailMessage."
        first, second = str(message["Message-ID"]), str(again["Message-ID"])
        assert first == second, (
            "TODO 1: `build_receipt` was called twice for one order, and made two Message-IDs. "
            "They must be equal, so nothing in them may be random."
        )
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
        lines = [f"{where}: {line}" for where, line in places.items()]
        refused = [line for line in lines if "ValueError" in line]
        assert not refused, f"TODO 1: the text of the ValueError names the address.\n{refused[0]}"
        if not (advice := self._advice(list(places), lines)):
            return lines
        more = [f"… and in {len(lines) - 1} more places."] if lines[1:] else []
        return [*lines[:1], *more, advice]

    def _advice(self, places, lines):
        """What to do about the places where the address can be read."""
        if not places:
            return ""
        if places[0] == "message header of the retry, argsrepr":
            return (
                "The retry is a new message, and does not inherit `argsrepr`: give it to "
                f"`self.retry`{self._line_of('.retry(')}."
            )
        if places[0] == "message header, kwargsrepr":
            return "You sent keyword arguments: they need `kwargsrepr`."
        if places[0] == "message header of the retry, kwargsrepr":
            return "The retry has keyword arguments: give `kwargsrepr` to `self.retry`, too."
        if places[0] == "message header, argsrepr":
            return "Celery copies the arguments as text. Give `argsrepr` to `apply_async`."
        if any("task-retried, exception" in line and "SMTP" in line for line in lines):
            return "`retry` was given the error of smtplib. Hand it `NotSent`."
        told_of_first = any("traceback: smtplib." in line for line in lines)
        if told_of_first and not any("exception" in place for place in places):
            return (
                "`self.retry` was called (or `NotSent` raised) inside `except`, so Python added "
                "the error of smtplib to its traceback: do it after the block."
            )
        return ""

    def _line_of(self, text):
        """Where this text stands in the learner's file, if it stands there once."""
        source = Path(self._answer).read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(source, 1) if text in line]
        return f" in line {found[0]}" if len(found) == 1 else ""


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
