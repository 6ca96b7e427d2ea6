"""Tests of kata 06. Each docstring is one requirement."""

import random
from datetime import datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from itertools import pairwise
from zoneinfo import ZoneInfo

import celery
import pytest
from celery.schedules import crontab

pytestmark = pytest.mark.usefixtures("naps")

UTC = timezone.utc
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
#: The arguments of each given task, and what it returns.
GIVEN = {
    "heartbeat": ([], "alive"),
    "daily_report": (["sales"], "the sales of the day"),
    "weekly_stocktake": ([], "counted"),
}
TODOS = {name: number for number, name in enumerate(GIVEN, 1)}
SECOND = timedelta(seconds=1)


def entries_of(kata):
    assert kata.app.timezone  # a zone that does not exist raises here
    entries = kata.app.conf.beat_schedule
    kind = type(entries).__name__
    assert isinstance(entries, dict), f"TODO 1: `beat_schedule` must be a dict, and it is a {kind}."
    return entries


def part_of(entry, key):
    return entry.get(key) if isinstance(entry, dict) else getattr(entry, key, None)


def entry_of(kata, name):
    entries = entries_of(kata)
    others = ", ".join(map(repr, entries)) or "no entry at all"
    assert name in entries, (
        f"TODO {TODOS[name]}: `app.conf.beat_schedule` has no entry {name!r}. It has {others}."
    )
    return entries[name]


def check_task(kata, name):
    task = part_of(entry_of(kata, name), "task")
    known = sorted(task for task in kata.app.tasks if not task.startswith("celery."))
    close = get_close_matches(str(task), known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"It knows {', '.join(known)}."
    assert task in known, (
        f"The entry {name!r} names the task {task!r}. `app` knows no such task, and a worker "
        f"would throw the message away. {hint}"
    )


def check_zone(kata):
    """A crontab means a time in the zone of the app. The first crontab needs it."""
    zone = kata.app.timezone
    noons = [local(datetime(2026, month, 1), 12) for month in (1, 7)]
    right = isinstance(zone, tzinfo) and {noon.astimezone(zone).hour for noon in noons} == {12}
    setting = "None, so UTC" if kata.app.conf.timezone is None else repr(kata.app.conf.timezone)
    assert right, (
        f"TODO 2: `app.conf.timezone` is {setting}. A crontab means a time in that zone, and "
        "the shop is in Amsterdam."
    )


def options_of(kata, name):
    return f"The options of the entry are {part_of(entry_of(kata, name), 'options') or 'empty'}."


def sent_by(kata, beat, name, start, **duration):
    """When beat sends one entry, or another one of the same task. The rest takes only time."""
    task = part_of(entry_of(kata, name), "task")
    kata.app.conf.beat_schedule = {
        key: entry
        for key, entry in entries_of(kata).items()
        if key == name or part_of(entry, "task") == task
    }
    return [sent.at for sent in beat.run(start, **duration)]


def send(kata, beat, timeline, name, age=timedelta(0)):
    """Let beat send one entry, as if it were `age` ago. Return the id. No worker runs yet."""
    check_task(kata, name)
    read = sorted(kata.app.amqp.queues.consume_from)
    result = beat.send(name, at=datetime.now(UTC) - age)
    sent = [event for event in timeline.sent() if event.id == result.id]
    assert sent, f"Beat sent no message for {name!r}. A worker must run the task, and not beat."
    assert sent[0].queue in read, (
        f"Beat sent {name!r} to queue {sent[0].queue!r}, and no worker reads that queue. "
        f"The workers read {', '.join(map(repr, read))}. {options_of(kata, name)}"
    )
    assert (sent[0].countdown or 0) <= 0, (
        f"The worker must wait for {sent[0].countdown:g} seconds before it runs {name!r}. "
        f"It is due when beat sends it. {options_of(kata, name)}"
    )
    return result.id


def local(day, hour, minute=0):
    """A time in Amsterdam. One that does not exist there becomes the one an hour later."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=AMSTERDAM)
    return wall.astimezone(UTC).astimezone(AMSTERDAM)


def some_day(month, first=5):
    day = random.randint(first, first + 7)
    return datetime(random.randint(2024, 2030), month, day, tzinfo=AMSTERDAM)


def shown(times):
    moments = [f"{at.astimezone(AMSTERDAM):%a %d %b %Y %H:%M:%S %Z}" for at in times[:3]]
    text = ", ".join(moment.replace(":00 ", " ") for moment in moments)
    return f"{text} … {len(times)} times" if len(times) > 3 else text or "never"


def check_times(kata, times, expected, period):
    if [at.timestamp() for at in times] != [at.timestamp() for at in expected]:
        check_zone(kata)
        must = f"{shown(times)}\nbeat must send it:  {shown(expected)}"
        raise AssertionError(f"In {period}\nbeat would send it: {must}")


def check_next_run(kata, name, now, expected):
    now, expected = now.astimezone(UTC), expected.astimezone(UTC)
    found = kata.next_run(name, now)
    call = f'next_run("{name}", {now})'
    schedule = kata.app.conf.beat_schedule[name]["schedule"]
    notes = f'The test added the entry "{name}". Its schedule is {schedule!r}.'
    aware = isinstance(found, datetime) and found.utcoffset() is not None
    assert aware, f"{call} must return an aware datetime. It returned {found!r}.\n{notes}"
    if abs(found.astimezone(UTC) - expected) >= SECOND:
        check_zone(kata)
        on_the_wall = now.astimezone(AMSTERDAM) + (expected - now)  # some nights an hour off
        if abs(found.astimezone(UTC) - on_the_wall.astimezone(UTC)) < SECOND:
            notes += "\nPython adds to a local time as a clock on the wall would: add to `now`."
        raise AssertionError(
            f"{call}\nmust be {shown([expected])}, as the clock in the shop shows it.\n"
            f"It was  {shown([found])}.\n`now` is {shown([now])} there.\n{notes}"
        )


def add_entry(kata, name, schedule):
    """One that is not in the learner's file: `next_run` must not know its entries by name."""
    entries_of(kata)[name] = {"task": f"a task {name}", "schedule": schedule}


@pytest.mark.todo(1)
def test_a_heartbeat_every_30_seconds(kata, beat):
    """Beat sends `heartbeat` 2,880 times a day, 30 seconds apart."""
    times = sent_by(kata, beat, "heartbeat", some_day(6), days=1)
    schedule = part_of(entry_of(kata, "heartbeat"), "schedule")
    assert len(times) == 2880, (
        f"Beat would send {len(times):,} heartbeats a day, and not 2,880.\n"
        f"The schedule is {schedule!r}."
    )
    gaps = {later - earlier for earlier, later in pairwise(times)}
    assert all(abs(gap - 30 * SECOND) < SECOND for gap in gaps), (
        f"The heartbeats are not 30 seconds apart: {shown(times)}."
    )


@pytest.mark.todo(1)
def test_a_late_heartbeat_is_not_run(kata, beat, start_worker, timeline, settle):
    """A heartbeat that waited for 30 seconds ends as REVOKED. A fresh one is run."""
    late = send(kata, beat, timeline, "heartbeat", age=30 * SECOND)
    fresh = send(kata, beat, timeline, "heartbeat")
    start_worker()
    settle()

    ran = [event.id for event in timeline.started()]
    options = options_of(kata, "heartbeat")
    assert late not in ran, (
        "The test sent a heartbeat as if 30 seconds ago, and a worker ran it. Its message must "
        f"expire 30 seconds after it is sent. {options}"
    )
    assert fresh in ran, (
        f"A worker was there at once, and yet no heartbeat was run: it had expired. {options}"
    )


@pytest.mark.todo(2)
def test_a_report_every_night(kata, beat):
    """Beat sends `daily_report` once a night, at 02:00 in Amsterdam, summer and winter."""
    for month in (1, 7):
        start = some_day(month, first=22) + timedelta(minutes=random.randint(180, 1200))
        times = sent_by(kata, beat, "daily_report", start, days=8)
        nights = [local(start + timedelta(days=n), 2) for n in range(1, 9)]
        check_times(kata, times, nights, "eight days")


@pytest.mark.todo(2)
def test_one_report_when_the_clock_changes(kata, beat):
    """There is one `daily_report` also in the night in which the clock changes."""
    for month, day in [(3, 29), (10, 25)]:
        start = local(datetime(2026, month, day - 1), random.randint(4, 22))
        times = sent_by(kata, beat, "daily_report", start, days=2)
        nights = [local(datetime(2026, month, day + n), 2) for n in (0, 1)]
        check_times(kata, times, nights, "two days")


@pytest.mark.todo(3)
def test_a_stocktake_every_monday(kata, beat):
    """Beat sends `weekly_stocktake` on Mondays at 06:30 in Amsterdam."""
    entry_of(kata, "weekly_stocktake")
    check_zone(kata)
    start = some_day(random.choice([1, 6]), first=22)
    times = sent_by(kata, beat, "weekly_stocktake", start, days=15)

    days = [start + timedelta(days=n) for n in range(15)]
    mondays = [local(day, 6, 30) for day in days if day.isoweekday() == 1]
    check_times(kata, times, mondays, "15 days")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.todo(TODOS[n])) for n in TODOS])
def test_a_worker_can_run_every_entry(
    kata, beat, start_worker, timeline, settle, check_given, name
):
    """What beat sends is a task of `app`, with the arguments that it needs. A report and a
    stocktake run also when the worker is late."""
    check_given(name, *GIVEN[name])
    hours = 0 if name == "heartbeat" else random.randint(1, 20)
    send(kata, beat, timeline, name, age=timedelta(hours=hours))
    start_worker()
    settle()

    started = timeline.started()
    old = f"was {hours} hours old, and must run" if hours else "was new, and had expired already"
    assert started, f"The message of {name!r} {old}: thrown away. {options_of(kata, name)}"
    ran = [event.call for event in started]
    assert [event.task for event in started] == [f"tasks.{name}"], (
        f"One message of the entry {name!r} must make one run of `{name}`. These tasks ran: {ran}."
    )
    assert timeline.succeeded(), f"{ran[0]} failed. Has the entry the arguments of `{name}`?"
    handed = [*started[0].args, *started[0].kwargs.values()]
    assert handed == GIVEN[name][0], f"The arguments must be {GIVEN[name][0]}. Beat sent {ran[0]}."


@pytest.mark.todo(4)
def test_next_run_of_a_crontab(kata, beat):
    """`next_run` finds an entry by its name, and asks its crontab when it is due."""
    day, hour, minute = some_day(1), random.randint(0, 23), random.randrange(5, 60, 5)
    at = local(day, hour, minute)
    for every, then, fields in (
        ("five minutes", at + 300 * SECOND, {"hour": "*", "minute": "*/5"}),
        ("night", at + timedelta(days=1), {}),
        ("week", at + timedelta(days=7), {"day_of_week": day.isoweekday() % 7}),
        ("month", at.replace(month=2), {"day_of_month": day.day}),
    ):
        add_entry(kata, every, crontab(**{"hour": hour, "minute": minute, **fields}))
        for seconds, expected in ((-299, at), (-1, at), (0, then), (1, then), (299, then)):
            check_next_run(kata, every, at + seconds * SECOND, expected)


@pytest.mark.todo(4)
def test_next_run_of_an_interval(kata, beat):
    """An entry with an interval, a number or a timedelta, runs one interval after `now`."""
    for wait in (30, 330.0, timedelta(minutes=5), timedelta(hours=50)):
        add_entry(kata, "often", wait)
        interval = wait if isinstance(wait, timedelta) else wait * SECOND
        now = some_day(6) + random.randint(1, 10**5) * SECOND
        check_next_run(kata, "often", now, now + interval)


CLOCK_CHANGES = [
    # Celery, entry, now in UTC, next run in UTC; `remaining_estimate` is an hour off before that
    ((5, 3), "at two", "2026-03-28 12:00", "2026-03-29 01:00"),
    ((5, 3), "at two", "2026-03-29 00:30", "2026-03-29 01:00"),
    ((5, 3), "at two", "2026-03-29 06:00", "2026-03-30 00:00"),
    ((5, 3), "at two", "2026-10-24 12:00", "2026-10-25 00:00"),
    ((5, 3), "at two", "2026-10-25 01:15", "2026-10-26 01:00"),
    ((5, 5), "at two", "2026-10-25 00:15", "2026-10-26 01:00"),
    ((5, 5), "on Mondays", "2026-03-28 12:00", "2026-03-30 04:30"),
    ((5, 5), "on Mondays", "2026-10-24 12:00", "2026-10-26 05:30"),
    ((5, 7), "often", "2026-10-25 00:59:45", "2026-10-25 01:00:15"),
]


@pytest.mark.todo(4)
def test_next_run_when_the_clock_changes(kata, beat, timeline, naps):
    """`next_run` is right to the hour in the nights in which the clock changes, and changes
    nothing: afterwards beat goes on as before."""
    add_entry(kata, "at two", crontab(hour=2, minute=0))
    add_entry(kata, "on Mondays", crontab(hour=6, minute=30, day_of_week="monday"))
    add_entry(kata, "often", 30)
    for since, name, *moments in CLOCK_CHANGES:
        if since <= celery.VERSION:
            check_next_run(kata, name, *(datetime.fromisoformat(f"{m}+00:00") for m in moments))

    assert not timeline.sent(), "`next_run` sent a message."
    assert not naps, f"`next_run` called `time.sleep`, for {naps} seconds."
    start = some_day(random.choice([1, 6]))
    times = sent_by(kata, beat, "at two", start, days=1)
    period = "the day after a call of `next_run`, which must leave the schedule as it was,"
    check_times(kata, times, [local(start, 2)], period)
