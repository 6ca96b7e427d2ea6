"""06 · The shop's clock. See README.md in this folder."""

from copy import copy

from celery import Celery
from celery.schedules import maybe_schedule

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


app.conf.beat_schedule = {
    # TODO 1: an entry "heartbeat". It runs `heartbeat` every 30 seconds. A worker must not
    #         run a heartbeat that is 30 seconds old: the next one is already there.
    # TODO 2: an entry "daily_report". It runs `daily_report("sales")` at 02:00 every night.
    #         When no worker is there at 02:00: better late than never.
    # TODO 3: an entry "weekly_stocktake". It runs `weekly_stocktake` on Mondays at 06:30.
    #         Better late than never, too.
}


def next_run(entry_name, now):
    """When will the entry of `beat_schedule` with this name run next, as seen from `now`?

    `now` is an aware datetime in UTC. Return an aware datetime after `now`. An entry with
    an interval, such as 30 seconds, is taken to have run at `now`.
    """
    raise NotImplementedError("TODO 4: ask `schedule_at` how long it is from `now` on")
