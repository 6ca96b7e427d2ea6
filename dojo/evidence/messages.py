"""The messages that are not dealt with yet, the workers that read them, and words for both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from dojo.evidence.timeline import CLOSING, READS, REQUEUED, Event


@dataclasses.dataclass
class Reader:
    """A running worker: its node name, the queues it reads, how many tasks run at a time."""

    name: str
    queues: frozenset[str]
    slots: int = 1
    alive: Callable[[], bool] = lambda: True
    error: Callable[[], str] = str  # what ended it, if that is known


@dataclasses.dataclass
class Message:
    """A task message that is not dealt with yet."""

    sent: Event
    running: Event | None = None
    worker: str | None = None  # node name of the worker that took it from the queue
    lost: bool = False  # its worker ended while it ran, and nobody will run it again

    @property
    def queue(self) -> str:
        """The queue it was sent to."""
        return self.sent.queue or self.sent.routing_key or "celery"


def still_open(events: Iterable[Event], readers: list[Reader]) -> list[Message]:
    """Every message that is queued or runs, oldest first."""
    found: dict[str, Message] = {}
    open_count: dict[str, int] = {}
    for event in events:
        if event.eager or event.kind in READS:
            continue
        if event.kind == "sent" and not event.published:
            continue  # the broker never got it
        message = found.setdefault(event.id, Message(event))
        if event.kind == "sent":
            open_count[event.id] = open_count.get(event.id, 0) + 1
            message.sent = event
        elif event.kind == "received":
            message.worker = event.worker
            open_count[event.id] = max(1, open_count.get(event.id, 0))  # or delivered again
        elif event.kind == "started":
            message.running = event
        elif event.kind in CLOSING or _tells_of_a_dead_process(event, message):
            message.running = None
            if event.state != REQUEUED:
                open_count[event.id] = open_count.get(event.id, 0) - 1
    _take_from_the_dead(found.values(), readers)
    return [m for key, m in found.items() if m.running or open_count.get(key, 0) > 0]


def _tells_of_a_dead_process(event: Event, message: Message) -> bool:
    """Whether a worker notes that the process which ran the task ended without a word."""
    running = message.running
    return event.kind == "failed" and running is not None and running.pid != event.pid


def _take_from_the_dead(messages: Iterable[Message], readers: list[Reader]) -> None:
    """Let no message run in a worker that has ended."""
    ended = {reader.name for reader in readers if not reader.alive()}
    for message in messages:
        if message.running and message.running.worker in ended:
            message.lost = not message.running.acks_late  # a late one is delivered again
            message.running = None


def has_room(reader: Reader, messages: list[Message]) -> bool:
    """Whether this worker can begin another task."""
    taken = sum(1 for m in messages if m.running and m.worker == reader.name)
    return taken < reader.slots


def how_silent(finished: Event) -> str:
    """How a task ended that left no result."""
    if finished.state == "IGNORED":
        return "raised Ignore, as `replace` does: Celery stores no result for it."
    if finished.state is None:
        return "called sys.exit() or the like. That ends the worker, and not only the task."
    return "ended without a result: it could not be stored."


def due(message: Message) -> str:
    """What to say of a message whose time comes much later."""
    where = "in the worker" if message.worker else f"in queue '{message.queue}'"
    return f"{message.sent.call} waits {where} for its time: due in {message.sent.countdown:g} s."


def why(message: Message, readers: list[Reader]) -> str:
    """Why this message does not go on."""
    call, queue = message.sent.call, message.queue
    if message.lost:
        return f"{call} was running when its worker ended. Nobody will run it again."
    if message.running:
        return f"{call} waits inside the worker, and keeps its place there."
    if not readers:
        return f"{call} waits in queue '{queue}', and no worker is running."
    if any(queue in reader.queues for reader in readers):
        return f"{call} waits in queue '{queue}' for a free place in the worker."
    read = ", ".join(f"'{q}'" for q in sorted({q for r in readers for q in r.queues}))
    return f"{call} waits in queue '{queue}'; the worker reads only {read}."


def first_of(result: Any) -> Any:
    """The result of the task that was sent first, of those that lead to this one.

    The steps of a chain, and the header of a chord, are the parents of what comes after them.
    """
    while (before := getattr(result, "parent", None)) is not None:
        result = before
    while members := getattr(result, "results", None):
        result = members[0]
    return result
