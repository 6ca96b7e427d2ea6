"""The details of one event, as texts that can be printed whatever a learner has put in."""

from __future__ import annotations

from dojo.evidence.timeline import Event
from dojo.grading import answers

MOST_CHARACTERS = 1000
#: Fields of an event that are shown as they are when they are there, and their names.
FIELDS = {
    "error": "error",
    "queue": "queue",
    "routing_key": "routing key",
    "exchange": "exchange",
    "priority": "priority",
    "eta": "ETA",
    "expires": "expires",
    "retries": "retries",
    "state": "state",
    "worker": "worker",
    "pid": "process",
    "thread": "thread",
    "id": "task id",
    "parent_id": "parent id",
    "root_id": "root id",
    "group_id": "group id",
    "reader": "by task",
}


def printable(text: object) -> str:
    """`text` in characters that can be seen, so that none of them plays a trick on a page."""
    shown = str(text)
    if len(shown) > MOST_CHARACTERS:
        shown = shown[: MOST_CHARACTERS - 1] + "…"
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in shown)


def safe_call(event: Event) -> str:
    """The task as a call. An eager task may have arguments that cannot be shown."""
    try:
        return printable(event.call)
    except Exception:  # the learner's __repr__ may raise anything
        return f"{printable(event.task)}(…)"


def details(event: Event) -> list[list[str]]:
    """What is known of an event beside its task, as pairs of a name and a text."""
    pairs: list[tuple[str, object]] = [
        (name, getattr(event, field)) for field, name in FIELDS.items()
    ]
    if event.root_id == event.id:
        pairs.remove(("root id", event.root_id))
    pairs.insert(1, ("in the code", _place(event)))
    if event.kind == "update":
        pairs.insert(0, ("stored", _shown(event.meta)))
    pairs.insert(2, ("due in", f"{event.countdown:g} s" if event.countdown else None))
    if event.kind == "sent" and not event.published:
        pairs.insert(0, ("not sent", "it did not go out"))
    if event.kind == "ready":
        pairs.insert(0, ("reads the queues", ", ".join(map(str, event.args))))
    if event.chord:
        pairs.append(("chord", "part of the header of a chord"))
    if event.acks_late:
        pairs.append(("message", "kept until the task has ended (acks_late)"))
    if event.eager:
        pairs = [pair for pair in pairs if pair[0] != "worker"]  # the machine, in truth
        pairs.append(("eager", "run at once, without a worker"))
    return [[name, printable(value)] for name, value in pairs if value not in (None, "", 0)]


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # the learner's __repr__ may raise anything
        return "…"


def _place(event: Event) -> str | None:
    if event.where is None:
        return None
    file, line = event.where
    return f"{answers.shown(file)}, line {line}"
