"""06 · The shop's clock. See README.md in this folder."""

from celery import Celery

app = Celery("beat")


# Given: three tasks, complete. Leave them as they are.


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


# Your part. All times are those of the shop, which is in Amsterdam ("Europe/Amsterdam").


app.conf.beat_schedule = {
    # TODO 1: an entry "heartbeat". It runs `heartbeat` every 30 seconds. A worker must not
    #         run a heartbeat that is 30 seconds old: the next one is already there.
    # TODO 2: an entry "daily_report". It runs `daily_report("sales")` at 02:00 every night.
    # TODO 3: an entry "weekly_stocktake". It runs `weekly_stocktake` on Mondays at 06:30.
}


def next_run(entry_name, now):
    """When will the entry of `beat_schedule` with this name run next, as seen from `now`?

    `now` is an aware datetime in any time zone. Return an aware datetime after `now`. An
    entry with an interval, such as 30 seconds, is taken to have run at `now`.
    """
    raise NotImplementedError("TODO 4: ask the schedule of the entry, from `now` on")
