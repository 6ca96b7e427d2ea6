"""Tests of kata 06. Each docstring is one requirement."""

import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import celery
import pytest
from celery.schedules import crontab

UTC = timezone.utc
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ZONES = [UTC, AMSTERDAM, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")]
TODOS = {"heartbeat": 1, "daily_report": 2, "weekly_stocktake": 3}
SECOND = timedelta(seconds=1)


def entry_of(kata, name):
    entries = kata.app.conf.beat_schedule
    others = ", ".join(map(repr, entries)) or "no entry at all"
    assert name in entries, (
        f"TODO {TODOS[name]}: `app.conf.beat_schedule` has no entry {name!r}. It has {others}."
    )
    return entries[name]


def check_task(kata, name):
    task = entry_of(kata, name).get("task")
    known = sorted(task for task in kata.app.tasks if not task.startswith("celery."))
    assert task in known, (
        f"The entry {name!r} names the task {task!r}. `app` knows no such task, and a "
        f"worker would throw the message away. It knows {', '.join(known)}."
    )


def sent_by(kata, beat, name, start, **duration):
    """When beat sends one entry. The others are left out, to save time."""
    kata.app.conf.beat_schedule = {name: entry_of(kata, name)}
    return [sent.at.astimezone(AMSTERDAM) for sent in beat.run(start, **duration)]


def local(day, hour, minute=0):
    """A time in Amsterdam. One that does not exist there becomes the one an hour later."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=AMSTERDAM)
    return wall.astimezone(UTC).astimezone(AMSTERDAM)


def some_day(month):
    return datetime(random.randint(2024, 2030), month, random.randint(5, 12), tzinfo=AMSTERDAM)


def shown(times):
    if not times:
        return "never"
    text = ", ".join(f"{at:%a %d %b %Y %H:%M:%S %Z}" for at in times[:4])
    return f"{text} … {len(times)} times" if len(times) > 4 else text


def check_times(times, expected, period):
    assert [at.timestamp() for at in times] == [at.timestamp() for at in expected], (
        f"In {period}\nbeat would send it: {shown(times)}\nbeat must send it:  {shown(expected)}"
    )


def clock(moment):
    """A moment as the clock in the shop shows it."""
    return f"{moment.astimezone(AMSTERDAM):%a %Y-%m-%d %H:%M:%S %Z}"


def check_next_run(kata, name, now, expected):
    found = kata.next_run(name, now)
    call = f'next_run("{name}", {now})'
    assert isinstance(found, datetime), f"{call} must return a datetime. It returned {found!r}."
    assert found.utcoffset() is not None, (
        f"{call} must return an aware datetime. It returned {found!r}, which has no time zone."
    )
    assert abs(found.astimezone(UTC) - expected.astimezone(UTC)) < SECOND, (
        f"{call}\n"
        f"must be {clock(expected)}, as the clock in the shop shows it.\n"
        f"It was  {clock(found)}.\n"
        f"`now` is {clock(now)} there.\n"
        f"The schedule is {kata.app.conf.beat_schedule[name]['schedule']!r}."
    )


@pytest.mark.todo(1)
def test_a_heartbeat_every_30_seconds(kata, beat):
    """Beat sends `heartbeat` 2,880 times a day, 30 seconds apart."""
    times = sent_by(kata, beat, "heartbeat", some_day(6), days=1)

    assert len(times) == 2880, f"Beat would send {len(times):,} heartbeats a day, and not 2,880."
    gaps = {later - earlier for earlier, later in pairwise(times)}
    assert all(abs(gap - 30 * SECOND) < SECOND for gap in gaps), (
        f"The heartbeats are not 30 seconds apart: {shown(times)}."
    )


@pytest.mark.todo(1)
def test_a_late_heartbeat_is_not_run(kata, beat, start_worker, timeline, settle):
    """A heartbeat that waited for 30 seconds ends as REVOKED. A fresh one is run."""
    check_task(kata, "heartbeat")
    options = entry_of(kata, "heartbeat").get("options")
    late = beat.send("heartbeat", at=datetime.now(UTC) - 30 * SECOND)
    fresh = beat.send("heartbeat")
    start_worker()
    settle()

    ran = [event.id for event in timeline.started()]
    assert late.id not in ran, (
        "A heartbeat was run that had waited for 30 seconds. It must not run any more. "
        f"The options of the entry are {options}."
    )
    assert late.state == "REVOKED", f"The late heartbeat ended as {late.state}, not REVOKED."
    assert fresh.id in ran, (
        f"A worker was there at once, and yet the heartbeat ended as {fresh.state}."
    )


@pytest.mark.todo(2)
@pytest.mark.parametrize("month", [1, 7], ids=["winter", "summer"])
def test_a_report_every_night(kata, beat, month):
    """Beat sends `daily_report` once a night, at 02:00 in Amsterdam, summer and winter."""
    start = some_day(month) + timedelta(minutes=random.randint(180, 1200))

    times = sent_by(kata, beat, "daily_report", start, days=3)

    nights = [local(start + timedelta(days=n), 2) for n in (1, 2, 3)]
    check_times(times, nights, "three days")


@pytest.mark.todo(2)
@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 29), datetime(2026, 10, 25)], ids=["forward", "back"]
)
def test_one_report_when_the_clock_changes(kata, beat, day):
    """There is one `daily_report` also in the night in which the clock changes."""
    start = local(day - timedelta(days=1), random.randint(4, 22))

    times = sent_by(kata, beat, "daily_report", start, days=2)

    nights = [local(day, 2), local(day + timedelta(days=1), 2)]
    check_times(times, nights, "two days")


@pytest.mark.todo(3)
def test_a_stocktake_every_monday(kata, beat):
    """Beat sends `weekly_stocktake` on Mondays at 06:30 in Amsterdam."""
    start = some_day(random.choice([1, 6]))

    times = sent_by(kata, beat, "weekly_stocktake", start, days=14)

    days = [start + timedelta(days=n) for n in range(14)]
    mondays = [local(day, 6, 30) for day in days if day.isoweekday() == 1]
    check_times(times, mondays, "two weeks")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.todo(todo)) for name, todo in TODOS.items()]
)
def test_a_worker_can_run_every_entry(kata, beat, celery_worker, timeline, settle, name):
    """What beat sends is a task of `app`, with the arguments that it needs."""
    check_task(kata, name)
    beat.send(name)
    settle()

    ran = [event.call for event in timeline.succeeded()]
    started = timeline.started(f"tasks.{name}")
    assert started, f"`{name}` did not run. These did: {ran}."
    if name == "daily_report":
        call, handed = started[0].call, [*started[0].args, *started[0].kwargs.values()]
        assert handed == ["sales"], f'Beat must send daily_report("sales"). It sent {call}.'
    assert len(ran) == 1, f"One entry made {len(ran)} runs: {ran}."


@pytest.mark.todo(4)
def test_next_run_of_any_entry(kata, beat):
    """`next_run` tells when any entry runs next, also one that it does not know by name, and
    whatever the time zone of `now`."""
    day = some_day(random.choice([1, 6]))
    # Entries that are not in the learner's file: `next_run` must not know its entries by name.
    hour, minute, seconds = random.randint(0, 23), random.randint(1, 59), random.randint(5, 50)
    at = local(day, hour, minute)
    kata.app.conf.beat_schedule.update(
        another_daily={"task": "tasks.heartbeat", "schedule": crontab(hour=hour, minute=minute)},
        another_weekly={
            "task": "tasks.heartbeat",
            "schedule": crontab(hour=hour, minute=minute, day_of_week=day.isoweekday() % 7),
        },
        another_often={"task": "tasks.heartbeat", "schedule": float(seconds)},
    )
    for zone in ZONES:
        for early in (random.randint(1, 59), random.randint(600, 3000)):
            before = (at - early * SECOND).astimezone(zone)
            check_next_run(kata, "another_daily", before, at)
            check_next_run(kata, "another_weekly", before, at)
            check_next_run(kata, "another_often", before, before + seconds * SECOND)
        check_next_run(kata, "another_daily", at.astimezone(zone), at + timedelta(days=1))
        check_next_run(kata, "another_weekly", at.astimezone(zone), at + timedelta(days=7))


CLOCK_CHANGES = [
    # entry, now in UTC, next run in UTC
    ("daily_report", "2026-03-28 12:00", "2026-03-29 01:00"),
    ("daily_report", "2026-03-29 00:30", "2026-03-29 01:00"),
    ("daily_report", "2026-03-29 06:00", "2026-03-30 00:00"),
    ("daily_report", "2026-10-24 12:00", "2026-10-25 00:00"),
    ("daily_report", "2026-10-25 01:15", "2026-10-26 01:00"),
    ("daily_report", "2026-10-25 06:00", "2026-10-26 01:00"),
]
if celery.VERSION >= (5, 5):  # Celery itself is an hour off before that
    CLOCK_CHANGES += [
        ("daily_report", "2026-10-25 00:15", "2026-10-26 01:00"),
        ("weekly_stocktake", "2026-03-28 12:00", "2026-03-30 04:30"),
        ("weekly_stocktake", "2026-10-24 12:00", "2026-10-26 05:30"),
    ]


@pytest.mark.todo(4)
def test_next_run_when_the_clock_changes(kata, beat):
    """`next_run` is right to the hour in the nights in which the clock changes."""
    for name, now, expected in CLOCK_CHANGES:
        entry_of(kata, name)
        utc_now, utc_expected = (datetime.fromisoformat(f"{t}+00:00") for t in (now, expected))
        for zone in ZONES:
            check_next_run(kata, name, utc_now.astimezone(zone), utc_expected.astimezone(AMSTERDAM))


@pytest.mark.todo(4)
def test_next_run_changes_nothing(kata, beat, timeline):
    """`next_run` only looks: afterwards beat goes on as before."""
    entry_of(kata, "daily_report")
    start = some_day(random.choice([1, 6]))

    kata.next_run("daily_report", start - timedelta(days=random.randint(100, 500)))

    assert not timeline.sent(), "`next_run` sent a message."
    times = sent_by(kata, beat, "daily_report", start, days=1)
    period = "the day after a call of `next_run`, which must leave the schedule as it was,"
    check_times(times, [local(start, 2)], period)
