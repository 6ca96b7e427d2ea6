"""The timeline as a drawing in text: a lane for the caller and for each worker."""

from __future__ import annotations

from shutil import get_terminal_size

from dojo.evidence.timeline import READS, Event, Timeline
from dojo.telling.words import shortened

#: What is shown, and in which words. The other kinds of events are not shown.
TOLD = {
    "sent": "sent",
    "started": "started",
    "look": "looks",
    "wait": "waits",
    "update": "updates",
    "retried": "retried",
    "succeeded": "succeeded",
    "failed": "failed",
    "revoked": "revoked",
    "rejected": "rejected",
    "unknown": "unknown",
}
MOST_EVENTS = 10  # a longer timeline is cut in the middle
TIME, LANE = 9, 11  # characters of the columns
SHORTEST_CALL = 30  # characters; a shorter one tells nothing
INDENT = 4  # of a failure's text
WIDEST = 96  # characters of a line
CALLER = "caller"


def drawn(timeline: Timeline) -> str:
    """The events in their order, one a line, under the names of those who did them.

    Each line has the time in milliseconds since the first event.
    """
    events = [event for event in timeline.events() if event.kind in TOLD]
    if not events:
        return ""
    lanes = _lanes(events)
    room = min(WIDEST, get_terminal_size().columns - INDENT) - TIME - LANE * len(lanes)
    head = "     ms  " + "".join(f"{name:{LANE}}" for name in lanes.values())
    lines = [_line(event, events[0].at, timeline, list(lanes), room) for event in events]
    shown = _cut(events, lines)
    return "\n".join(
        line if len(line) <= WIDEST else line[: WIDEST - 1] + "…"
        for line in (head.rstrip(), *shown)
    )


def _cut(events: list[Event], lines: list[str]) -> list[str]:
    """The lines of the beginning and the end, and the first one between them that tells of a
    wait or an error."""
    if len(lines) <= MOST_EVENTS:
        return lines
    half = MOST_EVENTS // 2
    hidden = range(half, len(lines) - half)
    seen = [event for n, event in enumerate(events) if n not in hidden]
    told = any(_is_trouble(event) for event in seen)
    trouble = next((n for n in hidden if _is_trouble(events[n]) and not told), None)
    if trouble is None:
        return [*lines[:half], *_gap(len(hidden)), *lines[-half:]]
    before, after = trouble - half, len(lines) - half - trouble - 1
    return [*lines[:half], *_gap(before), lines[trouble], *_gap(after), *lines[-half:]]


def _is_trouble(event: Event) -> bool:
    return event.kind == "wait" or event.error is not None


def _gap(count: int) -> list[str]:
    return [f"         … {count} more …"] if count else []


def _lanes(events: list[Event]) -> dict[str, str]:
    """Who did something, in the order of the first time, and the name of each lane."""
    who = list(dict.fromkeys(map(_who, events)))
    workers = [name for name in who if name != CALLER]
    names = {
        name: f"worker {n}" if len(workers) > 1 else "worker" for n, name in enumerate(workers, 1)
    }
    return {name: names.get(name, CALLER) for name in who}


def _who(event: Event) -> str:
    """The lane of an event: the caller's, or that of a worker by its node name."""
    outside = event.eager or (event.kind in ("sent", *READS) and not event.worker)
    return CALLER if outside else event.worker or "a worker"


def _line(event: Event, start: float, timeline: Timeline, lanes: list[str], room: int) -> str:
    cells = [TOLD[event.kind] if lane == _who(event) else "|" for lane in lanes]
    drawing = "".join(f"{cell:{LANE}}" for cell in cells)
    return f"{(event.at - start) * 1000:7.0f}  {drawing}{_what(event, timeline, room)}"


def _what(event: Event, timeline: Timeline, room: int) -> str:
    what = event.call if event.args or event.kwargs else event.task
    if event.kind == "sent":
        where = f" to queue '{event.queue}'"
        where += f", due in {event.countdown:g} s" if event.countdown else ""
        where += _sender(event, timeline)
        where += "" if event.published else " (it did not go out)"
        # Where it went tells more than its last argument.
        what = shortened(what, max(room - len(where), SHORTEST_CALL)) + where
    elif event.kind in READS:
        what = f"{'at' if event.kind == 'look' else 'for'} {_read(event, timeline)}"
    elif event.kind == "update":
        what = f"{event.task}: {event.state} {shortened(repr(event.meta), 40)}"
    elif event.kind == "started":
        what += f" (retry {event.retries})" if event.retries else ""
        what += " (eagerly, no worker)" if event.eager else ""
    if event.error:
        what += f": {event.error.splitlines()[0].removeprefix('Retry: ')}"
    return what


def _read(event: Event, timeline: Timeline) -> str:
    """Whose result it is. A later step of a chain, or the body of a chord, is not sent yet."""
    calls = {sent.id: sent.call for sent in timeline.sent()}
    if event.id in calls:
        return f"the result of {calls[event.id]}"
    first = calls.get(event.root_id or "")
    return f"a result that comes after {first}" if first else "a result that was not sent here"


def _sender(sent: Event, timeline: Timeline) -> str:
    """Which task sent the message, unless it sent itself again."""
    senders = [e.task for e in timeline.started() if e.id == sent.parent_id != sent.id]
    return f", by {senders[0]}" if senders and sent.worker else ""
