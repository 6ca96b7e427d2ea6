"""Settings of the learner's app that Celery cannot use, or does not see."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import tzinfo

from celery.app.defaults import _TO_NEW_KEY, DEFAULTS

from dojo.grading.source import text_of
from dojo.telling.failure import Failure


def mistyped(failure: Failure, _what: str = "") -> list[str]:
    """A setting that Celery knows by nearly the same name."""
    changed = map(str, failure.app.conf.changes if failure.app else {})
    strange = [name for name in changed if name not in DEFAULTS and name not in _TO_NEW_KEY]
    told = []
    for name in strange:
        plain = name.lower().removeprefix("celery_")
        if plain in DEFAULTS:
            told.append(f"Celery does not read `{name}` here: write `app.conf.{plain}`.")
        elif f"task_{plain}" in DEFAULTS:
            told.append(f"`{name}` is not a setting of Celery. Did you mean `task_{plain}`?")
        elif close := difflib.get_close_matches(plain, DEFAULTS, n=1, cutoff=0.8):
            told.append(f"`{name}` is not a setting of Celery. Did you mean `{close[0]}`?")
    return told


def no_time_zone(failure: Failure, _what: str = "") -> list[str]:
    """The time zone that is set does not exist."""
    name = zone_of(failure)
    if not isinstance(name, str):
        return []
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        zones = [zone for zone in zoneinfo.available_timezones() if "/" in zone]
        close = difflib.get_close_matches(name, zones, n=1)
        known = f"Did you mean {close[0]!r}?" if close else "One of them is 'Europe/Amsterdam'."
        return [f"`timezone`: there is no time zone {name!r}. {known}"]
    return []


def zone_of(failure: Failure) -> object:
    """What the learner has set as `timezone`, if anything."""
    return failure.app.conf.changes.get("timezone") if failure.app else None


def always_eager(failure: Failure, _what: str = "") -> list[str]:
    """The learner has switched the workers off."""
    if failure.app is None or "task_always_eager" not in failure.app.conf.changes:
        return []
    if failure.eager or not failure.app.conf.task_always_eager:
        return []
    if "always_eager" not in text_of(failure.answer):
        return []  # the test has switched it on
    return ["`task_always_eager` is on: no message is sent, and no worker is asked. Leave it off."]


def beside_conf(failure: Failure, _what: str = "") -> list[str]:
    """Settings that were made attributes of the app: Celery does not look there."""
    own = vars(failure.app) if failure.app else {}
    names = [
        name
        for name, value in own.items()
        if name in DEFAULTS and not (name == "timezone" and isinstance(value, tzinfo))
    ]
    return [f"`app.{name}` is no setting. Set `app.conf.{name}`." for name in names]
