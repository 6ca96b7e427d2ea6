"""The schedule of a learner is run through simulated time, or told what is wrong with it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab

from dojo.running.beat import Beat

START = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def beat_of(**entries: Any) -> Beat:
    """Beat for an app with these entries in its schedule."""
    app = Celery("sample", broker="memory://")
    app.conf.timezone = "Europe/Amsterdam"
    app.conf.beat_schedule = entries
    return Beat(app)


def test_what_is_sent() -> None:
    """Each entry is sent when it is due, in order; beat starts at the given moment."""
    sent = beat_of(
        often={"task": "tick", "schedule": timedelta(hours=6)},
        nightly={"task": "report", "schedule": crontab(hour=4, minute=30), "args": [1]},
    ).run(START, hours=18)
    assert [(s.name, f"{s.at:%d. %H:%M}") for s in sent] == [
        ("often", "10. 19:00"),
        ("often", "11. 01:00"),
        ("nightly", "11. 04:30"),
        ("often", "11. 07:00"),
    ]
    assert sent[2].args == (1,)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("tick", "it is 'tick', and not a dict"),
        ({"schedule": 30}, "it has no key 'task'"),
        ({"task": "tick"}, "it has no key 'schedule'"),
        ({"task": "tick", "schedule": 30, "expires": 30}, "stands in options"),
        ({"task": "tick", "schedule": 30, "args": "sales"}, "ends with a comma"),
        ({"task": "tick", "schedule": 30, "args": 1}, "its args are 1"),
        ({"task": "tick", "schedule": "30"}, "its schedule is '30'"),
        ({"task": "tick", "schedule": "0 2 * * *"}, "a crontab"),
    ],
    ids=repr,
)
def test_an_entry_that_celery_cannot_read(entry: Any, says: str) -> None:
    """It is named, with what is wrong with it."""
    beat = beat_of(bad=entry)
    for use in (lambda: beat.run(START, days=1), lambda: beat.send("bad")):
        with pytest.raises(AssertionError, match="The entry 'bad' of beat_schedule") as raised:
            use()
        assert says in str(raised.value)


def test_an_entry_that_is_always_due() -> None:
    """A run that would never end is given up, and names the entry."""
    with pytest.raises(AssertionError, match="'storm'"):
        beat_of(storm={"task": "tick", "schedule": 0.001}).run(START, hours=1)
