"""Everything that Celery tells about a task: message headers, log lines, events, and prints."""

import logging

import pytest
from celery import signals
from celery.events.dispatcher import EventDispatcher

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
        # At DEBUG Celery itself logs whole messages. Only the learner's own lines count there.
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
