"""The learner's beat schedule, run through simulated time by Celery's own scheduler."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import time_machine
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.result import AsyncResult
from celery.schedules import BaseSchedule

STEP = timedelta(milliseconds=1)
KEYS = ("task", "schedule", "args", "kwargs", "options", "relative")
MOST = 10_000  # messages of one run: an entry that is always due would never let it end


@dataclasses.dataclass(frozen=True)
class Sent:
    """What beat sent: `name` is the entry's key in `beat_schedule`, `at` is in the app's zone."""

    name: str
    task: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]
    at: datetime


class _Rehearsal(Scheduler):  # type: ignore[misc]
    """Celery's scheduler, but it notes what is due instead of sending it."""

    producer = None  # the inherited one would connect to the broker

    def __init__(self, app: Celery) -> None:
        self.sent: list[Sent] = []
        super().__init__(app=app)
        self.setup_schedule()

    def install_default_entries(self, data: object) -> None:
        """Leave out Celery's own clean-up of results: it is not the learner's."""

    def adjust(self, n: float, drift: float = 0.0) -> float:  # noqa: ARG002 - Celery's signature
        """Wake up on time. A real beat wakes up 10 ms early and looks again and again."""
        return n

    def apply_async(self, entry: ScheduleEntry, **_: Any) -> None:
        """Note what the real scheduler would send now."""
        self.sent.append(
            Sent(
                entry.name,
                entry.task,
                tuple(entry.args or ()),
                dict(entry.kwargs or {}),
                dict(entry.options or {}),
                datetime.now(timezone.utc).astimezone(self.app.timezone),
            )
        )


def check(schedule: Any) -> None:
    """Make sure that Celery can read a `beat_schedule`.

    Raises:
        AssertionError: it cannot; the message names the entry, and what is wrong with it.
    """
    for name, entry in dict(schedule).items():
        if isinstance(entry, ScheduleEntry):
            continue
        problem = _problem(entry)
        assert problem is None, f"The entry {name!r} of beat_schedule cannot be used:\n{problem}"


def _problem(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return f"it is {entry!r}, and not a dict."
    for key in ("task", "schedule"):
        if key not in entry:
            return f"it has no key {key!r}."
    if strange := [key for key in entry if key not in KEYS]:
        return (
            f"it has the key {strange[0]!r}. It can have {', '.join(KEYS)}.\n"
            "What belongs to the message, such as queue or expires, stands in options."
        )
    args, when = entry.get("args"), entry["schedule"]
    if not isinstance(entry["task"], str):
        return f"its task is {entry['task']!r}. The name of a task is expected, as text."
    if args is not None and not isinstance(args, (list, tuple)):
        return f"its args are {args!r}. A tuple is expected. One of length 1 ends with a comma."
    if not isinstance(when, (int, float, timedelta, BaseSchedule)):
        return f"its schedule is {when!r}. Seconds, a timedelta or a crontab are expected."
    return None


class Beat:
    """Runs the app's `beat_schedule`, in simulated time or for real."""

    def __init__(self, app: Celery) -> None:
        app.finalize()  # as `celery beat` does: entries may be added in on_after_finalize
        self._app = app

    def run(self, start: datetime, **duration: float) -> list[Sent]:
        """What beat sends after `start`, up to and with the end, in order.

        Args:
            start: when beat is started for the first time; an aware datetime.
            duration: how long it runs, as for `timedelta`: `days=1`, `hours=2`, ...
        """
        check(self._app.conf.beat_schedule)
        moment, end = start.astimezone(timezone.utc), start + timedelta(**duration)
        with time_machine.travel(moment, tick=False) as clock:
            scheduler = _Rehearsal(self._app)
            while moment <= end:
                before = len(scheduler.sent)
                pause = scheduler.tick()
                if len(scheduler.sent) >= MOST:
                    raise AssertionError(_too_many(scheduler.sent[-1], start))
                if len(scheduler.sent) > before:
                    continue  # something else may be due at the same moment
                moment += max(timedelta(seconds=round(pause, 3)), STEP)
                clock.move_to(moment)
        return scheduler.sent

    def send(self, name: str, at: datetime | None = None) -> AsyncResult:
        """Let Celery's scheduler really send one entry, now or as if it were `at`.

        A worker that runs already would live in that time, too: start it afterwards.
        """
        entries = {name: self._app.conf.beat_schedule[name]}
        check(entries)
        with time_machine.travel(at or datetime.now(timezone.utc), tick=True):
            scheduler = Scheduler(app=self._app)
            scheduler.merge_inplace(entries)
            return scheduler.apply_async(scheduler.schedule[name], advance=False)


def _too_many(last: Sent, start: datetime) -> str:
    return (
        f"Beat was started at {start} and had sent {MOST:,} messages by {last.at}. "
        f"The last one was for the entry {last.name!r}. How often must it run?"
    )
