"""The gateway, and a watch on `time.sleep`."""

import importlib
import sys
import time

import pytest

from dojo.answers import AnswerError


@pytest.fixture
def gateway(kata):
    """The module `gateway` that the learner's module imports, fresh for this test."""
    try:
        kata.app.finalize()  # Celery reads the options of the tasks only here
    except TypeError as error:
        raise AnswerError(
            f"Celery cannot make the tasks: {error}.\n"
            "`autoretry_for` must be a tuple, also when it names one error: (Error,)"
        ) from None
    return importlib.import_module("gateway")


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    """The seconds that the module `tasks` wanted to sleep. They are noted, and not slept."""
    naps = []
    sleep = time.sleep

    def nap(seconds):
        if sys._getframe(1).f_globals.get("__name__") == "tasks":
            naps.append(seconds)
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", nap)
    return naps
