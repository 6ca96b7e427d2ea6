"""When a test of this kata fails, look for a cause that the error does not tell by itself.

Nothing here makes a test fail: a test that passes is not looked at.
"""

import re
from datetime import datetime, timedelta
from unittest import mock

import pytest
from celery.beat import SchedulingError
from celery.schedules import crontab


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Let a failure speak of its cause."""
    kata, todo = pyfuncitem.funcargs["kata"], pyfuncitem.get_closest_marker("todo").args[0]
    given = getattr(kata, "schedule_at", None)
    if given is None:
        return (yield)
    kata.schedule_at = asked = mock.Mock(wraps=given)
    try:
        return (yield)
    except (AssertionError, SchedulingError, TypeError) as error:
        text = more = ""
        if isinstance(error, SchedulingError):
            text = no_message(kata.app.conf.beat_schedule, str(error))
        elif isinstance(error, TypeError):
            text = no_zone(kata.app.conf.timezone, str(error))
        elif "eat would send" in said(error):
            more = twice(kata.app.conf.beat_schedule)
            more = more or (no_seconds(kata.app.conf.beat_schedule) if todo == 1 else "")
        elif "The options of the entry" in said(error):
            more = fixed(kata.app.conf.beat_schedule)
        elif todo == 4 and "next_run(" in said(error):
            more = not_asked(asked)
        text = text or (said(error) if more else "")
        if not text:
            raise
        raise AssertionError(text + more).with_traceback(error.__traceback__) from None
    finally:
        kata.schedule_at = given


def said(error):
    """The message of an assertion, without what pytest adds to it."""
    return str(error).replace("\n  ", "\n").partition("\nassert ")[0]


def no_message(entries, error):
    """Why Celery can make no message of an entry."""
    name = re.match(r"Couldn't apply scheduled task (.+?): ", error)
    entry = entries.get(name[1]) if name else None
    if not isinstance(entry, dict):
        return ""
    if isinstance((entry.get("options") or {}).get("expires"), timedelta):
        return "`expires` is a timedelta. Give a number of seconds."
    if not entry.get("args") and not entry.get("kwargs") and "missing" in error:
        return f"The entry {name[1]!r} has no `args`, and its task needs an argument."
    return ""


def no_zone(setting, error):
    """The name of the zone was taken for the zone."""
    if "tzinfo" not in error or not isinstance(setting, str):
        return ""
    return "`app.conf.timezone` is the name of the zone. The zone itself is `app.timezone`."


def no_seconds(entries):
    """A crontab where seconds are asked for."""
    entry = entries.get("heartbeat") if isinstance(entries, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("schedule"), crontab):
        return ""
    return "\nA crontab knows minutes, and no seconds. Seconds are a number."


def twice(entries):
    """Two entries that send the same task."""
    names = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        task = entry.get("task") if isinstance(entry, dict) else None
        if (other := names.setdefault(task, name)) != name and task:
            return f"\nThe entries {other!r} and {name!r} both send {task}. Keep the first."
    return ""


def fixed(entries):
    """A moment where an age is asked for."""
    entry = entries.get("heartbeat") if isinstance(entries, dict) else None
    options = entry.get("options") if isinstance(entry, dict) else None
    if not isinstance(options, dict) or not isinstance(options.get("expires"), datetime):
        return ""
    return "\nA datetime is one moment, fixed when the file was imported. Give a number of seconds."


def not_asked(schedule_at):
    """The schedule was asked without `schedule_at`."""
    if schedule_at.called:
        return ""
    return (
        "\n`next_run` did not ask `schedule_at` for the schedule. Ask it, and then that "
        "schedule for what remains."
    )


@pytest.fixture
def check_given(kata):
    """`check_given(name, args, answer)`: the given task has no options, and the same answer."""
    options = ("expires", "ignore_result", "queue", "priority", "acks_late", "autoretry_for")

    def checked(name, args, answer):
        plain = kata.app.task(said, name="plain")  # to compare with
        kata.app.tasks.unregister("plain")
        given = kata.app.tasks.get(f"tasks.{name}")
        assert given, f"`{name}` is given, as a task of `app`. It is not there any more."
        new = [o for o in options if getattr(given, o, None) != getattr(plain, o, None)]
        into = " Write it in the `options` of the entry." if new == ["expires"] else ""
        assert not new, f"`{name}` is given. Take `{new[0]}` out of its `@app.task`.{into}"
        found = given(*args)
        assert found == answer, (
            f"`{name}` is given and must return {answer!r}. It returns {found!r} now: put it back."
        )

    return checked
