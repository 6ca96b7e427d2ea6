"""06 · The shop's clock: the reference solution."""

from copy import copy

from celery import Celery
from celery.schedules import crontab, maybe_schedule

app = Celery("beat")


# Given: three tasks and a function, complete. Leave them as they are.


@app.task
def heartbeat():
    """Tell the monitor that the workers are alive."""
    return "alive"


@app.task
def daily_report(kind):
    """Write a report over the last day, for example of kind "sales"."""
    return f"the {kind} of the day"


@app.task
def weekly_stocktake():
    """Count the paper and the ink in the shop."""
    return "counted"


def schedule_at(entry_name, now):
    """The schedule of an entry of `beat_schedule`. For it, the time is `now`, and not this moment.

    It is a copy: beat needs the other one.
    """
    schedule = maybe_schedule(copy(app.conf.beat_schedule[entry_name]["schedule"]), app=app)
    schedule.nowfun = lambda: now
    return schedule


# Your part. All times are those of the shop, which is in Amsterdam ("Europe/Amsterdam").

# Without it every crontab means UTC: 02:00 would be 03:00 in winter and 04:00 in summer.
app.conf.timezone = "Europe/Amsterdam"

app.conf.beat_schedule = {
    "heartbeat": {
        "task": "tasks.heartbeat",
        "schedule": 30,
        # The options are those of apply_async. This is the age at which the *message* is too
        # old; the setting result_expires is about the result and would not help.
        "options": {"expires": 30},
    },
    "daily_report": {
        "task": "tasks.daily_report",
        # Every field that is left out means "each": without the minute it runs 60 times.
        "schedule": crontab(hour=2, minute=0),
        "args": ("sales",),
    },
    "weekly_stocktake": {
        "task": "tasks.weekly_stocktake",
        # Sunday is 0 here, and Monday 1. In Python's weekday() Monday is 0.
        "schedule": crontab(hour=6, minute=30, day_of_week="monday"),
    },
}


def next_run(entry_name, now):
    """When will the entry of `beat_schedule` with this name run next, as seen from `now`?

    `now` is an aware datetime in UTC. Return an aware datetime after `now`. An entry with
    an interval, such as 30 seconds, is taken to have run at `now`.
    """
    # Up to Celery 5.6 a crontab reads the hour off the datetime that it is given.
    here = now.astimezone(app.timezone)
    # In UTC every hour has 60 minutes, so that the sum is right when the clock changes.
    return now + schedule_at(entry_name, here).remaining_estimate(here)
