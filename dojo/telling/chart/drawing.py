"""What the chart shows of one test: lanes, items and arrows, made from its events.

Everything here is data that JSON can carry, with every text made harmless to print. How
it looks is left to the page.
"""

from __future__ import annotations

import math
from typing import TypedDict

from dojo.evidence.timeline import Event
from dojo.telling.chart.details import details, printable, safe_call

__all__ = ["Drawing", "drawn", "printable"]

#: A test that goes wild must not make a page that no browser opens.
MOST_EVENTS = 2000
#: How a task that ran can have ended. Else it is only "finished".
OUTCOMES = ("succeeded", "failed", "retried", "revoked")
#: Events that end a bar even when another thread tells of them: that of a killed process.
FROM_OUTSIDE = ("failed", "revoked")


class Lane(TypedDict):
    """A row of the chart: the caller, or a process or thread of a worker."""

    name: str
    detail: str


class Told(TypedDict):
    """An event; `at` is in milliseconds after the first one."""

    at: float
    lane: int
    kind: str
    call: str
    details: list[list[str]]


class Item(TypedDict):
    """One thing to point at: a bar for a task that ran, or a mark for any other event.

    `shape` is "bar" or a kind of event, `outcome` and `end` are those of a bar (an `end` of
    None: it did not end), and `row` keeps bars of a lane apart that would overlap.
    """

    shape: str
    outcome: str
    events: list[int]
    end: float | None
    row: int


class Arrow(TypedDict):
    """From one item to another: a "message" to where it ran, or a task to its "child"."""

    kind: str
    source: int
    target: int


class Drawing(TypedDict):
    """The chart of one test; `left_out` counts the events that were too many."""

    span: float
    lanes: list[Lane]
    events: list[Told]
    items: list[Item]
    arrows: list[Arrow]
    left_out: int


def drawn(all_events: list[Event]) -> Drawing:
    """The chart of these events, which are in order."""
    events = all_events[:MOST_EVENTS]
    lanes, lane_of = _lanes(events)
    calls = {e.id: safe_call(e) for e in reversed(events) if e.kind in ("sent", "started")}
    told: list[Told] = [
        {
            "at": _after(event, events[0]),
            "lane": lane_of[n],
            "kind": event.kind,
            "call": calls.get(event.id) or printable(event.task),
            "details": details(event),
        }
        for n, event in enumerate(events)
    ]
    items = _items(events)
    for item in items:
        _finish(item, told)
    _stack(items, told)
    return {
        "span": max((event["at"] for event in told), default=0.0),
        "lanes": lanes,
        "events": told,
        "items": items,
        "arrows": _arrows(items, events),
        "left_out": len(all_events) - len(events),
    }


def _after(event: Event, first: Event) -> float:
    return round((event.at - first.at) * 1000, 3)


# -- lanes -----------------------------------------------------------------------------


def _lanes(events: list[Event]) -> tuple[list[Lane], list[int]]:
    """All lanes, the caller's first, and the number of the lane of each event."""
    nodes = {_place(e): e.worker for e in events if e.worker and not e.eager}
    keys = [(_node(event, nodes), event.pid, event.thread) for event in events]
    order = sorted(dict.fromkeys(keys), key=lambda key: _first_seen(key[0], keys))
    at_work = {key for key, event in zip(keys, events, strict=True) if event.kind == "started"}
    lanes: list[Lane] = []
    for node, pid, thread in order:
        siblings = [key for key in order if key[0] == node]
        detail = ""
        if len(siblings) > 1:
            processes = {key[1] for key in siblings}
            detail = f"process {pid}" if len(processes) > 1 else thread
            if len([key for key in siblings if key[1] == pid]) > 1 < len(processes):
                detail += f", {thread}"
            if node != "caller" and (node, pid, thread) not in at_work:
                detail += ": takes messages"
        lanes.append({"name": printable(node), "detail": printable(detail)})
    return lanes, [order.index(key) for key in keys]


def _node(event: Event, nodes: dict[tuple[int, str], str]) -> str:
    if event.worker and not event.eager:
        return event.worker
    # An eager task names the machine. A message that is turned away names nobody.
    nobody = "worker" if event.kind in ("rejected", "unknown") else "caller"
    return nodes.get(_place(event)) or nobody


def _first_seen(node: str, keys: list[tuple[str, int, str]]) -> int:
    if node == "caller":
        return -1
    return next(n for n, key in enumerate(keys) if key[0] == node)


# -- items -----------------------------------------------------------------------------


def _items(events: list[Event]) -> list[Item]:
    items: list[Item] = []
    running: list[Item] = []
    for number, event in enumerate(events):
        bar = _bar_of(event, running, events)
        if bar is not None and event.kind != "started":
            bar["events"].append(number)
            if event.kind == "finished" or _place(event) != _place(events[bar["events"][0]]):
                running.remove(bar)
            continue
        shape = "bar" if event.kind == "started" else event.kind
        item: Item = {"shape": shape, "outcome": "", "events": [number], "end": None, "row": 0}
        items.append(item)
        if shape == "bar":
            running.append(item)
    return items


def _bar_of(event: Event, running: list[Item], events: list[Event]) -> Item | None:
    """The running task that this event is a part of."""
    if event.kind not in (*OUTCOMES, "finished"):
        return None
    same_task = [bar for bar in reversed(running) if events[bar["events"][0]].id == event.id]
    for bar in same_task:
        if _place(events[bar["events"][0]]) == _place(event):
            return bar
    return same_task[0] if same_task and event.kind in FROM_OUTSIDE else None


def _place(event: Event) -> tuple[int, str]:
    return event.pid, event.thread


def _finish(item: Item, told: list[Told]) -> None:
    if item["shape"] != "bar":
        return
    kinds = [told[n]["kind"] for n in item["events"]]
    item["outcome"] = next((kind for kind in reversed(kinds) if kind in OUTCOMES), kinds[-1])
    if len(kinds) > 1:
        item["end"] = told[item["events"][-1]]["at"]


def _stack(items: list[Item], told: list[Told]) -> None:
    """Give each bar a row of its lane in which no other bar is in its way."""
    free: dict[int, list[float]] = {}  # for each lane: when each of its rows is free again
    for bar in items:
        if bar["shape"] != "bar":
            continue
        start = told[bar["events"][0]]
        rows = free.setdefault(start["lane"], [])
        row = next((n for n, until in enumerate(rows) if until <= start["at"]), len(rows))
        rows[row:] = [math.inf if bar["end"] is None else bar["end"], *rows[row + 1 :]]
        bar["row"] = row


# -- arrows ----------------------------------------------------------------------------


def _arrows(items: list[Item], events: list[Event]) -> list[Arrow]:
    """The arrows to each item. What an arrow comes from stands earlier in the list."""
    arrows: list[Arrow] = []
    bars: dict[str, list[int]] = {}  # by the id of the task
    sent: dict[str, list[int]] = {}
    for target, item in enumerate(items):
        event = events[item["events"][0]]
        is_bar = item["shape"] == "bar"
        if is_bar and not event.eager:
            message = _message_of(event, sent.get(event.id, []), items, events)
            arrows += [{"kind": "message", "source": n, "target": target} for n in message]
        elif is_bar or item["shape"] == "sent":
            by = bars.get(event.parent_id or "") or (event.retries and bars.get(event.id)) or []
            arrows += [{"kind": "child", "source": n, "target": target} for n in by[-1:]]
        if is_bar:
            bars.setdefault(event.id, []).append(target)
        elif item["shape"] == "sent":
            sent.setdefault(event.id, []).append(target)
    return arrows


def _message_of(start: Event, sent: list[int], items: list[Item], events: list[Event]) -> list[int]:
    """The message that this run came from. A retry has the same id as the run before it."""
    of_this_try = [n for n in sent if events[items[n]["events"][0]].retries == start.retries]
    return (of_this_try or sent)[-1:]
