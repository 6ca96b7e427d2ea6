"""Mistakes that end the import of the learner's file: nothing of it can be tested."""

from __future__ import annotations

import re

from dojo.grading.answers import shown
from dojo.grading.source import names_defined
from dojo.telling.failure import Failure

#: What Python says of a wrong decorator.
DECORATORS = ("'TaskRegistry' object is not callable", "'Celery' object is not callable")
MISSING = re.compile(r"TypeError: (\w+)\(\) missing \d+ required")
PLACE = re.compile(r"(.+?), line (\d+): ")
UNDEFINED = re.compile(r"name '(\w+)' is not defined")


def wrong_decorator(_: Failure, what: str) -> list[str]:
    """`@app.tasks`, `@app`."""
    found = any(said in what for said in DECORATORS)
    return ["The decorator of a task is `@app.task`."] if found else []


def called_in_place(failure: Failure, what: str) -> list[str]:
    """`(route(), routes)`: a function is called where it should only be named."""
    found = MISSING.search(what)
    if found is None or f"{found[1]}()" not in what.splitlines()[-1]:
        return []
    if found[1] not in names_defined(failure.answer):
        return []
    return [f"`{found[1]}()` calls the function here. To hand it over, write it without `()`."]


def defined_later(failure: Failure, what: str) -> list[str]:
    """A name that stands further down in the file."""
    found, place = UNDEFINED.search(what), PLACE.match(what)
    line = names_defined(failure.answer).get(found[1]) if found else None
    if found is None or place is None or line is None:
        return []
    if place[1] != shown(failure.answer) or line <= int(place[2]):
        return []  # it is missing in a given module, or for another reason
    return [
        f"`{found[1]}` is defined further down, in line {line}. Python reads a file from the top: "
        "this line must come after that one."
    ]


def seconds_of_crontab(_: Failure, what: str) -> list[str]:
    """`crontab(second=…)`."""
    if "unexpected keyword argument 'second'" not in what:
        return []
    return ['A crontab has no seconds. An interval is a number of seconds: `"schedule": 30`.']
