"""What Celery did: the list of events that the tests look at.

`dojo.evidence.recorder` writes it from Celery's own signals, in every process. Nothing here
knows pytest or a broker.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: The kinds of events, in Celery's words where it has one.
KINDS = (
    "sent",
    "received",
    "started",
    "look",  # the learner's code asked for what is known of a result: state, ready(), info …
    "wait",  # the learner's code began to wait for a result: get(), join(), or a loop of looks
    "update",  # the learner's task called update_state(); `state` and `meta` say with what
    "retried",
    "succeeded",
    "failed",
    "revoked",
    "rejected",
    "unknown",
    "finished",
    "ready",  # of a worker process; `args` are the queues it reads
)
#: After one of these a message is dealt with.
CLOSING = frozenset({"finished", "revoked", "rejected", "unknown"})
#: What the learner's code does with results.
READS = frozenset({"look", "wait"})
#: The `state` of a "finished" task whose message goes back to its queue.
REQUEUED = "REQUEUED"


@dataclasses.dataclass
class Event:
    """One thing that Celery did.

    `at` is in seconds on the machine's monotonic clock, which all processes share; only
    the order is evidence. `task` and `id` name the task; for a "look" and a "wait" they name
    the result, and `reader` is the id of the task that looked or waited (None: no task, but
    whoever called the function). `worker` is the node name of the worker that ran or
    published it, None outside a worker. `error` is "Type: text" of a failure or a retry.
    """

    kind: str
    task: str = ""
    id: str = ""
    at: float = dataclasses.field(default_factory=time.monotonic)
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    queue: str | None = None
    routing_key: str | None = None
    exchange: str | None = None
    priority: int | None = None
    eta: str | None = None
    #: Only for "sent": the seconds that the message asks the worker to wait. Exact when it was
    #: sent with a countdown, rounded up to a whole second when it was sent with an ETA.
    countdown: float | None = None
    expires: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    group_id: str | None = None
    chord: bool = False
    retries: int = 0
    #: Only for a task that runs: is its message kept until it has ended?
    acks_late: bool = False
    worker: str | None = None
    pid: int = dataclasses.field(default_factory=os.getpid)
    thread: str = dataclasses.field(default_factory=lambda: threading.current_thread().name)
    eager: bool = False
    reader: str | None = None
    error: str | None = None
    #: Only for "failed": file and line of the learner's code that the error came through last.
    where: tuple[str, int] | None = None
    #: Only for "failed": file and line that raised the error.
    raised_at: tuple[str, int] | None = None
    #: Only for "finished": Celery's word for how it ended, such as "SUCCESS" or "RETRY",
    #: or REQUEUED. For "update": the state that the task has given itself.
    state: str | None = None
    #: Only for "update": what was stored with the state.
    meta: Any = None
    #: Only for "sent": did the broker take the message? False while it is on its way, and
    #: for good when it could not be sent (an argument that is not JSON, say).
    published: bool = False

    @property
    def call(self) -> str:
        """The task as a call, such as `tasks.price(10, 15, copies=2)`.

        A `map`, a `starmap` and a chunk are the task that they call: `tasks.price.map([10, 15])`.
        """
        inner = self.kwargs.get("task")
        if self.task in ("celery.map", "celery.starmap") and isinstance(inner, Mapping):
            way = self.task.removeprefix("celery.")
            return f"{inner.get('task')}.{way}({_short(self.kwargs.get('it'))})"
        parts = [_short(a) for a in self.args]
        parts += [f"{name}={_short(value)}" for name, value in self.kwargs.items()]
        return f"{self.task}({', '.join(parts)})"


def _short(value: object, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


class Timeline:
    """Events in the order in which they happened, from any thread and process.

    Each query takes a task's name, such as `tasks.price`, or None for every task.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition(threading.RLock())
        self._journal: Path | None = None
        self._journal_read = 0

    # -- writing -------------------------------------------------------------------

    def record(self, event: Event) -> None:
        """Append an event and wake everybody who waits for one."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def published(self, sent: Event) -> None:
        """Note that the broker took this message."""
        with self._changed:
            for event in reversed(self._events):
                if event.kind == "sent" and event.at == sent.at and event.id == sent.id:
                    event.published = True
                    return

    def follow(self, journal: Path) -> None:
        """Take in what worker processes write to the file `journal` (see `Journal`)."""
        self._journal = journal

    def _take_in_journal(self) -> None:
        if self._journal is None or not self._journal.exists():
            return
        with self._journal.open("rb") as file:
            file.seek(self._journal_read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._journal_read += len(whole)
        for line in whole.splitlines():
            fields = json.loads(line)
            event = Event(**{**fields, "args": tuple(fields["args"])})
            if event.published:  # the second time that we hear of it
                self.published(event)
            else:
                self._events.append(event)
        if whole:
            self._events.sort(key=lambda event: event.at)

    # -- reading -------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.events())

    def events(self, kind: str | None = None, task: str | None = None) -> list[Event]:
        """The events of this kind and of this task, in order."""
        with self._changed:
            self._take_in_journal()
            chosen = list(self._events)
        return [
            e
            for e in chosen
            if (kind is None or e.kind == kind) and (task is None or e.task == task)
        ]

    def sent(self, task: str | None = None) -> list[Event]:
        """Messages that the broker took. A retry is a message of its own."""
        return [e for e in self.events("sent", task) if e.published]

    def received(self, task: str | None = None) -> list[Event]:
        """Messages that a worker took from a queue."""
        return self.events("received", task)

    def started(self, task: str | None = None) -> list[Event]:
        """Tasks that began to run, in a worker or eagerly. A direct call is not among them."""
        return self.events("started", task)

    def looks(self, task: str | None = None) -> list[Event]:
        """Results that the learner's code looked at, once for each result and reader."""
        return self.events("look", task)

    def waits(self, task: str | None = None) -> list[Event]:
        """Results that the learner's code waited for, once for each result and reader."""
        return self.events("wait", task)

    def reads(self, task: str | None = None) -> list[Event]:
        """Looks and waits, in order."""
        return [e for e in self.events(None, task) if e.kind in READS]

    def updates(self, task: str | None = None) -> list[Event]:
        """What tasks said of themselves by `update_state`."""
        return self.events("update", task)

    def retried(self, task: str | None = None) -> list[Event]:
        """Tasks that asked to be run again."""
        return self.events("retried", task)

    def succeeded(self, task: str | None = None) -> list[Event]:
        """Tasks that returned."""
        return self.events("succeeded", task)

    def failed(self, task: str | None = None) -> list[Event]:
        """Tasks that ended with an error; `error` says which."""
        return self.events("failed", task)

    def in_order(self, first: Sequence[Event], then: Sequence[Event]) -> bool:
        """Whether every event of `first` came before every event of `then`."""
        place = {id(event): number for number, event in enumerate(self.events())}
        latest = max((place[id(event)] for event in first), default=-1)
        earliest = min((place[id(event)] for event in then), default=len(place))
        return latest < earliest

    def wait(self, seen: int, seconds: float) -> None:
        """Return when there are more than `seen` events, or after `seconds`."""
        with self._changed:
            self._take_in_journal()
            if len(self._events) <= seen:
                self._changed.wait(seconds)


class Journal:
    """A file that collects the events of worker processes, one JSON object a line.

    It has the writing half of `Timeline`, so that the recorder works with either. A line
    is one write to a file opened for appending: lines of several processes do not mix.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(self, event: Event) -> None:
        """Append one event; what JSON cannot carry is written as its repr."""
        line = json.dumps(dataclasses.asdict(event), default=repr)
        os.write(self._fd, line.encode() + b"\n")

    def published(self, sent: Event) -> None:
        """Note that the broker took this message, by writing it again."""
        self.record(dataclasses.replace(sent, published=True))
