"""The timeline as a drawing in text: a lane for the caller and for each worker."""

from __future__ import annotations

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
LANE = 11  # characters
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
    head = "     ms  " + "".join(f"{name:{LANE}}" for name in lanes.values())
    lines = [_line(event, events[0].at, timeline, list(lanes)) for event in events]
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


def _line(event: Event, start: float, timeline: Timeline, lanes: list[str]) -> str:
    cells = [TOLD[event.kind] if lane == _who(event) else "|" for lane in lanes]
    drawing = "".join(f"{cell:{LANE}}" for cell in cells)
    return f"{(event.at - start) * 1000:7.0f}  {drawing}{_what(event, timeline)}"


def _what(event: Event, timeline: Timeline) -> str:
    what = event.call if event.args or event.kwargs else event.task
    if event.kind == "sent":
        what += f" to queue '{event.queue}'"
        what += f", due in {event.countdown:g} s" if event.countdown else ""
        what += _sender(event, timeline)
        what += "" if event.published else " (it did not go out)"
    elif event.kind in READS:
        of = next((f"the result of {e.call}" for e in timeline.sent() if e.id == event.id), "")
        what = f"{'at' if event.kind == 'look' else 'for'} {of or 'a result that nobody has sent'}"
    elif event.kind == "update":
        what = f"{event.task}: {event.state} {shortened(repr(event.meta), 40)}"
    elif event.kind == "started":
        what += f" (retry {event.retries})" if event.retries else ""
        what += " (eagerly, no worker)" if event.eager else ""
    if event.error:
        what += f": {event.error.splitlines()[0].removeprefix('Retry: ')}"
    return what


def _sender(sent: Event, timeline: Timeline) -> str:
    """Which task sent the message, unless it sent itself again."""
    senders = [e.task for e in timeline.started() if e.id == sent.parent_id != sent.id]
    return f", by {senders[0]}" if senders and sent.worker else ""
